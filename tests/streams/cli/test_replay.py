from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner, Result

from detector.simulation import Theft, World, records
from streams.cli import replay as replaying
from streams.cli.main import app
from streams.replay.replay import Summary
from tests.streams.report.make import alert

START_MS = 1_772_409_600_000
HOUR_MS = 3_600_000
LOUD = "[triage]\nalert_risk = 0\nleast_risk = 0\ncertain_risk = 0\n[detection]\nbound_deviations = 0.3\n"


@functools.cache
def world() -> tuple[bytes, ...]:
    """Nine days of a small company; its integration's token is stolen in the eighth night."""
    small = World(seed=1, start_ms=START_MS, hours=24 * 9, people=12, integrations=3)
    return tuple(record for _, record in records(small, Theft(start_ms=START_MS + 171 * HOUR_MS)))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with the world's log and one line of garbage that would colour a terminal."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "day.jsonl").write_bytes(b"\n".join(world()) + b"\n\x1b[31mred\x1b]0;title\x07\n")
    return folder


def invoke(*arguments: object, **environment: str) -> Result:
    """The command in this process, on a wide terminal."""
    runner = CliRunner(env={"COLUMNS": "200", **environment})
    return runner.invoke(app, ["replay", *map(str, arguments)])


@pytest.mark.slow
def test_the_theft_is_shown_with_a_summary(logs: Path) -> None:
    """An alert's panel with its sentence, and the figures of the run; exit 0 even with alerts."""
    result = invoke(logs)
    assert result.exit_code == 0
    text = " ".join(result.stdout.replace("│", " ").split())
    assert "The integration 0054R9000000000QAA took out " in text
    assert "by bulk export" in text
    assert "between 2026-03-09 00:" in text
    assert "from 192.0.2.77" in text
    assert "Next: ask the integration's owner" in text
    assert f"records {len(world()) + 1:,}" in text
    assert f"events {len(world()):,} (0 duplicates)" in text
    assert "identities 15" in text
    assert "dead letters: no adapter: unknown_format 1" in text
    assert "rows taken: contact" in text
    assert f"No adapter recognises the records in: {logs} (1 record)" in text
    assert all(line.startswith("reading …") for line in result.stderr.splitlines())  # on a slow machine


@pytest.mark.slow
def test_many_incidents_fit_on_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """The three worst at length, fifteen more on a line each, and how many more there are; some 60 lines in all."""
    alerts = [
        alert(
            uid=f"crmwatch-{number}",
            severity_id=1 + number % 5,
            time=number * 1000,
            message=f"The user {number} took out {number} rows. " + "It is unusual for it. " * 18,
            risk_score=number % 100,
        )
        for number in range(1, 1201)
    ]
    summary = Summary()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "110")
        replaying._show(summary, alerts, "auto")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 60
    panels = [line for line in lines if line.startswith("╭─")]
    singles = [line for line in lines if line.startswith(" CRITICAL ")]
    assert [len(panels), len(singles)] == [3, 15]
    assert all("CRITICAL" in line for line in panels)
    assert all(len(line) <= 110 for line in lines)
    assert "… and 1,182 more incidents; --alerts and --report write all of them." in lines


@pytest.mark.slow
def test_json_is_for_programs(logs: Path) -> None:
    """One object on standard output, and nothing else there."""
    result = invoke(logs, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert set(found) == {"interrupted", "summary"}
    assert found["interrupted"] is False
    summary = found["summary"]
    assert (summary["verdict"], summary["too_little_read"]) == ("incidents", [])
    assert (summary["records"], summary["events"]) == (len(world()) + 1, len(world()))
    assert summary["alerts"] >= 2
    assert summary["dead_letters"] == {"no adapter: unknown_format": 1}
    assert summary["unknown"] == {str(logs): 1}


@pytest.mark.slow
def test_a_full_disk_leaves_what_was_there(logs: Path, tmp_path: Path) -> None:
    """The command ends with a sentence and exit code 2; the files of the run before stay, and nothing beside them."""
    file = tmp_path / "out.jsonl"
    file.symlink_to("/dev/full")
    (tmp_path / "out.jsonl.deadletters").write_text("before")
    before = sorted(tmp_path.iterdir())
    result = invoke(logs, "--alerts", file)
    assert result.exit_code == 2
    assert f"{file}: cannot be written: No space left on device" in result.stderr
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "out.jsonl.deadletters").read_text() == "before"


@pytest.mark.slow
def test_alerts_positions_and_dead_letters_are_written(logs: Path) -> None:
    """Beside one another, in the very folder that is read, a JSON object a line; and again the same."""
    file = logs / "alerts.jsonl"
    for _ in range(2):
        result = invoke(logs, "--alerts", file, "--json")
        summary = json.loads(result.stdout)["summary"]
        assert summary["records"] == len(world()) + 1
        alerts = [json.loads(line) for line in file.read_text().splitlines()]
        assert len(alerts) == summary["alerts"] >= 2
        assert {alert["class_uid"] for alert in alerts} == {2004}
        lines = (logs / "alerts.jsonl.positions").read_text().splitlines()
        positions = [json.loads(line) for line in lines]
        assert [place["uid"] for place in positions] == [alert["finding_info"]["uid"] for alert in alerts]
        for one, place in zip(alerts, positions, strict=True):
            assert set(place["positions"]) == {event["uid"] for event in one["evidences"]}
            for position in place["positions"].values():
                assert position.startswith(f"salesforce_elf {logs / 'day.jsonl'}:")
        [letter] = map(json.loads, (logs / "alerts.jsonl.deadletters").read_text().splitlines())
        assert letter["position"] == f"{logs / 'day.jsonl'}:{len(world()) + 1}"
        assert letter["reason"] == "unknown_format"


@pytest.mark.slow
def test_too_little_read_allows_no_verdict(logs: Path, tmp_path: Path) -> None:
    """A twentieth of garbage: exit 2, before `--fail-on`, and screen, JSON and report say what could not be read."""
    with (logs / "day.jsonl").open("ab") as file:
        file.write(b"garbage\n" * (len(world()) // 20))
    unread = len(world()) // 20 + 1
    records = len(world()) + unread
    page = tmp_path / "report.html"
    result = invoke(logs, "--fail-on", 1, "--report", page)
    assert result.exit_code == 2
    text = " ".join(result.stdout.split())
    assert "It cannot be said whether anything else stands out. Too little could be read:" in text
    assert f"of all: {len(world()):,} of {records:,} records (95.2%)" in text
    assert "too little could be read" in page.read_text()
    assert f"{len(world()):,} of {records:,} records (95.2%)" in page.read_text()


def test_the_share_that_a_verdict_needs_is_a_setting(tmp_path: Path) -> None:
    """One of two records read is too little by default, and JSON says so; it is enough for a share of a half."""
    log = tmp_path / "log.jsonl"
    log.write_bytes(world()[0] + b"\ngarbage\n")
    result = invoke(log, "--json")
    summary = json.loads(result.stdout)["summary"]
    assert (result.exit_code, summary["verdict"]) == (2, "cannot_be_said")
    assert summary["too_little_read"] == [{"scope": "all", "name": "", "read": 1, "records": 2}]
    result = invoke(log, "--json", CRMWATCH_SOURCES_READ_SHARE="0.5")
    assert (result.exit_code, json.loads(result.stdout)["summary"]["verdict"]) == (0, "nothing_stands_out")


def test_what_is_damaged_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    """A binary file is not called an unknown format: its name and what it is are shown, and in JSON."""
    (tmp_path / "noise").write_bytes(Random(1).randbytes(5_000))
    result = invoke(tmp_path / "noise")
    assert result.exit_code == 2
    assert f"{tmp_path / 'noise'}:1: it is binary and no text" in " ".join(result.stdout.split())
    assert "No adapter recognises" not in result.stdout
    summary = json.loads(invoke(tmp_path / "noise", "--json").stdout)["summary"]
    assert len(summary["faults"]) == 1
    assert summary["unknown"] == {}


def test_files_that_are_no_logs_are_named_and_not_counted(tmp_path: Path) -> None:
    """A folder's view beside a log takes nothing from the share of records read; screen, JSON and report name it."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "log.jsonl").write_bytes(world()[0] + b"\n")
    (tmp_path / "logs" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" * 9)
    page = tmp_path / "report.html"
    result = invoke(tmp_path / "logs", "--report", page)
    assert result.exit_code == 0
    assert f"passed over: {tmp_path / 'logs' / '.DS_Store'}: a folder's view on macOS" in result.stdout
    assert ".DS_Store" in page.read_text()
    summary = json.loads(invoke(tmp_path / "logs", "--json").stdout)["summary"]
    assert [Path(file["path"]).name for file in summary["skipped"]] == [".DS_Store"]
    assert (summary["verdict"], summary["records"]) == ("nothing_stands_out", 1)


def test_types_that_are_not_understood_are_named_with_their_rows(tmp_path: Path) -> None:
    """An event log file of a type nobody has mapped, which counts rows: screen, JSON and report say so."""
    header = "EVENT_TYPE,TIMESTAMP,REQUEST_ID,ORGANIZATION_ID,USER_ID,ROWS_PROCESSED"
    rows = [
        f"SprocketExport,2026030209000{n}.000,4r{n},00D000000000001EAA,005000000000001AAA,300" for n in "01"
    ]
    (tmp_path / "log.csv").write_text("\n".join([header, *rows]) + "\n")
    page = tmp_path / "report.html"
    result = invoke(tmp_path / "log.csv", "--report", page)
    found = json.loads(invoke(tmp_path / "log.csv", "--json").stdout)["summary"]["not_understood"]
    assert found == [{"adapter": "salesforce_elf", "name": "SprocketExport", "events": 2, "rows": 600}]
    assert "not understood: salesforce_elf SprocketExport" in result.stdout
    assert "SprocketExport" in page.read_text()


def test_repeated_dead_letters_are_summarised(logs: Path, tmp_path: Path) -> None:
    """Five of a file and reason are written, and one more says how many followed."""
    (logs / "day.jsonl").write_bytes(b"x" * 70_000 + b"\n" + b"garbage\n" * 100)
    file = tmp_path / "alerts.jsonl"
    assert invoke(logs, "--alerts", file, "--json").exit_code == 2
    letters = [json.loads(line) for line in (tmp_path / "alerts.jsonl.deadletters").read_text().splitlines()]
    assert [letter["records"] for letter in letters] == [1, 1, 1, 1, 1, 96]
    assert letters[-1]["detail"] == "96 more records for the same reason"
    assert letters[-1]["position"] == str(logs / "day.jsonl")
    assert (letters[0]["record_bytes"], len(letters[0]["record"])) == (70_000, 87_384)


@pytest.mark.slow
@pytest.mark.parametrize(("level", "code"), [(1, 1), (4, 1), (5, 1)])
def test_fail_on_makes_an_alert_a_failure(logs: Path, level: int, code: int) -> None:
    """Exit 1 if an alert was as severe or more, after all has been shown; the theft is critical."""
    result = invoke(logs, "--fail-on", level)
    assert result.exit_code == code
    assert "took out" in result.stdout


@pytest.mark.parametrize("level", ["0", "6", "high"])
def test_fail_on_takes_a_severity(logs: Path, level: str) -> None:
    """One of OCSF's five; anything else is a usage error."""
    assert invoke(logs, "--fail-on", level).exit_code == 2


@pytest.mark.slow
def test_settings_come_from_a_file_and_the_environment(logs: Path, tmp_path: Path) -> None:
    """What counts as worth an alert can be set, and a mistake is named."""
    few = json.loads(invoke(logs, "--json").stdout)["summary"]["alerts"]
    file = tmp_path / "loud.toml"
    file.write_text(LOUD)
    assert json.loads(invoke(logs, "--json", "--settings", file).stdout)["summary"]["alerts"] > 3 * few
    quiet = invoke(
        logs,
        "--json",
        "--settings",
        file,
        CRMWATCH_TRIAGE_LEAST_RISK="100",
        CRMWATCH_TRIAGE_CERTAIN_RISK="100",
    )
    assert json.loads(quiet.stdout)["summary"]["alerts"] < few  # notices about the tenant as a whole
    file.write_text("[triage]\nalert_rsk = 5\n")
    result = invoke(logs, "--settings", file)
    assert result.exit_code == 2
    assert result.stderr == f"{file}: there is no setting triage.alert_rsk; did you mean alert_risk?\n"


@pytest.mark.parametrize("name", ["missing", "no*thing", "\x1b[31mred"])
def test_an_unreadable_path_is_said_in_a_sentence(name: str, logs: Path) -> None:
    """Exit 2, nothing on standard output, and no control characters on the terminal."""
    result = invoke(logs / name)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.endswith("no such file or folder\n")
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("where", ["missing/alerts.jsonl", "."])
def test_alerts_that_cannot_be_written_are_said_in_a_sentence(where: str, logs: Path) -> None:
    """Exit 2 before anything is read."""
    result = invoke(logs, "--alerts", logs / where)
    assert result.exit_code == 2
    assert "cannot be written: " in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("option", ["day.jsonl", "../logs/day.jsonl"])
def test_a_log_is_not_written_over(option: str, logs: Path) -> None:
    """An output that is also to be read is refused, and the log stays as it was."""
    before = (logs / "day.jsonl").read_bytes()
    result = invoke(logs / "day.jsonl", "--alerts", logs / option)
    assert result.exit_code == 2
    assert "is an input, so it cannot be written" in result.stderr
    assert (logs / "day.jsonl").read_bytes() == before


@pytest.mark.slow
def test_files_in_any_order_give_the_same_alerts(logs: Path, tmp_path: Path) -> None:
    """One file or many, this way round or that: the same bytes."""
    halves = tmp_path / "halves"
    halves.mkdir()
    (halves / "a.jsonl").write_bytes(b"\n".join(world()[1::2]))
    (halves / "b.jsonl").write_bytes(b"\n".join(world()[0::2]))
    written = []
    for paths in ([logs], [halves / "a.jsonl", halves / "b.jsonl"], [halves / "b.jsonl", halves / "a.jsonl"]):
        file = tmp_path / "alerts.jsonl"
        assert invoke(*paths, "--alerts", file).exit_code == 0
        written.append(file.read_bytes())
    assert written[0]
    assert written[0] == written[1] == written[2]


@pytest.mark.slow
def test_log_text_does_not_reach_the_terminal_as_commands(tmp_path: Path) -> None:
    """Names, agents and addresses are the attacker's: on a terminal they are shown as text only."""
    evil = "\\u001b]0;owned\\u0007\\u001b[2J\\u202etxt.exe[bold red]x"
    thief = b"192.0.2.77"
    stolen = b'"ENTITY_TYPE":"Contact"'
    lines = [
        line.replace(stolen, b'"ENTITY_TYPE":"%s"' % evil.encode()).replace(thief, thief + b"\\u009b31m")
        if thief in line
        else line
        for line in world()
    ]
    (tmp_path / "\x1b[31mday.jsonl").write_bytes(b"\n".join(lines) + b"\n\x1b[31mred\n")
    result = invoke(tmp_path, FORCE_COLOR="1", TERM="xterm-256color")
    assert result.exit_code == 0
    shown = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout + result.stderr)  # the command's own colours
    assert shown != result.stdout + result.stderr
    assert "The integration 0054R9000000000QAA took out " in shown
    assert "\x1b" not in shown
    for command in ("\x07", "\x9b", "\u202e"):
        assert command not in shown
    assert "]0;owned" in shown
    assert "[bold red]x" in shown


@pytest.mark.slow
def test_it_is_a_program(logs: Path, tmp_path: Path) -> None:
    """As it is started from a shell: standard input, no colours into a pipe, exit code 1 on a finding."""
    file = tmp_path / "alerts.jsonl"
    command = [
        sys.executable,
        "-m",
        "streams.cli.main",
        "replay",
        "-",
        "--alerts",
        str(file),
        "--fail-on",
        "4",
    ]
    found = subprocess.run(
        command, input=(logs / "day.jsonl").read_bytes(), capture_output=True, timeout=120, check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("CRMWATCH_")},
    )  # fmt: skip
    assert found.returncode == 1
    assert found.stderr == b""
    assert b"took out" in found.stdout
    assert b"\x1b" not in found.stdout
    alerts = file.read_bytes()
    assert invoke(logs, "--alerts", tmp_path / "again.jsonl").exit_code == 0
    assert (tmp_path / "again.jsonl").read_bytes() == alerts
    assert b'"-:' not in alerts


UAL = {
    "CreationTime": "2026-03-03T09:00:00", "Id": "a", "RecordType": 15, "Operation": "UserLoggedIn",
    "UserId": "ann@skyward.example.com",
}  # fmt: skip


@pytest.mark.slow
def test_a_folder_may_mix_formats(logs: Path) -> None:
    """Each record is read by what recognises it, and the summary says how many by which and by what sign."""
    (logs / "other.jsonl").write_text(json.dumps(UAL) + "\n" + json.dumps(UAL | {"UserId": ""}))
    summary = json.loads(invoke(logs, "--json").stdout)["summary"]
    assert summary["adapters"] == {"salesforce_elf": len(world()), "dynamics_ual": 2}
    assert summary["events"] == len(world()) + 1
    assert summary["dead_letters"] == {"no adapter: unknown_format": 1, "dynamics_ual: missing_field": 1}
    text = " ".join(invoke(logs).stdout.split())
    assert f"read as salesforce_elf {len(world()):,}" in text
    assert "read as dynamics_ual 2 (by keys CreationTime and RecordType, or" in text


@pytest.mark.slow
def test_a_format_may_be_chosen(logs: Path) -> None:
    """Then it alone reads everything, and what it cannot read is its own dead letter."""
    result = invoke(logs, "--format", "dynamics_ual", "--json")
    summary = json.loads(result.stdout)["summary"]
    assert summary["events"] == 0
    assert summary["adapters"] == {"dynamics_ual": len(world()) + 1}
    assert summary["unknown"] == {}
    result = invoke(logs, "--format", "salesforce_elf", "--json")
    assert json.loads(result.stdout)["summary"]["adapters"] == {"salesforce_elf": len(world()) + 1}


def test_a_format_that_there_is_not_is_said_in_a_sentence(logs: Path) -> None:
    """Exit 2, and the closest one named."""
    result = invoke(logs, "--format", "salesforce_elv")
    assert result.exit_code == 2
    assert result.stderr == "there is no format salesforce_elv; did you mean salesforce_elf?\n"


def test_a_log_without_records_says_so(tmp_path: Path) -> None:
    """An empty file is no error, and the summary asks whether it is the right one."""
    (tmp_path / "empty.csv").touch()
    result = invoke(tmp_path / "empty.csv")
    assert result.exit_code == 0
    assert "There were no records: is this the right path?" in result.stdout
