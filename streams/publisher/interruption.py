"""Ctrl-C between two records."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Self, TypeVar

__all__ = ["Interruption"]

T = TypeVar("T")


class Interruption:
    """Lets SIGINT end an iteration between two items, not while one is being worked on; a context manager.

    A second SIGINT does not wait.
    """

    def __init__(self) -> None:
        self._waiting = True
        self._asked = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def between(self, items: Iterable[T]) -> Iterator[T]:
        """The items; raises KeyboardInterrupt in their stead once SIGINT has come."""
        for item in items:
            self._waiting = False
            if self._asked:
                raise KeyboardInterrupt
            yield item
            self._waiting = True
            if self._asked:
                raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._waiting or self._asked:
            raise KeyboardInterrupt
        self._asked = True
