from __future__ import annotations

import subprocess
import sys

import pytest

from streams import watchdog
from streams.watchdog import EXIT_CODE, Pulse, Watchdog

PATIENCE = 60.0


class Clock:
    """A monotonic clock that goes only when told."""

    now = 5000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The watchdog's clock."""
    clock = Clock()
    monkeypatch.setattr(watchdog, "monotonic", clock)
    return clock


@pytest.fixture
def pulse(clock: Clock) -> Pulse:
    """The pulse of a worker that has recovered and has processed some."""
    pulse = Pulse()
    pulse.recovering_since = None
    pulse.beat(committed=100, lag=5)
    return pulse


def test_a_worker_that_commits_is_well(clock: Clock, pulse: Pulse) -> None:
    """As long as the committed position moves, or there is nothing to do."""
    for committed, lag in ((101, 9), (102, 9), (102, 0), (102, 0)):
        clock.now += PATIENCE - 1
        assert pulse.beat(committed, lag)
        assert pulse.moved_at == clock.now
        assert pulse.trouble(PATIENCE) is None


def test_records_that_are_not_committed_are_trouble(clock: Clock, pulse: Pulse) -> None:
    """Lag, a loop that runs and no commit for longer than the patience; a commit ends it."""
    for _ in range(12):
        clock.now += 5
        assert not pulse.beat(100, 5)
        assert pulse.trouble(PATIENCE) is None
    clock.now += 1
    pulse.beat(100, 5)
    assert pulse.trouble(PATIENCE) == "there are records to process, but none has been committed for 61 s"
    assert pulse.beat(101, 5)
    assert pulse.trouble(PATIENCE) is None


def test_an_event_loop_that_stands_still_is_trouble(clock: Clock, pulse: Pulse) -> None:
    """Whether there is lag or not, and also while recovering."""
    pulse.beat(100, 0)
    clock.now += PATIENCE
    assert pulse.trouble(PATIENCE) is None
    clock.now += 1
    assert pulse.trouble(PATIENCE) == "the event loop has not run for 61 s"
    pulse.recovering_since = clock.now
    assert pulse.trouble(PATIENCE) == "the event loop has not run for 61 s"


def test_recovery_may_take_ten_times_as_long(clock: Clock, pulse: Pulse) -> None:
    """While state is recovered nothing is committed, which is no trouble for a while."""
    pulse.recovering_since = clock.now
    for _ in range(10):
        clock.now += PATIENCE
        pulse.beat(0, 5)
        assert pulse.trouble(PATIENCE) is None
    clock.now += 1
    pulse.beat(0, 5)
    assert pulse.trouble(PATIENCE) == "state has been recovering for 601 s"


def test_a_process_that_never_gets_started_is_trouble(clock: Clock) -> None:
    """A new pulse counts from its making: not ready, recovering, and given the time for it."""
    pulse = Pulse()
    assert not pulse.ready
    assert pulse.trouble(PATIENCE) is None
    clock.now += PATIENCE + 1
    assert pulse.trouble(PATIENCE) == "the event loop has not run for 61 s"


def test_the_watchdog_ends_the_process_once(clock: Clock, pulse: Pulse) -> None:
    """It says the reason to whoever ends the process, once, and is done."""
    clock.now += PATIENCE + 1
    reasons: list[str] = []
    dog = Watchdog(pulse, PATIENCE, reasons.append)
    assert dog.daemon
    dog.start()
    dog.join(10)
    assert not dog.is_alive()
    assert reasons == ["the event loop has not run for 61 s"]


def test_a_watchdog_that_is_stopped_ends_nothing(clock: Clock, pulse: Pulse) -> None:
    """A worker that stops on purpose may take its time."""
    reasons: list[str] = []
    dog = Watchdog(pulse, PATIENCE, reasons.append)
    dog.start()
    dog.stop()
    clock.now += 10 * PATIENCE
    dog.join(10)
    assert not dog.is_alive()
    assert reasons == []


def test_the_end_is_at_once_with_a_reason_and_a_code() -> None:
    """No clean-up runs, which could hang as well; the last line says why, and the supervisor sees a failure."""
    program = """
import atexit
from streams.watchdog import end_process
atexit.register(print, "cleaning up")
end_process("nothing has been committed")
"""
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == EXIT_CODE == 70
    assert found.stdout == ""
    reason = "crmwatch: nothing has been committed; ending, to be restarted from the last saved state\n"
    assert found.stderr == reason
