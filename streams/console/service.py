"""The console's process: index, follower and server, begun and ended together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from streams.config import Config, ConsoleSettings
from streams.console.metrics import MeteredApp
from streams.console.store.directory import ConsoleDirectory
from streams.console.store.follower import Follower
from streams.console.store.freshness import Freshness
from streams.console.store.index import Index
from streams.console.web.audit import Audit
from streams.console.web.auth import Sessions
from streams.console.web.protocol import BoundedProtocol
from streams.console.web.server import Console
from streams.kafka.signing import signatures

__all__ = ["Service", "server_config"]

STOP_SECONDS = 3


class Service:
    """Everything that runs.

    Raises `AccessError`, `IndexFileError`, `DirectoryFileError`, `SigningError` or `OSError` if it cannot.
    """

    def __init__(self, config: Config, path: Path) -> None:
        self._config = config
        gate = Sessions(config.console)
        self._audit = audit = Audit(
            None if config.console.audit_file is None else Path(config.console.audit_file)
        )
        self.freshness = Freshness()
        signs = signatures(config.signing)
        self.index = Index(path, config.topics, config.console, signs, config.triage.longest_mute_days)
        directory = ConsoleDirectory(self.index, config.directory)
        self.follower = Follower(self.index, self.freshness, config)
        self.console = Console(config, self.index, self.freshness, self.follower, gate, audit, directory)
        self._server = _Server(
            server_config(
                MeteredApp(self.console.app, self.freshness, gate, directory), config.console, gate
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
            self._audit.close()

    def stop(self) -> None:
        """End it, from any thread."""
        self._server.should_exit = True


def server_config(app: ASGIApp, settings: ConsoleSettings, gate: Sessions) -> uvicorn.Config:
    """How the console is served: with bounds for connections, heads and idle time."""
    return uvicorn.Config(
        app,
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
        http=partial(BoundedProtocol, gate.is_proxy, Counter()),  # type: ignore[arg-type] # makes one
        ssl_certfile=settings.cert_file,
        ssl_keyfile=settings.key_file,
    )


class _Server(uvicorn.Server):
    """Ends the feeds before it waits for them, and exits cleanly on a signal."""

    def __init__(self, config: uvicorn.Config, console: Console) -> None:
        super().__init__(config)
        self._console = console

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._console.stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGTERM and Ctrl-C; a second one ends what hangs."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, self.handle_exit, one, None)
        try:
            yield
        finally:
            for one in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(one)
