"""How fresh the index is, and a word to all who wait for it to change."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from time import time

import msgspec

__all__ = ["Feed", "Freshness"]


class Feed(msgspec.Struct, frozen=True):
    """How the console stands to Kafka."""

    generation: int = 0
    """How often what pages show has changed."""
    heard_ms: int | None = None
    """When Kafka last answered, by our clock; ``None`` before it ever did."""
    lost_ms: int | None = None
    """Since when it has not answered; ``None`` while it does."""
    behind: int | None = None
    """How many records have not been read; ``None`` while nobody knows."""
    caught_up: bool = False
    """Whether everything that was there at the start has been read."""
    problem: str = ""
    """Why it does not answer, in a sentence."""


class Freshness:
    """One writer, the follower's thread; any number of readers, in any thread or loop."""

    def __init__(self, now_ms: Callable[[], int] = lambda: round(time() * 1000)) -> None:
        self._now_ms = now_ms
        self._feed = Feed()
        self._lock = threading.Condition()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._positions: dict[tuple[str, int], int] = {}

    @property
    def feed(self) -> Feed:
        """How it stands now."""
        return self._feed

    def read(self, positions: dict[tuple[str, int], int], *, shown: bool) -> None:
        """All before `positions` is in the index; whether that is `shown`, on pages that everybody looks at."""
        with self._lock:
            self._positions |= positions
            if shown:
                self._say(msgspec.structs.replace(self._feed, generation=self._feed.generation + 1))
            else:
                self._lock.notify_all()

    def heard(self, behind: int) -> None:
        """Kafka has answered: so many records have not been read."""
        before = self._feed
        feed = msgspec.structs.replace(
            before,
            heard_ms=self._now_ms(),
            lost_ms=None,
            behind=behind,
            caught_up=before.caught_up or behind == 0,
            problem="",
        )
        with self._lock:
            self._feed = feed
            if before.lost_ms is not None or feed.caught_up is not before.caught_up:
                self._say(msgspec.structs.replace(feed, generation=feed.generation + 1))

    def lost(self, problem: str) -> None:
        """Kafka does not answer."""
        since = self._feed.lost_ms
        if since is None:
            since = self._now_ms() if self._feed.heard_ms is None else self._feed.heard_ms
        with self._lock:
            self._say(
                msgspec.structs.replace(
                    self._feed, lost_ms=since, problem=problem, generation=self._feed.generation + 1
                )
            )

    def wake(self) -> None:
        """Let all who wait go on, though nothing has changed."""
        with self._lock:
            self._say(self._feed)

    def wait_for(self, topic: str, partition: int, offset: int, seconds: float) -> bool:
        """Wait until a record is in the index; whether it is."""
        with self._lock:
            return self._lock.wait_for(
                lambda: self._positions.get((topic, partition), 0) > offset, timeout=seconds
            )

    async def wait(self, generation: int, seconds: float) -> Feed:
        """Wait until it is another generation, at most so long; how it stands then."""
        event = asyncio.Event()
        entry = asyncio.get_running_loop(), event
        self._waiting.add(entry)
        try:
            if self._feed.generation == generation:
                async with asyncio.timeout(seconds):
                    await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(entry)
        return self._feed

    def _say(self, feed: Feed) -> None:
        self._feed = feed
        self._lock.notify_all()
        for loop, event in list(self._waiting):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
