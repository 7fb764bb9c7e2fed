"""Clients that look at the board as browsers do."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import threading
import time
from typing import Self
from urllib.parse import unquote

import aiohttp
import msgspec

__all__ = ["Crowd", "named"]

PATIENCE_SECONDS = 180.0
"""For all of them to have looked once, and to go."""
SLOWLY_SECONDS = 30.0
STAGGER_SECONDS = 0.25
"""As console.js has them."""
JUMP = re.compile(r'class="jump" href="/incidents/([^"]+)"')


class Crowd:
    """Clients that look at the board as browsers do, in a thread of their own."""

    def __init__(self, address: str, count: int) -> None:
        self._address = address
        self.seen: list[dict[str, float]] = [{} for _ in range(count)]
        """Of each client: incident → when the board first named it, in ms since 1970."""
        self.looks_ms: list[float] = []
        self._looking = 0
        self._all_look = threading.Event()
        self._over = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._all_look.wait(PATIENCE_SECONDS) or self._fault is not None:
            raise RuntimeError("the console does not answer all browsers") from self._fault
        self.looks_ms.clear()  # the first ones came all at once
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(PATIENCE_SECONDS)
        if self._fault is not None:
            raise RuntimeError("a browser was turned away") from self._fault

    def _run(self) -> None:
        try:
            asyncio.run(self._look_all())
        except BaseException as error:  # noqa: BLE001 - it is raised where the crowd is waited for
            self._fault = error
            self._all_look.set()

    async def _look_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            clients = [group.create_task(self._look(seen)) for seen in self.seen]
            while not self._over.is_set():
                await asyncio.sleep(0.1)
            for client in clients:
                client.cancel()

    async def _look(self, seen: dict[str, float]) -> None:
        """Ask for the board, and again whenever the feed says that something has changed."""
        jar = aiohttp.CookieJar(unsafe=True)  # which is to say, also of an address without a name
        async with aiohttp.ClientSession(self._address, cookie_jar=jar, raise_for_status=True) as session:
            await self._board(session, seen)
            self._looking += 1
            if self._looking == len(self.seen):
                self._all_look.set()
            changed = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(_follow(session, changed))
                while True:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), SLOWLY_SECONDS)
                    changed.clear()
                    await asyncio.sleep(random.uniform(0, STAGGER_SECONDS))  # noqa: S311 - no secret
                    await self._board(session, seen)

    async def _board(self, session: aiohttp.ClientSession, seen: dict[str, float]) -> None:
        began = time.monotonic()
        async with session.get("/") as answer:
            page = await answer.text()
        now_ms = time.time() * 1000
        self.looks_ms.append((time.monotonic() - began) * 1000)
        for uid in named(page):
            seen.setdefault(uid, now_ms)


async def _follow(session: aiohttp.ClientSession, changed: asyncio.Event) -> None:
    generation = None
    async with session.get("/events", timeout=aiohttp.ClientTimeout(total=None)) as answer:
        async for line in answer.content:
            if line.startswith(b"data: "):
                told = msgspec.json.decode(line[6:])["generation"]
                if told != generation:
                    generation = told
                    changed.set()
    raise RuntimeError("the feed has ended")


def named(page: str) -> list[str]:
    """The incidents that a board names."""
    return [unquote(uid) for uid in JUMP.findall(page)]
