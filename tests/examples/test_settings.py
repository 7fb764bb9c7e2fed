from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from detector.adapters import choose, decode
from detector.event import Operation
from streams.cli.main import app
from streams.config import Config, load

FILE = Path(__file__).parents[2] / "examples" / "settings" / "crmwatch.toml"
START_SECONDS = 1_772_409_600  # 2026-03-02, a Monday
HOUR_SECONDS = 3_600
DAYS = 15


def record(seconds: int, who: str, what: str, rows: int, address: str) -> dict[str, Any]:
    """One record of the help desk."""
    fields = {"app": "skydesk", "when": seconds, "who": {"id": who}, "did": what, "n": rows, "from": address}
    return fields | {"what": [{"kind": "Ticket", "id": f"t-{seconds}"}]}


def logs() -> list[dict[str, Any]]:
    """Two weeks of four people at their desks; in the last night one account dumps the tickets from elsewhere."""
    lines = [
        record(
            START_SECONDS + day * 24 * HOUR_SECONDS + (8 + hour) * HOUR_SECONDS, who, "OPEN", 1, "203.0.113.9"
        )
        for day in range(DAYS)
        for hour in range(9)
        for who in ("A17", "A18", "A21", "C5")
    ]
    night = START_SECONDS + DAYS * 24 * HOUR_SECONDS + 2 * HOUR_SECONDS
    return lines + [record(night + 60 * part, "A17", "DUMP", 9_000, "192.0.2.7") for part in range(6)]


def test_the_settings_are_read_without_an_error() -> None:
    """Every section of the example takes effect."""
    config, default = load(FILE, {}), Config()
    assert config.triage.alert_budget == 5
    assert config.triage.own_networks == ("203.0.113.0/24",)
    assert config.triage.expected_rows == {"newsletter*": 50_000}
    [announced] = config.triage.announced
    assert announced.covers("migration-7", announced.from_ms)
    assert (announced.until_ms - announced.from_ms) / 3_600_000 == 10
    assert config.detection.peers == {"back_office": ("a1*", "a2*"), "crew": ("c*",)}
    assert list(config.detection.indicators) == ["192.0.2.0/24"]
    assert len(config.worker.bootstrap.split(",")) == 3
    assert Path(str(config.kafka.password_file)).name == "kafka-password"
    assert (config.retention, config.console, config.topics) == (
        default.retention, default.console, default.topics
    )  # fmt: skip


def test_the_mapping_reads_the_record_that_it_describes() -> None:
    """The comment above it holds a record; each field ends where the mapping says."""
    [example] = [
        line for line in FILE.read_text(encoding="utf-8").splitlines() if line.startswith('#     {"app"')
    ]
    adapters = choose("auto", load(FILE, {}).own_adapters)
    event = decode(example.lstrip("# ").encode(), "log:1", adapters)
    assert (event.identity, event.operation, event.rows) == ("skyward/a17", Operation.RECORD_VIEW, 1)
    assert (event.objects, event.record_ids) == (("Ticket",), ("t-1",))
    assert (event.time_ms, event.origin.adapter) == (1_772_529_257_000, "skydesk")


def test_a_replay_with_the_settings_finds_a_theft(tmp_path: Path) -> None:
    """The help desk's records are read by the mapping, and the alert names account, network and indicator."""
    (tmp_path / "desk.jsonl").write_text("\n".join(map(json.dumps, logs())))
    alerts = tmp_path / "alerts.jsonl"
    arguments = [str(tmp_path / "desk.jsonl"), "--settings", str(FILE), "--alerts", str(alerts), "--json"]
    ran = CliRunner().invoke(app, ["replay", *arguments])
    assert ran.exit_code == 0, ran.output
    summary = json.loads(ran.stdout)["summary"]
    assert summary["adapters"] == {"skydesk": len(logs())}
    assert summary["dead_letters"] == {}
    findings = [json.loads(line) for line in alerts.read_text().splitlines()]
    assert {finding["unmapped"]["crmwatch"]["identity"] for finding in findings} == {"skyward/a17"}
    worst = max(findings, key=lambda finding: int(finding["severity_id"]))
    assert worst["severity_id"] >= 4
    assert "192.0.2.7" in worst["finding_info"]["desc"]
    assert {"volume", "intel"} <= worst["unmapped"]["crmwatch"]["surprise"].keys()


@pytest.mark.parametrize("setting", ["alert_budget = 5", "own_networks", "[detection.peers]"])
def test_a_slip_is_named(setting: str, tmp_path: Path) -> None:
    """Whoever copies the file and mistypes a name learns which."""
    wrong = tmp_path / "crmwatch.toml"
    name = setting.split(" ")[0].strip("[]").rpartition(".")[2]
    wrong.write_text(FILE.read_text(encoding="utf-8").replace(setting, setting.replace(name, f"{name}x"), 1))
    with pytest.raises(ValueError, match=rf"there is no setting .*{name}x; did you mean {name}\?"):
        load(wrong, {})
