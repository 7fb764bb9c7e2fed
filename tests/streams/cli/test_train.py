from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from detector.triage.evidence import EvidenceTrees
from streams.cli.main import app

SMALL = ("--days", "8", "--people", "6", "--trees", "3")


def train(out: Path, *options: str) -> Result:
    """The command, with options."""
    return CliRunner().invoke(app, ["train", str(out), *options])


@pytest.mark.slow
def test_the_same_worlds_make_the_same_file(tmp_path: Path) -> None:
    """With one process or two, byte for byte; the file says what it was made from."""
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    assert train(first, "--seeds", "1-2", *SMALL).exit_code == 0
    assert train(second, "--seeds", "1,2", *SMALL, "--processes", "1").exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    trees = msgspec.json.decode(first.read_bytes(), type=EvidenceTrees)
    assert [world["seed"] for world in trees.recipe["worlds"]] == [1, 2]  # type: ignore[attr-defined] # a list
    assert len(trees.feature) == 3


def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    """A folder that does not exist, and seeds that are none, end with exit 2 and a sentence at once."""
    nowhere = train(tmp_path / "none" / "a.json")
    assert (nowhere.exit_code, nowhere.stdout) == (2, "")
    assert "No such file or directory" in nowhere.stderr
    seeds = train(tmp_path / "a.json", "--seeds", "x")
    assert (seeds.exit_code, seeds.stdout) == (2, "")
    assert seeds.stderr.startswith("--seeds takes numbers and ranges")
