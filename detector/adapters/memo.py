"""Caches a function's results for texts that recur: ids, addresses, agents, names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["Memo"]

K = TypeVar("K", str, bytes)
T = TypeVar("T")


class Memo(dict[K, T]):
    """A function's results by its argument: ``memo[text]`` is ``function(text)``.

    It keeps at most `limit` results, and none for a text of more than `longest` characters. A full memo is emptied,
    so that a flood of new texts costs little more than calling the function. The function's exceptions pass through.
    A look-up that hits takes a third of the time of `functools.lru_cache`.

    >>> lengths = Memo(len, limit=2)
    >>> lengths["a"], lengths["bc"], lengths["def"], len(lengths)
    (1, 2, 3, 1)
    """

    __slots__ = ("_function", "_limit", "_longest")

    def __init__(self, function: Callable[[K], T], limit: int, longest: int = 256) -> None:
        super().__init__()
        self._function: Callable[[K], T] = function
        self._limit = limit
        self._longest = longest

    def __missing__(self, key: K) -> T:
        value = self._function(key)
        if len(key) <= self._longest:
            if len(self) >= self._limit:
                self.clear()
            self[key] = value
        return value
