from __future__ import annotations

import json
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from detector.simulation import read_labels
from detector.simulation.baselines import BaselineDetector
from detector.simulation.score import BUDGET
from detector.units import DAY_MS
from streams.cli.main import app

pytestmark = pytest.mark.slow


def invoke(*arguments: object) -> Result:
    """A command in this process, on a wide terminal."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world in which one site is asked for all it has, and what replaying it says."""
    folder = tmp_path_factory.mktemp("world")
    made = invoke(
        "simulate",
        folder,
        "--days",
        12,
        "--people",
        12,
        "--attack-shapes",
        "guest_enumeration",
        "--format",
        "rtem",
    )
    assert made.exit_code == 0
    replayed = invoke("replay", folder / "rtem" / "logs", "--alerts", folder / "alerts.jsonl", "--json")
    assert replayed.exit_code == 0
    return folder


def labels(world: Path) -> dict[str, Any]:
    """The world's labels as JSON."""
    found: dict[str, Any] = json.loads((world / "rtem" / "labels.json").read_bytes())
    return found


def perfect(world: Path, file: Path, after_ms: int = 0) -> Path:
    """Alerts on the attack alone, so long after it begins."""
    [attack] = labels(world)["attacks"]
    finding = {
        "uid": "f",
        "time_ms": attack["start_ms"] + after_ms,
        "risk": 80,
        "identities": attack["identities"][:1],
    }
    file.write_text(json.dumps(finding) + "\n\n")
    return file


def test_a_replays_alerts_are_scored(world: Path) -> None:
    """What `replay --alerts` writes is what is read; the table has both thresholds, and a line an attack."""
    result = invoke("evaluate", world / "rtem" / "labels.json", world / "alerts.jsonl")
    assert result.exit_code == 0
    assert result.stderr == ""
    text = result.stdout
    assert "crmwatch, in budget" in text
    assert "crmwatch, as published" in text
    assert "guest_enumeration" in text
    for title in (
        "headline",
        "rows lost",
        "recall",
        "precision",
        "false/day/1,000",
        "on bursts",
        "median time",
    ):
        assert title in text


def test_what_is_right_is_scored_as_right(world: Path, tmp_path: Path) -> None:
    """One alert at the very beginning saves everything but the first record, for programs too."""
    alerts = perfect(world, tmp_path / "alerts.jsonl")
    result = invoke("evaluate", world / "rtem" / "labels.json", alerts, "--json")
    assert result.exit_code == 0
    scores = json.loads(result.stdout)
    assert set(scores) == {"crmwatch, in budget", "crmwatch, as published"}
    for found in scores.values():
        assert found["headline"] > 0.99
        assert (found["recall"], found["precision"], found["false_a_day"]) == (1.0, 1.0, 0.0)
        assert found["median_delay_ms"] == 0
    late = perfect(world, tmp_path / "late.jsonl", after_ms=40 * 3_600_000)
    found = json.loads(invoke("evaluate", world / "rtem" / "labels.json", late, "--json").stdout)
    assert found["crmwatch, in budget"]["headline"] == 0.0


def test_no_alerts_are_a_score_too(world: Path, tmp_path: Path) -> None:
    """An empty file misses everything."""
    (tmp_path / "none").write_bytes(b"")
    result = invoke("evaluate", world / "rtem" / "labels.json", tmp_path / "none")
    assert result.exit_code == 0
    assert "missed" in result.stdout


def test_baselines_stand_in_the_same_table(world: Path, tmp_path: Path) -> None:
    """All five over the logs named, scored against the same labels; the same each time."""
    arguments = (
        "evaluate", world / "rtem" / "labels.json", perfect(world, tmp_path / "a"),
        "--baselines", world / "rtem" / "logs", "--json",
    )  # fmt: skip
    scores = json.loads(invoke(*arguments).stdout)
    assert list(scores)[2:] == list(BaselineDetector)
    truth = read_labels((world / "rtem" / "labels.json").read_bytes())
    allowed = ceil(BUDGET * len(truth.identities) / 1000 * (truth.end_ms - truth.start_ms) / DAY_MS)
    assert all(scores[name]["findings"] <= allowed for name in BaselineDetector)
    assert any(scores[name]["findings"] for name in BaselineDetector)
    assert json.loads(invoke(*arguments).stdout) == scores
    assert invoke(*arguments[:4], world / "nowhere").exit_code == 2


@pytest.mark.parametrize("broken", [b"", b"{}", b"[1]", b"\xff\x00", b'{"seed": "x"}'])
def test_labels_that_are_none_are_said_in_a_sentence(broken: bytes, world: Path, tmp_path: Path) -> None:
    """Exit 2, the file's name, and nothing on standard output."""
    file = tmp_path / "labels.json"
    file.write_bytes(broken)
    result = invoke("evaluate", file, world / "alerts.jsonl")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"{file}: not a simulation's labels: ")
    assert len(result.stderr.splitlines()) == 1


def test_alerts_that_are_none_are_said_in_a_sentence(world: Path, tmp_path: Path) -> None:
    """With the line; so are files that are not there."""
    good = perfect(world, tmp_path / "alerts.jsonl").read_bytes()
    (tmp_path / "alerts.jsonl").write_bytes(good + b'{"time": 1}\n')
    result = invoke("evaluate", world / "rtem" / "labels.json", tmp_path / "alerts.jsonl")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{tmp_path / 'alerts.jsonl'}:3: not a finding: ")
    for arguments in (
        (tmp_path / "x", tmp_path / "alerts.jsonl"),
        (world / "rtem" / "labels.json", tmp_path / "x"),
    ):
        missing = invoke("evaluate", *arguments)
        assert missing.exit_code == 2
        assert missing.stderr == f"{tmp_path / 'x'}: No such file or directory\n"
