"""Tracks the identities that a shard knows, and picks which to evict first: those idle for long, or one of too many."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from heapq import heapify, heappop, heappush

__all__ = ["IdentityRetention"]

MOST_LEFT = 1_000
"""How many names more than as many again as a day has are held for its order."""


class IdentityRetention:
    """Names, each with the day of its newest event.

    No method takes longer for the number of names but to put a day's names in order, once.
    """

    def __init__(self) -> None:
        self._day_of: dict[str, int] = {}
        self._by_day: dict[int, dict[str, None]] = {}
        self._newcomers: OrderedDict[str, None] = (
            OrderedDict()
        )  # takes its first one out at once, unlike a dict
        self._ordered_day: int | None = None
        self._ordered: list[str] = []  # the names of that day, as a heap, and some that have left it

    def __len__(self) -> int:
        return len(self._day_of)

    def enter(self, name: str, day: int, *, newcomer: bool) -> None:
        """Note who is known, or known anew; of a newcomer nothing has been learned yet that would be missed."""
        self.leave(name)
        self._put(name, day)
        if newcomer:
            self._newcomers[name] = None

    def move(self, name: str, day: int) -> None:
        """Note a newer event of somebody, who is known from now on."""
        self._take(name)
        self._put(name, day)

    def establish(self, name: str) -> None:
        """Note that somebody known is no newcomer any more."""
        self._newcomers.pop(name, None)

    def leave(self, name: str) -> None:
        """Forget a name, if it is there."""
        self._take(name)
        self._newcomers.pop(name, None)

    def idle_days(self, until: int) -> list[int]:
        """The days, up to one, on which anybody's newest event lies, earliest first."""
        return sorted(day for day in self._by_day if day <= until)

    def idle_since(self, day: int) -> Iterator[str]:
        """Whose newest event lies on that day, by name: each must leave before the next is asked for."""
        while self._by_day.get(day):
            yield self._first_of(day)

    def most_expendable(self) -> str:
        """Who is to go first: the first newcomer, or else the longest idle.

        So a crowd of made-up names drives one another out, and not those whose habits are known. Raises `ValueError`
        if nobody is known.
        """
        for name in self._newcomers:
            return name
        return self._first_of(min(self._by_day))

    def _first_of(self, day: int) -> str:
        names = self._by_day[day]
        if day != self._ordered_day:
            self._ordered_day, self._ordered = day, list(names)
            heapify(self._ordered)
        while self._ordered[0] not in names:
            heappop(self._ordered)
        return self._ordered[0]

    def _put(self, name: str, day: int) -> None:
        self._day_of[name] = day
        names = self._by_day.setdefault(day, {})
        names[name] = None
        if day == self._ordered_day:
            heappush(self._ordered, name)
            if len(self._ordered) > 2 * len(names) + MOST_LEFT:
                self._ordered_day, self._ordered = None, []

    def _take(self, name: str) -> None:
        day = self._day_of.pop(name, None)
        if day is None:
            return
        names = self._by_day[day]
        del names[name]
        if not names:
            del self._by_day[day]
