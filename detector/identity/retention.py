"""Tracks the identities that a shard knows, and picks which to evict first: those idle for long, or one of too many."""

from __future__ import annotations

__all__ = ["IdentityRetention"]


class IdentityRetention:
    """Names, each with the day of its newest event as far as that has been looked at.

    Nobody's day is moved with each event: it is looked at again when it is about to matter.
    """

    def __init__(self) -> None:
        self._day_of: dict[str, int] = {}
        self._by_day: dict[int, dict[str, None]] = {}
        self._newcomers: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._day_of)

    def enter(self, name: str, day: int, *, newcomer: bool) -> None:
        """Note who is known, or known anew; of a newcomer nothing has been learned yet that would be missed."""
        self.leave(name)
        self._day_of[name] = day
        self._by_day.setdefault(day, {})[name] = None
        if newcomer:
            self._newcomers[name] = None

    def leave(self, name: str) -> None:
        """Forget a name, if it is there."""
        day = self._day_of.pop(name, None)
        if day is None:
            return
        names = self._by_day[day]
        del names[name]
        if not names:
            del self._by_day[day]
        self._newcomers.pop(name, None)

    def idle_since(self, day: int) -> list[str]:
        """Whose newest event, as far as it has been looked at, lies on that day or before: the longest idle first."""
        return [
            name for known in sorted(self._by_day) if known <= day for name in sorted(self._by_day[known])
        ]

    def most_expendable(self) -> tuple[str, int | None]:
        """Who is to go first: the first newcomer, without a day, or else the longest idle, with the day of it.

        So a crowd of made-up names drives one another out, and not those whose habits are known. Raises `ValueError`
        if nobody is known.
        """
        for name in self._newcomers:
            return name, None
        day = min(self._by_day)
        return min(self._by_day[day]), day
