"""The command that sends a directory, and what `check` says of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition
from typer.testing import CliRunner, Result

from detector.directory_entry import DirectoryEntry
from streams.cli.main import app
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames, ensure, plan


def invoke(*arguments: object) -> Result:
    """A command, on a wide terminal."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*map(str, arguments)])


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A file with two entries."""
    path = tmp_path / "people.csv"
    path.write_text("id,name,owner\n0054R0000000001,Anna Berg,\nsync,Mail Sync,Anna Berg\n", encoding="utf-8")
    return path


def test_entries_are_sent_and_taken_back(
    kafka: Broker, names: TopicNames, tmp_path: Path, people: Path
) -> None:
    """Each is a message under its id, as workers and consoles read it; taken back, a message without a value."""
    ensure(kafka.bootstrap, plan(1, 1, names))
    settings = tmp_path / "crmwatch.toml"
    settings.write_bytes(msgspec.toml.encode({"topics": msgspec.structs.asdict(names)}))
    options = ("--bootstrap", kafka.bootstrap, "--settings", settings)
    result = invoke("directory", people, *options)
    assert (result.exit_code, result.stdout) == (0, f"2 entries sent to {names.directory}\n"), result.output
    assert (
        invoke("directory", people, "--remove", *options).stdout
        == f"2 entries withdrawn from {names.directory}\n"
    )
    consumer: Any = KafkaConsumer(bootstrap_servers=kafka.bootstrap, consumer_timeout_ms=2_000)
    partition = TopicPartition(names.directory, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    decode = msgspec.json.Decoder(DirectoryEntry).decode
    sent = [(message.key, None if message.value is None else decode(message.value)) for message in consumer]
    consumer.close()
    anna, sync = (
        DirectoryEntry(id="0054R0000000001", name="Anna Berg"),
        DirectoryEntry(id="sync", name="Mail Sync", owner="Anna Berg"),
    )
    keys = anna.key.encode(), sync.key.encode()
    assert sent == [(keys[0], anna), (keys[1], sync), (keys[0], None), (keys[1], None)]


def test_what_would_be_sent_can_be_seen(people: Path) -> None:
    """As JSON lines, which are a directory's file themselves."""
    result = invoke("directory", people, "--json")
    assert result.exit_code == 0
    entries = [json.loads(line) for line in result.stdout.splitlines()]
    assert entries == [
        {"id": "0054R0000000001", "name": "Anna Berg"}, {"id": "sync", "name": "Mail Sync", "owner": "Anna Berg"},
    ]  # fmt: skip
    again = people.with_name("again.json")
    again.write_text(result.stdout, encoding="utf-8")
    assert invoke("directory", again, "--json").stdout == result.stdout


def test_a_wrong_file_is_a_sentence(people: Path) -> None:
    """With its name and line; nothing is sent."""
    people.write_text("id,name\n1\n", encoding="utf-8")
    result = invoke("directory", people)
    assert (result.exit_code, result.stderr) == (2, f"{people}: line 2: 1 fields, where the header has 2\n")


def test_no_command_goes_on_with_a_wrong_directory(tmp_path: Path, people: Path) -> None:
    """A replay ends before it reads anything, with the file and the line."""
    people.write_text("id,kind\n1,alien\n", encoding="utf-8")
    settings = tmp_path / "crmwatch.toml"
    settings.write_text(f'[directory]\nfiles = ["{people}"]\n', encoding="utf-8")
    result = invoke("replay", tmp_path, "--settings", settings)
    assert result.exit_code == 2
    assert result.stderr == f"{people}: line 2: kind is none of human, integration, guest, app\n"


def test_check_says_which_settings_mean_nobody(tmp_path: Path, people: Path) -> None:
    """Neither in the directory nor in the logs; a name that either of the two knows is somebody's."""
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"EVENT_TYPE":"API","TIMESTAMP":"20260302090000.000","REQUEST_ID":"r","ORGANIZATION_ID":"00D4R000001kSky",'
        '"USER_ID":"0054R0000000007","USER_NAME":"cara@example.com","ROWS_PROCESSED":"5"}\n',
        encoding="utf-8",
    )
    settings = tmp_path / "crmwatch.toml"
    settings.write_text(
        f'[directory]\nfiles = ["{people}"]\n[detection.peers]\nnight = ["anna berg", "bo"]\n'
        '[triage.expected_rows]\n"Mail Snyc" = 5\n"cara@*" = 5\n"Mail Sync" = 5\n',
        encoding="utf-8",
    )
    result = invoke("check", log, "--settings", settings, "--json")
    assert result.exit_code == 1, result.output
    findings = json.loads(result.stdout)["findings"]
    [read] = [one for one in findings if one["what"] == "directory"]
    assert (read["state"], read["detail"]) == ("good", f"2 entries from {people}")
    [found] = [one for one in findings if one["what"] == "names in the settings"]
    assert found["state"] == "odd"
    assert found["detail"] == (
        "these match nobody in the directory or the records checked: "
        'detection.peers."night": "bo", triage.expected_rows."Mail Snyc"'
    )


def test_check_says_what_is_wrong_with_a_directory(tmp_path: Path, people: Path) -> None:
    """It is bad, by file and line."""
    people.write_text("name\n\n", encoding="utf-8")
    settings = tmp_path / "crmwatch.toml"
    settings.write_text(f'[directory]\nfiles = ["{people}"]\n', encoding="utf-8")
    result = invoke("check", "--settings", settings, "--json")
    assert result.exit_code == 2
    assert {"what": "directory", "state": "bad"}.items() <= json.loads(result.stdout)["findings"][-1].items()
    assert f"{people}: it has no entries" in result.stdout
