"""What a change must pass runs in the right order, fails when a step fails, and works offline."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped, unused-ignore]

ROOT = Path(__file__).parent.parent
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "$STEPS"
case "$(basename "$0") $*" in $BROKEN) exit 3;; esac
"""
STEPS = (
    r"python3 -m venv .venv",
    r"pip install .*--require-hashes -r requirements-dev.lock",
    r"pip install .*-e \.",
    r"ruff format --check \.",
    r"ruff check \.",
    r"mypy ?",
    r'python -m pytest -q -n 2 -m not slow and not kafka --cov',
    r"python3 -m venv .venv",
    r"pip install .*--require-hashes -r requirements-dev.lock",
    r"pip install .*-e \.",
    r"python -m pytest -n 2 --dist worksteal",
)  # fmt: skip


def ci(folder: Path, broken: str) -> tuple[int, list[str]]:
    """Run `.ci/run` with stubs for every program it starts, one of them broken; its exit code and its steps."""
    for name in (".ci/run", "README.md"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    programs = [f".venv/bin/{name}" for name in ("pip", "python", "ruff", "mypy")]
    for program in [*programs, *(f"bin/{name}" for name in ("python3", "chromium", "promtool", "amtool"))]:
        path = folder / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STUB)
        path.chmod(0o755)
    steps = folder / "steps"
    environment = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "STEPS": str(steps), "BROKEN": broken}
    ran = subprocess.run([folder / ".ci" / "run"], env=environment, capture_output=True, timeout=60)
    return ran.returncode, steps.read_text().splitlines()


def test_cheap_checks_run_before_the_tests(tmp_path: Path) -> None:
    """The environment, format, lint, types, the fast tests with coverage, then the README's command."""
    code, steps = ci(tmp_path, "nothing")
    assert code == 0
    assert len(steps) == len(STEPS)
    assert all(re.fullmatch(pattern, step) for pattern, step in zip(STEPS, steps, strict=True)), steps


@pytest.mark.parametrize(
    ("broken", "reached"),
    [
        ("*requirements-dev.lock", 2),
        ("ruff?format*", 4),
        ("ruff?check*", 5),
        ("mypy*", 6),
        ("python*cov", 7),
        ("python*worksteal", 11),
    ],
)
def test_the_first_failure_ends_it(broken: str, reached: int, tmp_path: Path) -> None:
    """Whichever step fails is the last, and the exit code is its own."""
    code, steps = ci(tmp_path, broken)
    assert (code, len(steps)) == (3, reached)


def hooks() -> list[dict[str, Any]]:
    """All hooks of the pre-commit configuration."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert config["default_install_hook_types"] == ["pre-commit", "commit-msg"]
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    return [hook for repository in config["repos"] for hook in repository["hooks"]]


def test_hooks_work_offline() -> None:
    """They run programs of `.venv`, or what pre-commit itself brings: nothing is fetched."""
    assert [hook["id"] for hook in hooks()] == ["ruff-format", "ruff-check", "mypy", "commit-subject"]
    for hook in hooks():
        assert hook["language"] == "pygrep" or (
            hook["language"] == "system" and hook["entry"].startswith(".venv/bin/")
        )


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("x" * 72, False),
        ("x" * 73, True),
        ("Short\n\n" + "a long line of the body " * 9, False),
    ],
)
def test_a_commit_subject_has_at_most_72_characters(message: str, refused: bool) -> None:
    """Of the message only the first line counts."""
    [hook] = [hook for hook in hooks() if hook["id"] == "commit-subject"]
    assert hook["stages"] == ["commit-msg"]
    assert hook["args"] == ["--multiline"]
    assert bool(re.search(hook["entry"], message, re.MULTILINE | re.DOTALL)) is refused


@pytest.mark.slow
def test_the_detectors_tests_start_without_kafka() -> None:
    """What pytest loads for a test of the pure detector brings neither a Kafka client nor the streams."""
    script = "import sys, tests.conftest, tests.detector.make; print('\\n'.join(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert "detector" in loaded
    assert not loaded & {"aiokafka", "faust", "kafka", "streams"}
