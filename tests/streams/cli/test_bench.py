from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streams.cli import bench
from streams.cli.bench import ROOT, Benchmark


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as it is called."""
    return subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("name", list(Benchmark))
def test_every_benchmark_is_there(name: Benchmark) -> None:
    """Each name is a script of this checkout."""
    assert (ROOT / "benchmarks" / f"{name.value}.py").is_file()


@pytest.mark.slow
def test_options_are_handed_on(tmp_path: Path) -> None:
    """The data's folder and what the command does not know reach the benchmark, whose exit code is the command's."""
    absent = run("nab", "--data", str(tmp_path), "--splits", "3")
    assert absent.returncode == 0
    assert str(tmp_path) in absent.stdout
    assert "nothing was run" in absent.stdout
    unknown = run("nab", "--no-such-option")
    assert unknown.returncode == 2
    assert "--no-such-option" in unknown.stderr


@pytest.mark.slow
def test_an_unknown_benchmark_is_a_usage_error() -> None:
    """And the known ones are named."""
    wrong = run("nob")
    assert wrong.returncode == 2
    assert all(name.value in wrong.stderr for name in Benchmark)


def test_without_a_checkout_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Installed as a package there is nothing to run: one sentence, and exit code 2; a script of the same name that is
    another's is not run.
    """
    from typer.testing import CliRunner

    from streams.cli.main import app

    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "nab.py").write_text("print('not ours')")
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    result = CliRunner().invoke(app, ["bench", "nab"])
    assert result.exit_code == 2
    assert "runs from a checkout" in result.output
    assert "not ours" not in capfd.readouterr().out
