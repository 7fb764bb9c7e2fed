from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detector.simulation import Format, Scenario, Simulation, read_labels
from streams.cli.main import app

SMALL = ("--days", "4", "--people", "10")


def invoke(*arguments: object) -> Result:
    """The command in this process, on a wide terminal."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["simulate", *map(str, arguments)])


@pytest.mark.slow
def test_all_formats_are_written_with_their_labels(tmp_path: Path) -> None:
    """For each a folder of logs and the labels beside it, as the simulation itself has them; and a sentence."""
    result = invoke(tmp_path / "out", "--seed", 3, "--format", "all", *SMALL)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 3
    for log_format in Format:
        folder = tmp_path / "out" / log_format.value
        world = Simulation(Scenario(seed=3, format=log_format, days=4, people=10))
        written = {str(path.relative_to(folder / "logs")): path for path in folder.rglob("logs/*/*")}
        for file in world.files():
            assert written.pop(file.path).read_bytes() == file.data
        assert written == {}
        assert read_labels((folder / "labels.json").read_bytes()) == world.labels()
        assert f"{world.records:,} records of {len(world.labels().identities)} identities" in result.stdout
        assert str(folder / "labels.json") in result.stdout


@pytest.mark.slow
def test_files_may_be_compressed(tmp_path: Path) -> None:
    """The same bytes, gzipped, and the same gzip each time."""
    for name in ("plain", "once", "twice"):
        more = ("--gzip",) if name != "plain" else ()
        assert invoke(tmp_path / name, "--format", "rtem", "--days", 2, "--people", 5, *more).exit_code == 0
    for path in (tmp_path / "plain").rglob("*.jsonl"):
        relative = path.relative_to(tmp_path / "plain")
        packed = (tmp_path / "once" / f"{relative}.gz").read_bytes()
        assert gzip.decompress(packed) == path.read_bytes()
        assert (tmp_path / "twice" / f"{relative}.gz").read_bytes() == packed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "happen"),
    [("none", []), ("ramp", ["ramp"]), ("ui_paging, ramp", ["ui_paging", "ramp"])],
)
def test_the_shapes_of_attacks_can_be_chosen(given: str, happen: list[str], tmp_path: Path) -> None:
    """By their names, or none of them."""
    assert invoke(tmp_path / "w", "--attack-shapes", given, "--days", 8, "--people", 12).exit_code == 0
    labels = json.loads((tmp_path / "w" / "elf" / "labels.json").read_bytes())
    assert [attack["shape"] for attack in labels["attacks"]] == happen


@pytest.mark.parametrize(
    "wrong", [("--attack-shapes", "trojan"), ("--format", "csv"), ("--days", "0"), ("--seed", "-1")]
)
def test_a_wrong_option_is_a_usage_error(wrong: tuple[str, str], tmp_path: Path) -> None:
    """Exit 2, and nothing is written."""
    result = invoke(tmp_path / "w", *wrong)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert not (tmp_path / "w").exists()


def test_a_world_is_not_written_over_another(tmp_path: Path) -> None:
    """Exit 2, one sentence, and the first stays; so does a file in the folder's place."""
    assert invoke(tmp_path / "w", *SMALL).exit_code == 0
    before = (tmp_path / "w" / "elf" / "labels.json").read_bytes()
    result = invoke(tmp_path / "w", "--seed", 9, *SMALL)
    assert result.exit_code == 2
    assert "cannot be written: " in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (tmp_path / "w" / "elf" / "labels.json").read_bytes() == before
    (tmp_path / "file").write_text("mine")
    assert invoke(tmp_path / "file", *SMALL).exit_code == 2
    assert (tmp_path / "file").read_text() == "mine"
