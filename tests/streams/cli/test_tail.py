from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer
from rich.console import Console
from typer.testing import CliRunner

from detector.triage.risk import Severity
from streams.cli.main import app
from streams.cli.tail import GROWN_SECONDS, OpenIncidents, table
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames, ensure, plan
from tests.streams.report.make import body

NOON_MS = 1_772_452_800_000  # 2026-03-02
MINUTE_MS = 60_000


def alert(number: int, **fields: Any) -> bytes:
    """An alert about one account, as far as it is looked at."""
    given = {
        "activity": 1,
        "severity": 4,
        "risk": 70,
        "rows": 1000,
        "minutes": 0,
        "title": "Bulk export",
        "status": 1,
    }
    given |= fields
    title, time_ms = given["title"], NOON_MS + given["minutes"] * MINUTE_MS
    return msgspec.json.encode(
        body(
            time=time_ms,
            start_time=NOON_MS,
            end_time=time_ms,
            activity_id=given["activity"],
            severity_id=given["severity"],
            status_id=given["status"],
            risk_score=given["risk"],
            message=f"{title} by account {number}. Next: ask.",
            finding_info={"uid": f"crmwatch-{number}", "title": title},
            unmapped={"crmwatch": {"identity": f"t/account-{number}", "rows_taken": given["rows"]}},
        )
    )


def shown(incidents: OpenIncidents, now: float = 0.0) -> str:
    """The table as it is seen."""
    screen = Console(width=140)
    with screen.capture() as captured:
        screen.print(table(incidents, now))
    return captured.get()


def test_an_incident_is_one_line_that_grows_and_goes() -> None:
    """Its newest alert is shown, by risk; the close takes it away; a word on one that was not shown is not shown."""
    incidents = OpenIncidents()
    incidents.take(alert(1), 0.0)
    incidents.take(alert(2, risk=90, rows=5), 0.0)
    incidents.take(alert(1, activity=2, rows=44_000, minutes=9), 20.0)
    assert [(one.identities[0].partition("/")[2], one.rows) for one in incidents.open] == [
        ("account-2", 5),
        ("account-1", 44_000),
    ]
    assert "44,000" in shown(incidents)
    assert "2 open · newest alert 2026-03-02 12:09:00 UTC" in shown(incidents)
    assert incidents.take(alert(2, activity=3, risk=90), 30.0) is not None
    assert incidents.take(alert(7, activity=3), 30.0) is None
    assert "account-2" not in shown(incidents)
    assert "1 open" in shown(incidents)


def test_an_account_is_shown_by_its_name() -> None:
    """By the one that a directory gave it when the alert was published."""
    incidents = OpenIncidents()
    own = {"identity": "t/account-1", "rows_taken": 5, "names": {"account-1": "Anna Berg"}}
    incidents.take(msgspec.json.encode(body(unmapped={"crmwatch": own})), 0.0)
    assert "Anna Berg" in shown(incidents)
    assert "account-1 " not in shown(incidents)


def test_what_is_less_or_older_is_left_out() -> None:
    """Incidents below the severity or before the time are only counted; one whose severity falls joins them."""
    incidents = OpenIncidents(Severity.MEDIUM, NOON_MS)
    assert incidents.take(alert(1, severity=2), 0.0) is None
    assert incidents.take(alert(2, minutes=-1), 0.0) is None
    assert incidents.take(alert(3, severity=3), 0.0) is not None
    assert incidents.take(alert(3, severity=2, activity=2), 0.0) is None
    assert incidents.open == []
    assert "no open incidents to show · open but not shown: 2 low, 1 older" in shown(incidents)
    assert incidents.take(alert(1, severity=2, activity=3), 0.0) is None
    assert incidents.take(alert(3, severity=4, activity=2), 0.0) is not None
    assert "1 open · open but not shown: 1 older · newest" in shown(incidents)


def test_what_has_grown_stands_out_for_a_moment() -> None:
    """An incident is marked for some seconds after an alert of it came; a confirmed one says that it is a breach."""
    incidents = OpenIncidents()
    finding = incidents.take(alert(1, status=2), 100.0)
    assert finding is not None
    assert incidents.has_grown(finding, 100.0 + GROWN_SECONDS - 1)
    assert not incidents.has_grown(finding, 100.0 + GROWN_SECONDS)
    assert "high breach" in shown(incidents)


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b'{"time": "noon"}', b"\xff\xfe"])
def test_what_is_no_alert_is_passed_over(body: bytes | None) -> None:
    """Tombstones and garbage change nothing; garbage is counted."""
    incidents = OpenIncidents()
    assert incidents.take(body, 0.0) is None
    assert (incidents.open, incidents.unreadable) == ([], int(body is not None))


def test_log_text_cannot_move_the_cursor() -> None:
    """Control characters and markup in a title are shown as they are, not obeyed."""
    incidents = OpenIncidents()
    incidents.take(alert(1, title="\x1b[2J[bold red]gone\r\n\u202e"), 0.0)
    text = shown(incidents)
    assert "[bold red]gone" in text
    assert not {"\x1b", "\r", "\u202e"} & set(text)


def test_it_is_read_from_kafka(kafka: Broker, names: TopicNames, tmp_path: Any) -> None:
    """Once: a table of what is open; as JSON: the alerts themselves; a wrong severity is named."""
    ensure(kafka.bootstrap, plan(2, 1, names))
    producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for number, value in ((1, alert(1)), (2, alert(2, severity=1)), (3, alert(3)), (3, alert(3, activity=3))):
        producer.send(names.alerts, key=b"%d" % number, value=value)
    producer.flush()
    producer.close()
    file = tmp_path / "crmwatch.toml"
    file.write_bytes(msgspec.toml.encode({"topics": msgspec.structs.asdict(names)}))
    arguments = ["tail", "--bootstrap", kafka.bootstrap, "--settings", str(file), "--hours", "0", "--once"]
    runner = CliRunner(env={"COLUMNS": "160"})
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "account-1" in result.stdout
    assert "account-2" not in result.stdout
    assert "1 open" in result.stdout
    bodies = runner.invoke(app, [*arguments, "--json"]).stdout.splitlines()
    assert sorted(bodies) == sorted(body.decode() for body in (alert(1), alert(3), alert(3, activity=3)))
    wrong = runner.invoke(app, [*arguments, "--severity", "grave"])
    assert (wrong.exit_code, "not grave" in wrong.stderr) == (2, True)


@pytest.mark.timeout(90)
def test_a_terminal_shows_an_alert_when_it_comes(kafka: Broker, names: TopicNames, tmp_path: Any) -> None:
    """In a real terminal the table appears, changes when an alert comes, and Ctrl-C ends it with 0."""
    ensure(kafka.bootstrap, plan(1, 1, names))
    file = tmp_path / "crmwatch.toml"
    file.write_bytes(msgspec.toml.encode({"topics": msgspec.structs.asdict(names)}))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "streams.cli.main", "tail", "--bootstrap", kafka.bootstrap]
    process = subprocess.Popen(
        [*command, "--settings", str(file), "--hours", "0"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "140", "LINES": "30"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        assert "no open incidents" in _seen(ours, "no open incidents")
        producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap)
        producer.send(names.alerts, key=b"1", value=alert(1, title="A stolen token"))
        producer.flush()
        producer.close()
        assert "A stolen token" in _seen(ours, "A stolen token")
        process.send_signal(2)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _seen(terminal: int, wanted: str) -> str:
    """What the terminal has been told, until that is among it."""
    text, end = "", time.monotonic() + 40
    while wanted not in text and time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            text += os.read(terminal, 65_536).decode("utf-8", "replace")
    return text
