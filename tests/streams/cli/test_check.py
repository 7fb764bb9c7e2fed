from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from detector.simulation import World, records
from streams.cli.main import app

START_MS = 1_772_409_600_000
SKYDESK = """
[[sources.mappings]]
name = "skydesk"
marked_by = ["app=skydesk"]
time = "when"
actor = "who"
operation = "=record_view"
"""


def run(*arguments: str, **environment: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and the findings."""
    result = CliRunner(env=environment).invoke(app, ["check", "--json", *arguments])
    return result.exit_code, msgspec.json.decode(result.stdout)["findings"]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A log without a fault."""
    world = World(seed=1, start_ms=START_MS, hours=9, people=4, integrations=1)
    path = tmp_path / "day.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(record for _, record in records(world))))
    return path


def test_a_log_that_can_be_read_is_good(logs: Path) -> None:
    """It says how many records of which format there are, compressed or not."""
    code, [settings, found] = run(str(logs))
    assert (code, settings["state"], found["state"]) == (0, "good", "good")
    assert "salesforce_elf" in found["detail"]
    assert not found["mend"]


def test_records_that_cannot_be_read_are_odd(logs: Path, tmp_path: Path) -> None:
    """With why, and the place of the first one."""
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(gzip.decompress(logs.read_bytes()) + b'\n{"half": \n')
    code, [_, found] = run(str(broken))
    assert (code, found["state"]) == (1, "odd")
    assert "1 no adapter: malformed" in found["detail"]
    assert f"{broken}:" in found["detail"]


def test_what_has_no_adapter_is_bad_until_it_is_described(tmp_path: Path) -> None:
    """A mapping in the settings makes it good."""
    log = tmp_path / "skydesk.jsonl"
    log.write_text('{"app": "skydesk", "when": 1772529257, "who": "A17"}\n')
    code, [_, found] = run(str(log))
    assert (code, found["state"]) == (2, "bad")
    assert "docs/formats.md" in found["mend"]
    settings = tmp_path / "crmwatch.toml"
    settings.write_text(SKYDESK)
    code, [_, found] = run(str(log), "--settings", str(settings))
    assert (code, found["state"]) == (0, "good")
    assert "1 skydesk" in found["detail"]


def test_bad_settings_are_named(tmp_path: Path) -> None:
    """The wrong key with the closest right one; a mapping that cannot work too; the rest is looked at still."""
    settings = tmp_path / "crmwatch.toml"
    settings.write_text("[triage]\nalert_bugdet = 5\n")
    code, [found, missing] = run(str(tmp_path / "nothing"), "--settings", str(settings))
    assert code == 2
    assert "triage.alert_budget" in found["detail"] or "alert_budget" in found["detail"]
    assert missing["state"] == "bad"
    settings.write_text(SKYDESK.replace('time = "when"', 'time = ""'))
    code, [found] = run("--settings", str(settings))
    assert (code, "skydesk" in found["detail"]) == (2, True)
    code, [found] = run(CRMWATCH_TRIAGE_ALERT_RISK="high")
    assert (code, "CRMWATCH_TRIAGE_ALERT_RISK" in found["detail"]) == (2, True)


def test_kafka_that_is_not_there_is_bad() -> None:
    """It says where it looked and what starts one."""
    code, [_, found] = run("--kafka", CRMWATCH_WORKER_BOOTSTRAP="127.0.0.1:9")
    assert (code, found["state"]) == (2, "bad")
    assert "127.0.0.1:9" in found["what"]
    assert "crmwatch broker" in found["mend"]
