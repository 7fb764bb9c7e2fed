"""The feeds of pages in browsers, as server-sent events: so many in all, and so many for each person."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import msgspec

from streams.console.store.freshness import Freshness
from streams.console.store.index import Index
from streams.console.web.auth import Session, Sessions

__all__ = ["LivePages"]

MOST_PAGES = 300
BEAT_SECONDS = 5.0
REST_SECONDS = 0.4
"""Between two events of a feed."""


class LivePages:
    """The pages that are told when something has changed."""

    def __init__(self, gate: Sessions, freshness: Freshness, index: Index, per_person: int) -> None:
        self._gate = gate
        self._freshness = freshness
        self._index = index
        self._per_person = per_person
        self._pages: Counter[str] = Counter()
        self._stopping = False

    def has_room(self, name: str) -> bool:
        """Whether a person may hold one more."""
        return self._pages.total() < MOST_PAGES and self._pages[name] < self._per_person

    def stop(self) -> None:
        """Let all feeds end at their next event."""
        self._stopping = True

    async def events(self, session: Session) -> AsyncIterator[bytes]:
        """One event now and whenever something has changed, and one now and then to show that it lives; ends with the
        session or its token."""
        name = session.person.name
        self._pages[name] += 1
        try:
            yield b"retry: 2000\n\n"
            generation = -1
            while (
                not self._stopping
                and self._gate.session(session.key) is not None
                and self._gate.still(session)
            ):
                feed = await self._freshness.wait(generation, BEAT_SECONDS)
                generation = feed.generation
                body = {
                    "generation": feed.generation,
                    "lost": feed.lost_ms,
                    "caught_up": feed.caught_up,
                    "newest": self._index.newest_ms,
                }
                yield b"event: feed\ndata: " + msgspec.json.encode(body) + b"\n\n"
                await asyncio.sleep(REST_SECONDS)
        finally:
            self._pages[name] -= 1
            if not self._pages[name]:
                del self._pages[name]
