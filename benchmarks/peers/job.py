"""The simple job that every peer of `stream.py` does, and how each says what it took.

Per record: decode the JSON, a z-score of the logarithm of the rows against its user's exponentially weighted mean and
variance (river's `EWMean`, of the values and of their squares), and an alert to a topic when it is far out. The user is
the record's key. A peer differs from another only in how records come to it, where it keeps the levels, and how alerts
leave. What it is to do is in the environment (`Task`), what it took is one line of JSON on its output (`Report`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from math import log1p, sqrt
from pathlib import Path

import msgspec
from river.stats import EWMean

__all__ = ["BEGUN", "Course", "Level", "Report", "Task", "Usage", "task", "usage", "value_of"]

PREFIX = "BENCH_"
BEGUN = "begun"
"""What a peer that is to die says when it has taken its first record."""
FADING = 0.05
LEAST = 10
"""So many records of a user before one can be far out."""
FAR = 4.0
LEAST_VARIANCE = 0.01


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer is to do."""

    bootstrap: str
    topic: str
    partitions: int
    alerts: str
    group: str
    folder: str
    """Where it may keep files."""
    events: int | None = None
    """It is done after so many records; without a number, once none has come for `idle_seconds`."""
    idle_seconds: float = 10.0
    kill_at: int | None = None
    """It is to die of SIGKILL with so many records taken."""

    @property
    def environment(self) -> dict[str, str]:
        """The task for a process that is to be started."""
        return {
            PREFIX + name.upper(): str(value)
            for name, value in msgspec.structs.asdict(self).items()
            if value is not None
        }


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What it took, from the first record taken to the last."""

    records: int
    seconds: float
    cpu_seconds: float
    """The processor's, over all threads."""
    peak_mb: float
    """The most memory the process has held, with its imports."""
    alerts: int
    first_at: float
    """When the first record was taken, in seconds since 1970."""
    counts: dict[str, int] = {}
    """How many records of each user its state has counted; only where that was asked for."""


class Usage(msgspec.Struct, frozen=True):
    """What a process has used so far."""

    cpu_seconds: float
    peak_mb: float


class _Row(msgspec.Struct, frozen=True, rename=str.upper, gc=False):
    rows_processed: str | None = None
    row_count: str | None = None
    records_processed: str | None = None


_row = msgspec.json.Decoder(_Row)


def task() -> Task:
    """The task that the environment holds."""
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(PREFIX)
    }
    return msgspec.convert(given, Task, strict=False)


def value_of(record: bytes) -> float:
    """What is scored: the logarithm of the rows that a record tells of, 1 if it tells of none."""
    row = _row.decode(record)
    return log1p(float(row.rows_processed or row.row_count or row.records_processed or 1))


class Level:
    """What is known of one user."""

    __slots__ = ("count", "mean", "square")

    def __init__(self, mean: float = 0.0, square: float = 0.0, count: int = 0) -> None:
        self.mean = EWMean(fading_factor=FADING)
        self.square = EWMean(fading_factor=FADING)
        self.count = count
        if count:  # an EWMean begins with its first value
            self.mean.update(mean)
            self.square.update(square)

    def is_far(self, value: float) -> bool:
        """Score, then learn."""
        mean = self.mean.get()
        variance = max(self.square.get() - mean * mean, LEAST_VARIANCE)
        far = self.count > LEAST and value - mean > FAR * sqrt(variance)
        self.mean.update(value)
        self.square.update(value * value)
        self.count += 1
        return far

    @property
    def numbers(self) -> tuple[float, float, int]:
        """It as plain numbers, as `Level` takes them."""
        return self.mean.get(), self.square.get(), self.count


class Course:
    """Follows a peer through its records; reports when the task is done."""

    def __init__(self, task: Task) -> None:
        self._events = task.events
        self._kill_at = task.kill_at
        self._records = 0
        self._alerts = 0
        self._began = self._cpu_began = self._first_at = 0.0
        self._last = 0.0
        self._counts: dict[str, int] | None = None
        if task.events is None:
            self._counts = {}
            threading.Thread(target=self._watch, args=(task.idle_seconds,), daemon=True).start()

    def taken(self, user: bytes | str, count: int, *, alerted: bool) -> None:
        """One record has been taken, and its user's state has counted so many."""
        if not self._first_at:
            self._began, self._cpu_began = time.perf_counter(), time.process_time()
            self._first_at = time.time()
            if self._kill_at is not None:
                _say(BEGUN)
        self._records += 1
        self._alerts += alerted
        if self._counts is not None:
            self._counts[user if isinstance(user, str) else user.decode()] = count
            self._last = time.perf_counter()
        if self._records == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._records == self._events:
            self._report(time.perf_counter())

    def _report(self, ended: float) -> None:
        """Say what it took."""
        report = Report(
            records=self._records,
            seconds=ended - self._began,
            cpu_seconds=time.process_time() - self._cpu_began,
            peak_mb=usage().peak_mb,
            alerts=self._alerts,
            first_at=self._first_at,
            counts=self._counts or {},
        )
        _say(msgspec.json.encode(report).decode())

    def _watch(self, idle_seconds: float) -> None:
        while not self._records or time.perf_counter() - self._last < idle_seconds:
            time.sleep(0.1)
        self._report(self._last)


def _say(what: str) -> None:
    out = sys.__stdout__  # frameworks put something else in the place of `sys.stdout`
    assert out is not None
    out.write(f"\n{what}\n")  # a line of its own, whatever they have begun
    out.flush()


def usage(pid: int | str = "self") -> Usage:
    """What a process has used, as Linux tells it; its children are not in it."""
    folder = Path("/proc") / str(pid)
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    peak = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / 1024)
