"""Ends a process that no longer does its work, from outside its event loop.

Faust reports a stream that has stopped in its log and goes on stopped; a process that is gone is restarted.
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
"""How long the last line may take: whoever reads the log may be what hangs."""
RECOVERIES = 10
"""How many times as long as the patience a worker may be without having processed anything."""


def end_process(reason: str, code: int = EXIT_CODE) -> None:
    """End at once, with the reason as the last line. Nothing is flushed: what was not durable will be done again.

    Called by another thread than the event loop's, it says before that what the event loop is doing.
    """
    overdue = threading.Timer(WORDS_SECONDS, os._exit, (code,))
    overdue.daemon = True
    overdue.start()
    after = ", to be restarted from the last saved state" if code == EXIT_CODE else ""
    if code == EXIT_CODE and threading.current_thread() is not threading.main_thread():
        os.write(2, last_words("the event loop is here", __name__, _main_stack()))
    os.write(2, last_words(f"{reason}; ending{after}", __name__))
    os._exit(code)


class PartitionProgress(msgspec.Struct, frozen=True):
    """Where the work on a partition stands."""

    committed: int
    """The committed offset."""
    lag: int | None
    """Records published but not committed, as far as the brokers have told; ``None`` before they have."""
    read: int
    """The next offset to take in: records before it are in hand, if they are not committed."""
    held: bool
    """Whether anything is in hand and not finished, be it for want of time or of what others must say first."""
    told: int | None
    """When the brokers last told of it, by any clock: another value is news, the same is silence."""


class _Seen:
    def __init__(self, now: float) -> None:
        self.place: PartitionProgress | None = None
        self.moved_at = now  # when it was last committed, or had nothing to do
        self.read_at = now  # when it was last read, or had been read to its end
        self.heard_at = now  # when the brokers last told of it, or took a commit

    @property
    def well_at(self) -> float:
        """When it last moved, or was read while what is in hand waits for others."""
        waits = self.place is not None and self.place.held
        return max(self.moved_at, self.read_at) if waits else self.moved_at


class Pulse:
    """What the event loop tells of itself, twice a second; read from other threads."""

    def __init__(self, patience_seconds: float, hold_seconds: float, silence_seconds: float) -> None:
        """Trouble is to commit nothing for `patience_seconds`, or `hold_seconds` more if what has been read must wait
        for others; after `silence_seconds` without a word of a partition, nothing is being consumed.
        """
        self._patience_seconds = patience_seconds
        self._hold_seconds = hold_seconds
        self._silence_seconds = silence_seconds
        self.beat_at = monotonic()
        """When the event loop last ran."""
        self.progress_at = self.beat_at
        """When anything was last committed, or there was nothing to do."""
        self.slowest_at = self.beat_at
        """When the partition that is slowest last moved: a commit, nothing to do, or a good reason to wait."""
        self.not_ready: str | None = "starting"
        """Why no records are being read, or ``None`` when state is recovered and they are."""
        self._seen: dict[str, _Seen] = {}

    def beat(self, places: Mapping[str, PartitionProgress]) -> None:
        """The loop runs; `places` says where each partition stands that is owned and recovered."""
        now = self.beat_at = monotonic()
        seen = {name: self._seen.get(name) or _Seen(now) for name in places}
        moved = [_note(seen[name], place, now) for name, place in places.items()]
        if self.not_ready is None:
            self.slowest_at = min((one.well_at for one in seen.values()), default=now)
            if any(moved) or all(
                seen[name].moved_at == now and place.lag == 0 for name, place in places.items()
            ):
                self.progress_at = now
        self._seen = seen  # replaced, never changed: others read it meanwhile

    def trouble(self) -> str | None:
        """Why the process is no longer alive, or ``None``."""
        now = monotonic()
        if now - self.beat_at > self._patience_seconds:
            return f"the event loop has not run for {now - self.beat_at:.0f} s"
        for name, seen in self._seen.items():
            if (reason := self._stuck(seen, now)) is not None:
                return f"{name}: {reason}"
        if now - self.progress_at > RECOVERIES * self._patience_seconds:
            doing = self.not_ready or "partitions come and go"
            return f"nothing has been processed for {now - self.progress_at:.0f} s: {doing}"
        return None

    def unready(self) -> str | None:
        """Why no records are being read, or ``None``."""
        now = monotonic()
        if self.not_ready is not None:
            return self.not_ready
        if now - self.beat_at > self._silence_seconds:
            return f"the event loop has not run for {now - self.beat_at:.0f} s"
        for name, seen in self._seen.items():
            if now - seen.heard_at > self._silence_seconds:
                return f"{name}: nothing has been heard of it for {now - seen.heard_at:.0f} s"
        return None

    def _stuck(self, seen: _Seen, now: float) -> str | None:
        still = now - seen.moved_at
        patience = self._patience_seconds
        if still <= patience:
            return None
        if now - seen.heard_at > patience:
            return f"nothing has been heard of it for {now - seen.heard_at:.0f} s"
        waits = seen.place is not None and seen.place.held and now - seen.read_at <= patience
        if waits and still <= patience + self._hold_seconds:
            return None
        known = seen.place is not None and seen.place.lag is not None
        what = (
            "there are records to process" if known else "how many records there are to process is not known"
        )
        return f"{what}, but none has been committed for {still:.0f} s"


def _note(seen: _Seen, place: PartitionProgress, now: float) -> bool:
    """Note where a partition stands now; whether more of it has been committed than before."""
    before, seen.place = seen.place, place
    told = place.told is not None and (before is None or place.told != before.told)
    committed = before is not None and place.committed != before.committed
    if told or committed:
        seen.heard_at = now
    if committed or (told and place.lag == 0):
        seen.moved_at = now
    read_all = place.lag is not None and place.read - place.committed >= place.lag
    if before is None or place.read != before.read or (told and read_all):
        seen.read_at = now
    return committed


class Watchdog(threading.Thread):
    """Looks at a pulse once a second and ends the process when it is in trouble."""

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
    """What the thread of the event loop is doing."""
    frame: FrameType | None = sys._current_frames().get(threading.main_thread().ident or 0)
    return "" if frame is None else "".join(traceback.format_stack(frame)).rstrip()
