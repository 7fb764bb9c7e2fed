"""uvicorn's HTTP/1.1 with bounds on unfinished requests and on connections per address."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HEAD_SECONDS", "MOST_CONNECTIONS", "BoundedProtocol"]

HEAD_SECONDS = 10.0
"""A request's head has arrived so long after its connection was made, or after its first byte."""
MOST_CONNECTIONS = 250
"""So many connections one address may hold, this machine's own and the proxies' aside."""


class BoundedProtocol(H11Protocol):
    """Closes a connection whose request head does not arrive in time, and those of an address that holds too many."""

    def __init__(
        self, is_proxy: Callable[[str], bool], held: Counter[str], *args: Any, **kwargs: Any
    ) -> None:
        """`held` counts the connections by address, for all protocols of a server."""
        super().__init__(*args, **kwargs)
        self._is_proxy = is_proxy
        self._held = held
        self._address = ""
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Count the connection, and wait for its first request."""
        self._address = _host(transport.get_extra_info("peername"))
        self._held[self._address] += 1
        super().connection_made(transport)
        if self._held[self._address] > MOST_CONNECTIONS and not self._is_many():
            transport.abort()
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._held[self._address] -= 1
        if not self._held[self._address]:
            del self._held[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in; a head that is complete is waited for no longer."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait()
        else:
            self._stop_waiting()

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _is_many(self) -> bool:
        """Whether many people may come from the address."""
        return self._is_proxy(self._address) or _is_loopback(self._address)


def _host(peer: Any) -> str:
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
