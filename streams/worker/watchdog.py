"""Ends a process that no longer does its work, from outside its event loop.

Faust only logs that a stream has stopped and stays stopped; a supervisor restarts a process that has exited.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from time import monotonic
from types import FrameType

import msgspec

from streams.log import last_words

__all__ = ["PartitionProgress", "Pulse", "Watchdog", "end_process"]

EXIT_CODE = 70
"""EX_SOFTWARE: a supervisor should restart the process."""
WORDS_SECONDS = 2.0
"""How long writing the last line may take: the reader of the log may be what hangs."""
UNREAD_SECONDS = 20.0
"""How long a partition with records may go unread before the worker is no longer ready."""
RECOVERIES = 10
"""How many times the patience a worker may go without processing anything."""


def end_process(reason: str, code: int = EXIT_CODE) -> None:
    """Exit at once, with the reason as the last line. Nothing is flushed: work that is not durable is repeated.

    Outside the event loop's thread, first logs what the event loop is doing.
    """
    overdue = threading.Timer(WORDS_SECONDS, os._exit, (code,))
    overdue.daemon = True
    overdue.start()
    after = ", to be restarted from the last saved state" if code == EXIT_CODE else ""
    if code == EXIT_CODE and threading.current_thread() is not threading.main_thread():
        os.write(2, last_words("stack of the event loop", __name__, _main_stack()))
    os.write(2, last_words(f"{reason}; ending{after}", __name__))
    os._exit(code)


class PartitionProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Progress of the work on a partition."""

    committed: int
    """The committed offset."""
    lag: int | None
    """Records published but not committed, as last reported by the brokers; ``None`` before the first report."""
    read: int
    """The next offset to read: uncommitted records before it are in flight."""
    held: bool
    """Whether records are in flight: not yet processed, or waiting for other partitions."""
    turn: tuple[int, int] = (0, 0)
    """The number of the shard's present turn, and of steps taken in it: more steps of the same turn are progress."""
    reported: int | None
    """When the brokers last reported on the partition, by any clock: a changed value is a new report."""


class _Seen:
    def __init__(self, now: float) -> None:
        self.place: PartitionProgress | None = None
        self.moved_at = now  # its last commit, or when it last had nothing to do
        self.read_at = now  # when it was last read, or read to its end
        self.heard_at = now  # the brokers' last report or accepted commit

    @property
    def well_at(self) -> float:
        """When it last moved, or was read while records in flight wait for others."""
        waits = self.place is not None and self.place.held
        return max(self.moved_at, self.read_at) if waits else self.moved_at


class Pulse:
    """The state of the event loop, updated twice a second; read from other threads."""

    def __init__(self, patience_seconds: float, hold_seconds: float, silence_seconds: float) -> None:
        """A partition is stuck after `patience_seconds` without a commit, or `hold_seconds` more if its records wait
        for others; it is not being read after `silence_seconds` without a report from the brokers.
        """
        self._patience_seconds = patience_seconds
        self._hold_seconds = hold_seconds
        self._silence_seconds = silence_seconds
        self.beat_at = monotonic()
        """When the event loop last ran."""
        self.progress_at = self.beat_at
        """When anything was last committed, or the worker last had nothing to do."""
        self.slowest_at = self.beat_at
        """When the slowest partition last moved: a commit, nothing to do, or a good reason to wait."""
        self.not_ready: str | None = "starting"
        """Why no records are being read, or ``None`` once state is restored and they are."""
        self.unread: str | None = None
        """What of the topics no worker reads, or ``None``."""
        self._seen: dict[str, _Seen] = {}

    def beat(self, places: Mapping[str, PartitionProgress]) -> None:
        """Record a beat; `places` holds the progress of each partition that is owned and restored."""
        now = self.beat_at = monotonic()
        seen = {name: self._seen.get(name) or _Seen(now) for name in places}
        moved = [_note(seen[name], place, now) for name, place in places.items()]
        if self.not_ready is None:
            self.slowest_at = min((one.well_at for one in seen.values()), default=now)
            if any(moved) or all(
                seen[name].moved_at == now and place.lag == 0 for name, place in places.items()
            ):
                self.progress_at = now
        self._seen = seen  # replaced, never changed: other threads read it

    def trouble(self) -> str | None:
        """Why the process is no longer alive, or ``None``."""
        now = monotonic()
        if now - self.beat_at > self._patience_seconds:
            return f"the event loop has not run for {now - self.beat_at:.0f} s"
        for name, seen in self._seen.items():
            if (reason := self._stuck(seen, now)) is not None:
                return f"{name}: {reason}"
        if now - self.progress_at > RECOVERIES * self._patience_seconds:
            doing = self.not_ready or "partitions keep moving"
            return f"nothing has been processed for {now - self.progress_at:.0f} s: {doing}"
        return None

    def unready(self) -> str | None:
        """Why no records are being read, here or of some partition, or ``None``."""
        now = monotonic()
        if self.not_ready is not None:
            return self.not_ready
        if now - self.beat_at > self._silence_seconds:
            return f"the event loop has not run for {now - self.beat_at:.0f} s"
        for name, seen in self._seen.items():
            if now - seen.heard_at > self._silence_seconds:
                return f"{name}: the brokers have reported nothing for {now - seen.heard_at:.0f} s"
            if now - seen.read_at > UNREAD_SECONDS:
                return f"{name}: there are records, but none has been read for {now - seen.read_at:.0f} s"
        return self.unread

    def _stuck(self, seen: _Seen, now: float) -> str | None:
        still = now - seen.moved_at
        patience = self._patience_seconds
        if still <= patience:
            return None
        if now - seen.heard_at > patience:
            return f"the brokers have reported nothing for {now - seen.heard_at:.0f} s"
        waits = seen.place is not None and seen.place.held and now - seen.read_at <= patience
        if waits and still <= patience + self._hold_seconds:
            return None
        known = seen.place is not None and seen.place.lag is not None
        what = "there are records to process" if known else "the number of records to process is unknown"
        return f"{what}, but none has been committed for {still:.0f} s"


def _note(seen: _Seen, place: PartitionProgress, now: float) -> bool:
    """Record a partition's progress; returns whether its committed offset has moved."""
    before, seen.place = seen.place, place
    reported = place.reported is not None and (before is None or place.reported != before.reported)
    committed = before is not None and place.committed != before.committed
    if reported or committed:
        seen.heard_at = now
    at_work = before is not None and place.turn > before.turn and place.turn[0] == before.turn[0]
    if committed or at_work or (reported and place.lag == 0):
        seen.moved_at = now
    read_all = place.lag is not None and place.read - place.committed >= place.lag
    if before is None or place.read != before.read or (reported and read_all):
        seen.read_at = now
    return committed


class Watchdog(threading.Thread):
    """Checks a pulse once a second and ends the process when it is in trouble."""

    def __init__(self, pulse: Pulse, end: Callable[[str], None] = end_process) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._pulse = pulse
        self._end = end
        self._stopped = threading.Event()

    def run(self) -> None:
        """Watch until stopped."""
        while (reason := self._pulse.trouble()) is None:
            if self._stopped.wait(1.0):
                return
        self._end(reason)

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()


def _main_stack() -> str:
    """The stack of the event loop's thread."""
    frame: FrameType | None = sys._current_frames().get(threading.main_thread().ident or 0)
    return "" if frame is None else "".join(traceback.format_stack(frame)).rstrip()
