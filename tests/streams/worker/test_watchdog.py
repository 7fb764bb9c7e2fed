from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from streams.worker import watchdog
from streams.worker.watchdog import EXIT_CODE, PartitionProgress, Pulse, Watchdog

PATIENCE = 60.0
HOLD = 120.0
SILENCE = 10.0


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


class Partitions:
    """A worker's partitions ``a`` and ``b``, of which the brokers tell at every beat."""

    def __init__(self, pulse: Pulse, clock: Clock) -> None:
        self.pulse = pulse
        self._clock = clock
        self._reported = 0
        self.places: dict[str, PartitionProgress] = {}

    def beat(self, seconds: float, **changes: PartitionProgress) -> str | None:
        """Let time pass in steps of 5 s with what has `changes`; the trouble at the end."""
        while True:
            step = min(5.0, seconds)
            seconds -= step
            self._clock.now += step
            self._reported += 1
            self.places |= changes
            self.pulse.beat(
                {
                    name: place if place.reported is None else _replace(place, reported=self._reported)
                    for name, place in self.places.items()
                }
            )
            if seconds <= 0 or self.pulse.trouble() is not None:
                return self.pulse.trouble()


def _replace(place: PartitionProgress, **changes: Any) -> PartitionProgress:
    values = {name: getattr(place, name) for name in place.__struct_fields__}
    return PartitionProgress(**(values | changes))


def at(
    committed: int, lag: int | None, read: int | None = None, *, held: bool = False, reported: int | None = 0
) -> PartitionProgress:
    """Where a partition stands; nothing is in hand unless said."""
    return PartitionProgress(
        committed=committed, lag=lag, read=committed if read is None else read, held=held, reported=reported
    )


@pytest.fixture
def worker(clock: Clock) -> Partitions:
    """A worker that has recovered and is reading."""
    pulse = Pulse(PATIENCE, HOLD, SILENCE)
    pulse.not_ready = None
    worker = Partitions(pulse, clock)
    assert worker.beat(0, a=at(100, 5), b=at(7, 0)) is None
    return worker


def test_a_worker_that_commits_is_well(clock: Clock, worker: Partitions) -> None:
    """As long as each partition's committed position moves, or it has nothing to do."""
    for committed, lag in ((101, 9), (102, 9), (102, 0), (102, 0)):
        assert worker.beat(PATIENCE - 1, a=at(committed, lag)) is None
    assert worker.pulse.slowest_at == worker.pulse.progress_at == clock.now
    assert worker.pulse.unready() is None


def test_records_that_are_not_committed_are_trouble(worker: Partitions) -> None:
    """Lag, a loop that runs and no commit for longer than the patience; a commit ends it."""
    assert worker.beat(PATIENCE) is None
    reason = worker.beat(1)
    assert reason == "a: there are records to process, but none has been committed for 61 s"
    assert worker.beat(1, a=at(101, 5)) is None


def test_one_partition_that_is_stuck_is_trouble_whatever_the_others_do(
    clock: Clock, worker: Partitions
) -> None:
    """Others that move, a great many records a second, hide nothing; it is by its time that the worker is judged."""
    since = clock.now
    reason = None
    for number in range(13):
        reason = worker.beat(5, b=at(1000 * number, 50))
    assert reason == "a: there are records to process, but none has been committed for 65 s"
    assert worker.pulse.slowest_at == since
    assert worker.pulse.progress_at == clock.now


def test_records_that_are_not_read_make_a_worker_unready(worker: Partitions) -> None:
    """After 20 s in which there were records and none was read it is not ready, long before that is trouble; reading
    ends it, and so does having read to the end."""
    assert worker.beat(0, a=at(100, 5)) is None
    assert worker.beat(20) is None
    assert worker.pulse.unready() is None
    assert worker.beat(1) is None
    assert worker.pulse.unready() == "a: there are records, but none has been read for 21 s"
    assert worker.beat(0, a=at(100, 5, 103)) is None
    assert worker.pulse.unready() is None
    assert worker.beat(30, a=at(100, 5, 105)) is None
    assert worker.pulse.unready() is None


def test_what_no_worker_reads_makes_every_worker_unready(worker: Partitions) -> None:
    """A worker whose own partitions are read says what of the topics is not."""
    worker.beat(0, a=at(100, 0))
    worker.pulse.unread = "crm.access/3: no worker reads it"
    assert worker.pulse.unready() == "crm.access/3: no worker reads it"
    assert worker.pulse.trouble() is None


def test_a_turn_that_takes_long_is_well_while_it_takes_steps(worker: Partitions) -> None:
    """Though nothing is committed; it is trouble once no step comes, or if only further turns do."""
    for steps in range(8):
        assert worker.beat(PATIENCE, a=_replace(at(100, 5), turn=(7, steps))) is None
    assert worker.beat(5) is None
    assert worker.beat(1) is not None
    assert worker.beat(1, a=at(101, 5)) is None
    for turn in range(8, 20):
        worker.beat(10.0, a=_replace(at(101, 5), turn=(turn, turn)))
    assert worker.pulse.trouble() is not None


def test_a_lag_that_is_not_known_is_not_none(worker: Partitions) -> None:
    """A partition of which the brokers have never told is neither consumed nor, after the patience, well."""
    assert worker.beat(SILENCE, b=at(7, None, reported=None)) is None
    assert worker.pulse.unready() is None
    assert worker.beat(2) is None
    assert worker.pulse.unready() == "b: the brokers have reported nothing for 12 s"
    assert worker.beat(PATIENCE, a=at(100, 0)) == "b: the brokers have reported nothing for 62 s"
    assert worker.beat(0, b=at(8, None)) is None
    assert worker.beat(PATIENCE) is None
    reason = "b: the number of records to process is unknown, but none has been committed for 61 s"
    assert worker.beat(1) == reason


def test_a_lag_of_none_that_is_old_is_not_none(clock: Clock, worker: Partitions) -> None:
    """Brokers that are gone tell nothing, so that a worker without work must not pass for one that is well."""
    pulse = worker.pulse
    places = {"a": at(105, 0, reported=99), "b": at(7, 0, reported=99)}
    pulse.beat(places)
    assert pulse.trouble() is None
    for _ in range(12):
        clock.now += 5
        pulse.beat(places)
        assert pulse.trouble() is None
    assert pulse.unready() == "a: the brokers have reported nothing for 60 s"
    clock.now += 1
    pulse.beat(places)
    assert pulse.trouble() == "a: the brokers have reported nothing for 61 s"
    pulse.beat({"a": at(105, 0, reported=100), "b": at(7, 0, reported=100)})
    assert pulse.trouble() is None
    assert pulse.unready() is None


def test_what_waits_for_others_is_given_their_time(clock: Clock, worker: Partitions) -> None:
    """Records in hand that must wait are no trouble for the time that they may be held, while reading goes on."""
    for number in range(17):
        assert worker.beat(10, a=at(100, 50 + number, 150 + number, held=True)) is None
        assert worker.pulse.slowest_at == clock.now
    assert worker.beat(9, a=at(100, 70, 170, held=True)) is None
    reason = worker.beat(2, a=at(100, 71, 171, held=True))
    assert reason == "a: there are records to process, but none has been committed for 181 s"


def test_what_is_held_and_no_longer_read_is_trouble(worker: Partitions) -> None:
    """A partition with more to read is not waiting for others."""
    assert worker.beat(0, a=at(100, 500, 150, held=True)) is None
    assert worker.beat(PATIENCE) is None
    assert worker.beat(1) == "a: there are records to process, but none has been committed for 61 s"


def test_an_event_loop_that_stands_still_is_trouble(clock: Clock, worker: Partitions) -> None:
    """Whether there is lag or not, and also while recovering; before that it is not ready."""
    worker.beat(0, a=at(105, 0))
    clock.now += SILENCE + 1
    assert worker.pulse.unready() == "the event loop has not run for 11 s"
    clock.now += PATIENCE - SILENCE - 1
    assert worker.pulse.trouble() is None
    clock.now += 1
    assert worker.pulse.trouble() == "the event loop has not run for 61 s"
    worker.pulse.not_ready = "state is being recovered"
    assert worker.pulse.trouble() == "the event loop has not run for 61 s"


def test_recovery_may_take_ten_times_as_long(worker: Partitions) -> None:
    """While state is recovered nothing is committed, which is no trouble for a while and no sign of life either."""
    moved = worker.pulse.slowest_at
    worker.pulse.not_ready = "state is being recovered"
    worker.places.clear()
    assert worker.beat(10 * PATIENCE) is None
    assert worker.pulse.unready() == "state is being recovered"
    assert worker.pulse.slowest_at == worker.pulse.progress_at == moved
    assert worker.beat(1) == "nothing has been processed for 601 s: state is being recovered"


def test_partitions_that_come_and_go_for_ever_are_trouble(worker: Partitions) -> None:
    """A rebalance begins the patience anew, but not without end: something must be committed now and then."""
    reason = None
    for _ in range(31):
        worker.pulse.not_ready = "state is being recovered"
        worker.places.clear()
        reason = worker.beat(10)
        worker.pulse.not_ready = None
        reason = reason or worker.beat(10, a=at(100, 5), b=at(7, 0))
    assert reason is not None
    assert reason.startswith("nothing has been processed for 60")
    worker.pulse.not_ready = None
    worker.beat(0, a=at(100, 5))
    worker.beat(1, a=at(101, 5))
    assert worker.pulse.trouble() is None


def test_a_worker_with_no_partitions_is_well(worker: Partitions) -> None:
    """There may be more workers than partitions; those that have none stand by."""
    worker.places.clear()
    assert worker.beat(20 * PATIENCE) is None
    assert worker.pulse.unready() is None


def test_a_process_that_never_gets_started_is_trouble(clock: Clock) -> None:
    """A new pulse counts from its making: not ready, and given the patience for its first beat."""
    pulse = Pulse(PATIENCE, HOLD, SILENCE)
    assert pulse.unready() == "starting"
    assert pulse.trouble() is None
    clock.now += PATIENCE + 1
    assert pulse.trouble() == "the event loop has not run for 61 s"


def test_the_watchdog_ends_the_process_once(clock: Clock, worker: Partitions) -> None:
    """It says the reason to whoever ends the process, once, and is done."""
    clock.now += PATIENCE + 1
    reasons: list[str] = []
    dog = Watchdog(worker.pulse, reasons.append)
    assert dog.daemon
    dog.start()
    dog.join(10)
    assert not dog.is_alive()
    assert reasons == ["the event loop has not run for 61 s"]


def test_a_watchdog_that_is_stopped_ends_nothing(clock: Clock, worker: Partitions) -> None:
    """A worker that stops on purpose may take its time."""
    reasons: list[str] = []
    dog = Watchdog(worker.pulse, reasons.append)
    dog.start()
    dog.stop()
    clock.now += 10 * PATIENCE
    dog.join(10)
    assert not dog.is_alive()
    assert reasons == []


def ended(program: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """How a process ends."""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, **more
    )


def test_the_end_is_at_once_with_a_reason_and_a_code() -> None:
    """No clean-up runs, which could hang as well; the last line says why, and the supervisor sees a failure."""
    found = ended(
        """
import atexit
from streams.worker.watchdog import end_process
atexit.register(print, "cleaning up")
end_process("nothing has been committed")
"""
    )
    assert found.returncode == EXIT_CODE == 70
    assert found.stdout == ""
    reason = "crmwatch: nothing has been committed; ending, to be restarted from the last saved state\n"
    assert found.stderr == reason


HANGING = """
import logging, os, sys, time
from streams.log import LogFormat, set_up
from streams.worker.watchdog import Pulse, Watchdog
set_up(LogFormat.JSON, "w1")
Watchdog(Pulse(0.5, 1, 1)).start()
def stuck_here():
    while True:
        {0}
stuck_here()
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["time.sleep(60)", "pass", "logging.getLogger().handlers[0].acquire()"])
def test_a_loop_that_hangs_is_ended_with_where_it_hangs(how: str) -> None:
    """Asleep, spinning, or holding the log's lock: two lines, of which the last says why."""
    found = ended(HANGING.format(how))
    assert found.returncode == EXIT_CODE
    where, why = (json.loads(line) for line in found.stderr.splitlines())
    assert where["message"] == "stack of the event loop"
    assert "stuck_here" in where["error"]
    assert why["level"] == "critical"
    assert why["logger"] == "streams.worker.watchdog"
    assert why["message"].startswith("the event loop has not run for ")
    assert why["message"].endswith(" s; ending, to be restarted from the last saved state")


@pytest.mark.slow
def test_a_log_that_nobody_reads_does_not_keep_the_process() -> None:
    """A full pipe makes every write wait for ever; the process ends without its last words."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING.format("os.write(2, b'x' * 65536)")], stderr=subprocess.PIPE
    )
    try:
        assert process.wait(30) == EXIT_CODE
    finally:
        process.kill()
        process.communicate()
