from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.child_process import ChildProcess
from tests.streams.cli.test_child_process import gone, wait

DEAF = "from signal import *; signal(SIGTERM, SIG_IGN); print('deaf', flush=True); pause()"
POLITE = (
    "from signal import *; signal(SIGTERM, lambda *_: print('bye', flush=True) or exit(3))\n"
    "print('polite', flush=True)\nwhile True: pause()"
)


def test_a_program_that_does_not_obey_is_killed(tmp_path: Path) -> None:
    """After so many seconds SIGKILL follows SIGTERM."""
    log = tmp_path / "log"
    child = ChildProcess([sys.executable, "-c", DEAF], log)
    wait(lambda: log.read_text() == "deaf\n")
    assert child.stop(seconds=0.1) == -signal.SIGKILL
    assert gone(child.pid)


def test_a_program_that_ends_by_itself_has_an_exit_code(tmp_path: Path) -> None:
    """Waiting returns it, and so does asking again; one that takes too long is said so and still runs."""
    child = ChildProcess([sys.executable, "-c", "exit(7)"], tmp_path / "log")
    assert child.wait(60) == 7
    assert child.exit_code == 7
    assert child.stop() == 7
    slow = ChildProcess([sys.executable, "-c", DEAF], tmp_path / "log")
    with pytest.raises(subprocess.TimeoutExpired):
        slow.wait(0.1)
    assert slow.exit_code is None
    slow.kill()


def test_a_program_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    """Nothing is left of it."""
    with pytest.raises(FileNotFoundError):
        ChildProcess([tmp_path / "missing"], tmp_path / "log")


@pytest.mark.parametrize(
    ("program", "grace", "output"),
    [(POLITE, 30.0, "polite\nbye\n"), (POLITE, 0.0, "polite\n"), (DEAF, 0.5, "deaf\n")],
    ids=["obeys", "has no time", "does not obey"],
)
def test_a_program_ends_with_its_parent(program: str, grace: float, output: str, tmp_path: Path) -> None:
    """When the parent is killed, the child is asked to end if it has time, and killed if it does not obey."""
    log = tmp_path / "log"
    parent_program = (
        "import sys, time; from pathlib import Path; from streams.child_process import ChildProcess\n"
        f"child = ChildProcess([sys.executable, '-c', {program!r}], Path({str(log)!r}), grace_seconds={grace})\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent_program], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait(lambda: "\n" in log.read_text())
        assert not gone(pid)
        parent.kill()
        wait(lambda: gone(pid))
    assert log.read_text() == output
