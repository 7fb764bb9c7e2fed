from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.cli.child_process import Child


def wait(what: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something to be true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether there is no such process any more, or only its exit code is left."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def endless(tmp_path: Path) -> list[str]:
    """A command that waits: nobody writes into the pipe that it reads."""
    os.mkfifo(tmp_path / "pipe")
    return ["replay", str(tmp_path / "pipe")]


@pytest.mark.slow
def test_a_command_that_ends_has_an_exit_code_and_a_log(tmp_path: Path) -> None:
    """What it says on either stream is in its log, behind what was there before."""
    log = tmp_path / "log"
    log.write_text("before\n")
    child = Child(["replay", str(tmp_path / "missing")], log)
    wait(lambda: child.exit_code is not None)
    assert child.exit_code == 2
    assert log.read_text().startswith("before\n")
    assert "missing: no such file or folder" in log.read_text()
    assert child.stop() == 2


@pytest.mark.parametrize(("kill", "code"), [(False, -signal.SIGTERM), (True, -signal.SIGKILL)])
def test_a_command_can_be_ended(kill: bool, code: int, endless: list[str], tmp_path: Path) -> None:
    """Asked or not, it is gone when the call returns, and the call says how."""
    child = Child(endless, tmp_path / "log")
    assert child.exit_code is None
    assert (child.kill() if kill else child.stop()) == code
    assert child.exit_code == code
    assert gone(child.pid)


def test_it_ends_with_its_parent(endless: list[str], tmp_path: Path) -> None:
    """Even if the parent is killed and cannot say goodbye."""
    program = (
        "import sys, time; from pathlib import Path; from streams.cli.child_process import Child\n"
        f"child = Child({endless!r}, Path({str(tmp_path / 'log')!r}))\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
        wait(lambda: gone(pid))


def test_the_terminals_interrupt_does_not_reach_it(endless: list[str], tmp_path: Path) -> None:
    """It is in a session of its own; whoever started it decides when it ends."""
    child = Child(endless, tmp_path / "log")
    try:
        assert os.getsid(child.pid) == child.pid != os.getsid(0)
    finally:
        child.kill()
