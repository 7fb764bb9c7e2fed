from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.simulation import World, records
from streams.cli.main import app
from tests.detector.make import START_MS


def test_the_apps_of_a_simulated_company_are_listed(tmp_path: Path) -> None:
    """As JSON and as a table, the one that took the most rows first; logs that do not exist are an error."""
    log = tmp_path / "log.jsonl"
    log.write_bytes(
        b"".join(
            record + b"\n"
            for _, record in records(World(seed=1, start_ms=START_MS, hours=48, people=10, integrations=3))
        )
    )
    result = CliRunner().invoke(app, ["suppliers", str(log), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    rows = [one["rows"] for one in found]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] > 0
    assert "weak link" in CliRunner(env={"COLUMNS": "200"}).invoke(app, ["suppliers", str(log)]).output
    assert CliRunner().invoke(app, ["suppliers", str(tmp_path / "none")]).exit_code == 2


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage\x01\n"])
@pytest.mark.parametrize(
    "command", [["suppliers"], ["scope", "--identity", "t/u"]], ids=["suppliers", "scope"]
)
def test_of_logs_that_say_nothing_nothing_is_said(command: list[str], content: bytes, tmp_path: Path) -> None:
    """An empty or an unreadable file ends with exit 2 and one sentence, never with an empty list."""
    log = tmp_path / "log.jsonl"
    log.write_bytes(content)
    result = CliRunner().invoke(app, [command[0], str(log), *command[1:]])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "could be read" in result.stderr if content else "no records" in result.stderr


def test_an_app_s_name_is_text(tmp_path: Path) -> None:
    """What would be markup for the terminal, or break it, is shown as it is."""
    log = tmp_path / "log.jsonl"
    event = {
        "type": "ApiEvent", "attributes": {"type": "ApiEvent"}, "EventIdentifier": "e",
        "EventDate": "2026-03-02T10:00:00.000Z", "UserId": "0054R00000AaAaA", "Username": "someone@example.com",
        "Operation": "Query", "Query": "SELECT Id FROM Contact", "QueriedEntities": "Contact", "RowsReturned": 3,
        "SourceIp": "192.0.2.7", "Client": "[red]sync[/x]", "Application": "[red]sync[/x]",
        "ConnectedAppId": "[red]sync[/x]",
    }  # fmt: skip
    log.write_text(json.dumps(event))
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["suppliers", str(log)])
    assert result.exit_code == 0, result.output
    assert "[red]sync[/x]" in result.stdout
