"""The console's process: index, follower and server, begun and ended together."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import uvicorn

from streams.config import Config
from streams.console.access import Gate
from streams.console.audit import Audit
from streams.console.follower import Follower
from streams.console.index import Index
from streams.console.pulse import Pulse
from streams.console.server import Console

__all__ = ["Service"]

STOP_SECONDS = 3


class Service:
    """Everything that runs.

    Raises `AccessError`, `IndexError_` or `OSError` if it cannot.
    """

    def __init__(self, config: Config, path: Path) -> None:
        self._config = config
        gate = Gate(config.console)
        audit = Audit(None if config.console.audit_file is None else Path(config.console.audit_file))
        self.pulse = Pulse()
        self.index = Index(path, config.topics, config.console)
        self.follower = Follower(self.index, self.pulse, config)
        self.console = Console(config, self.index, self.pulse, self.follower, gate, audit)
        self._server = _Server(
            uvicorn.Config(
                self.console.app,
                access_log=False,
                log_level=logging.WARNING,
                lifespan="off",
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=STOP_SECONDS,
                timeout_keep_alive=30,
                limit_concurrency=1_000,
                h11_max_incomplete_event_size=32_768,
                ssl_certfile=config.console.cert_file,
                ssl_keyfile=config.console.key_file,
            ),
            self.console,
        )

    async def serve(self, listening: socket.socket) -> None:
        """Serve until a signal comes, then bring all to an end."""
        self.follower.start()
        try:
            await self._server.serve(sockets=[listening])
        finally:
            self.console.stop()
            self.follower.stop()
            self.index.close()

    def stop(self) -> None:
        """End it, from any thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """Lets the feeds end before it waits for them."""

    def __init__(self, config: uvicorn.Config, console: Console) -> None:
        super().__init__(config)
        self._console = console

    def shutdown(self, sockets: list[socket.socket] | None = None) -> Awaitable[Any]:  # type: ignore[override]
        self._console.stop()
        return super().shutdown(sockets)
