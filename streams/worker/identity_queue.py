"""Which identities a shard publishes next: at once where something was learned, later where there is only more of it.

A record costs about as much as an event, so there is not one for each: those of a shard go out at a bounded rate. What
waits is not stored. A shard that is taken over publishes all its identities again, a few at a time, so that every
record comes to say what the profile says; only to forget one is never put off, as the profile goes with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from detector.signal import Signal, SignalKind

__all__ = ["IdentityQueue"]

RECORDS_A_SECOND = 50.0
"""How many identities a shard publishes: half a percent of a core at most."""
REFRESH_SECONDS = 1_800.0
"""How often an active identity is published that learned nothing and crossed no bound."""
PROMPT = frozenset({SignalKind.CROSSED, SignalKind.CLOSED})


class IdentityQueue:
    """Identities that are to be published, each once however often it is named."""

    def __init__(self, known: Iterable[str], now: float) -> None:
        """`known` are those of the restored state, `now` is a monotonic clock's time as everywhere here."""
        self._prompt: dict[str, None] = {}
        self._later = dict.fromkeys(known)
        self._active: dict[str, None] = {}
        self._forgotten: dict[str, None] = {}
        self._refreshed_at = self._taken_at = now
        self._budget = RECORDS_A_SECOND

    def note(self, signal: Signal) -> None:
        """Publish at once what has been learned, has crossed a bound or is forgotten."""
        if signal.kind in PROMPT:
            self._prompt[signal.identity] = None
        elif signal.kind is SignalKind.FORGOTTEN:
            self._forgotten[signal.identity] = None

    def changed(self, name: str, *, new: bool) -> None:
        """Publish an identity that was active: at once if it is new, else within `REFRESH_SECONDS`."""
        (self._prompt if new else self._active)[name] = None

    def take(self, now: float) -> list[str]:
        """Those to publish now: all that were forgotten, and as many others as the rate allows."""
        if now - self._refreshed_at >= REFRESH_SECONDS:
            self._refreshed_at = now
            self._later |= self._active
            self._active = {}
        elapsed, self._taken_at = now - self._taken_at, now
        self._budget = min(RECORDS_A_SECOND, self._budget + elapsed * RECORDS_A_SECOND)
        names, self._forgotten = self._forgotten, {}
        for queue in (self._prompt, self._later):
            for name in _first(queue, int(self._budget)):
                self._active.pop(name, None)
                names[name] = None
                self._budget -= 1
        return list(names)


def _first(queue: dict[str, None], most: int) -> list[str]:
    """Take the first names out of a queue."""
    names = list(islice(queue, most))
    for name in names:
        del queue[name]
    return names
