from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition
from typer.testing import CliRunner, Result

from detector.settings import Indicator
from streams.cli.main import app
from streams.config import load
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames, ensure, plan


def invoke(*arguments: object) -> Result:
    """The command, on a wide terminal."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["indicators", *map(str, arguments)])


def test_they_are_sent_and_taken_back(kafka: Broker, names: TopicNames, tmp_path: Path) -> None:
    """Each is a message under what it is looked up by, as a worker reads it; taken back, a message without a value."""
    ensure(kafka.bootstrap, plan(1, 1, names))
    settings = tmp_path / "crmwatch.toml"
    settings.write_bytes(msgspec.toml.encode({"topics": msgspec.structs.asdict(names)}))
    file = tmp_path / "thieves.csv"
    file.write_text("value,score\n192.0.2.7,4\nbot/1.0,\n,3\n")
    options = ("--bootstrap", kafka.bootstrap, "--settings", settings)
    result = invoke(file, *options)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"2 indicators sent to {names.indicators}\n"
    assert result.stderr == f"skipped: {file}: line 4: it has no value\n"
    assert invoke(file, "--remove", *options).stdout == f"2 indicators withdrawn from {names.indicators}\n"
    messages = _read(kafka.bootstrap, names.indicators)
    decode = msgspec.json.Decoder(Indicator).decode
    assert [(key, None if value is None else decode(value)) for key, value in messages] == [
        (b"192.0.2.7", Indicator(name="thieves", score=4.0)),
        (b"bot/1.0", Indicator(name="thieves")),
        (b"192.0.2.7", None),
        (b"bot/1.0", None),
    ]


def test_a_replay_gets_them_as_settings(tmp_path: Path) -> None:
    """What `--toml` prints is a settings file with the same indicators."""
    file = tmp_path / "list.csv"
    file.write_text('value,name,until\n192.0.2.0/24,"it\'s, theirs",2026-07-01\n')
    result = invoke(file, "--toml")
    assert result.exit_code == 0
    assert tomllib.loads(result.stdout)
    settings = tmp_path / "crmwatch.toml"
    settings.write_text(result.stdout)
    assert load(settings, {}).detection.indicators == {
        "192.0.2.0/24": Indicator(name="it's, theirs", until_ms=1_782_864_000_000)
    }


def test_a_feeds_text_does_not_reach_the_terminal_as_commands(tmp_path: Path) -> None:
    """Controls and characters that turn the writing direction are escaped, and mean the same to TOML."""
    file = tmp_path / "feed.csv"
    file.write_text("value\nbot\u202e/1.0\u200b\n", encoding="utf-8")
    result = invoke(file, "--toml")
    assert result.exit_code == 0, result.output
    assert not {"\u202e", "\u200b"} & set(result.stdout)
    assert list(tomllib.loads(result.stdout)["detection"]["indicators"]) == ["bot\u202e/1.0\u200b"]


def test_what_is_skipped_is_named_and_counted(tmp_path: Path) -> None:
    """The first entries by line, all by kind; a file of which nothing is left ends the command with 2."""
    file = tmp_path / "feed.csv"
    hashes = "".join(f"{number:032x},md5,1\n" for number in range(20))
    file.write_text(f"value,type,to_ids\n192.0.2.7,ip-dst,1\n192.0.2.8,ip-dst,0\n{hashes}")
    result = invoke(file, "--toml")
    assert result.exit_code == 0
    assert list(tomllib.loads(result.stdout)["detection"]["indicators"]) == ["192.0.2.7"]
    lines = result.stderr.splitlines()
    assert lines[0] == f"skipped: {file}: line 3: it is not meant for detection (to_ids)"
    assert lines[-1] == "skipped in all: 20 md5, 1 not meant for detection"
    assert len(lines) == 11
    file.write_text(f"value,type,to_ids\n{hashes}")
    result = invoke(file, "--toml")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"nothing in {file} can be looked up: 20 md5"


def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path) -> None:
    """A file that is not there or no list, and a Kafka that is not there, end the command with 2 and one sentence."""
    file = tmp_path / "list.txt"
    file.write_text("no list\n")
    good = tmp_path / "list.csv"
    good.write_text("value\n192.0.2.7\n")
    for arguments, said in (
        ((tmp_path / "none.csv",), "cannot be read"),
        ((file,), "nor CSV with a column named value"),
        ((good, "--bootstrap", "127.0.0.1:1"), "nothing answers at 127.0.0.1:1"),
    ):
        result = invoke(*arguments)
        assert result.exit_code == 2
        assert said in result.stderr
        assert result.stderr.count("\n") == 1


def _read(bootstrap: str, topic: str) -> list[tuple[bytes, bytes | None]]:
    consumer: Any = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    tp = TopicPartition(topic, 0)
    consumer.assign([tp])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([tp])[tp]
    found: list[tuple[bytes, bytes | None]] = []
    while consumer.position(tp) < end:
        for batch in consumer.poll(timeout_ms=1000).values():
            found += [(message.key, message.value) for message in batch]
    consumer.close()
    return found
