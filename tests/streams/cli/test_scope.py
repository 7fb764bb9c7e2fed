from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streams.cli.main import app


def invoke(*arguments: object) -> Result:
    """A command in this process, on a wide terminal."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(map(str, arguments)))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log in which one user's query returns three contacts and lists two, and another user's lists one."""
    path = tmp_path / "log.jsonl"
    lines = []
    for number, (user, rows, listed) in enumerate(
        [("0054R00000AaAaA", 3, ("003a", "=1+1")), ("0054R00000BbBbB", 1, ("003c",))]
    ):
        payload = {
            "EventIdentifier": f"e-{number}",
            "EventDate": "2026-03-02T10:00:00.000Z",
            "UserId": user,
            "Username": "someone@example.com",
            "Operation": "Query",
            "Query": "SELECT Id, Email FROM Contact",
            "QueriedEntities": "Contact",
            "RowsReturned": rows,
            "Records": json.dumps({"done": True, "records": [{"Id": one} for one in listed]}),
            "SourceIp": "192.0.2.7",
        }
        lines.append(json.dumps({"type": "ApiEvent", "attributes": {"type": "ApiEvent"}, **payload}))
    path.write_text("\n".join(lines))
    return path


def test_scope_bounds_what_the_intruder_read(log: Path, tmp_path: Path) -> None:
    """Only the intruder's events count; ids are written as CSV in which no cell is a formula."""
    ids = tmp_path / "ids.csv"
    told = json.loads(invoke("scope", log, "--address", "192.0.2.7", "--json", "--complete").stdout)
    assert told["unread"] == 0
    assert told["intruder_events"] == 2
    assert [(one["object"], one["lower"], one["upper"]) for one in told["objects"]] == [("Contact", 3, 4)]
    assert told["categories"]["contact"] == "read"
    assert told["categories"]["payment"] == "not_read"
    assert invoke("scope", log, "--address", "192.0.2.7", "--ids", ids).exit_code == 0
    assert ids.read_text().splitlines() == [
        '"object","record_id"',
        '"contact","003a"',
        '"contact","003c"',
        '"contact","\'=1+1"',
    ]


def test_scope_claims_nothing_for_logs_that_nobody_vouches_for(log: Path) -> None:
    """Without --complete the upper bound is the table's size or open, and no category is untouched."""
    limited = json.loads(
        invoke("scope", log, "--address", "192.0.2.7", "--json", "--table", "Contact=90").stdout
    )
    assert (limited["objects"][0]["upper"], limited["categories"]["payment"]) == (90, "cannot_be_said")
    shown = invoke("scope", log, "--address", "192.0.2.7")
    assert "3 to open" in shown.stdout
    assert "Nobody vouches" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Whose reading?"),
        (("--incident", "i"), "--incident needs --alerts"),
        (("--address", "a", "--table", "Contact"), "is not an object and a size"),
    ],
)
def test_scope_says_what_it_lacks(log: Path, arguments: tuple[str, ...], sentence: str) -> None:
    """Without an intruder, or with a bad option, the command exits with 2 and says what it needs."""
    refused = invoke("scope", log, *arguments)
    assert refused.exit_code == 2
    assert sentence in refused.stderr


def test_an_unknown_incident_is_named(log: Path, tmp_path: Path) -> None:
    """An incident that the alerts do not hold is an error that says so."""
    alerts = tmp_path / "alerts.jsonl"
    alerts.write_text("")
    refused = invoke("scope", log, "--alerts", alerts, "--incident", "gone")
    assert refused.exit_code == 2
    assert "no incident gone" in refused.stderr
