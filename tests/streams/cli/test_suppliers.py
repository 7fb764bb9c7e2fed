from __future__ import annotations

import json
from pathlib import Path

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
