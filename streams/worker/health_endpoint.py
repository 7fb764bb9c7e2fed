"""HTTP for machines: ``/metrics``, ``/live`` and ``/ready``.

It has threads of its own, so that it answers when the event loop does not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import TCPServer, ThreadingMixIn
from types import MappingProxyType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

__all__ = ["Endpoint"]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True

    def server_bind(self) -> None:
        """As the base class does, but without asking a name server for this machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment] # IPv4: a name and a port
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    timeout = 10  # seconds: a client that says nothing does not keep a thread

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: scrapes are no news."""


class Endpoint:
    """Serves until stopped. `live` and `ready` give ``None``, or the reason why not; ``/ready`` names the `plugins`."""

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        live: Callable[[], str | None],
        ready: Callable[[], str | None],
        plugins: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._metrics = make_wsgi_app(registry)
        self._checks = {"/live": live, "/ready": ready}
        self._more = {"/ready": "".join(f"{name}: {version}\n" for name, version in plugins.items())}
        self._server = make_server(host, port, self._answer, server_class=_Server, handler_class=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, name="endpoint", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_port)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering."""
        if self._thread.is_alive():  # else it would wait for ever
            self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            found: Iterable[bytes] = self._metrics(environ, start_response)
            return found
        check = self._checks.get(path)
        if check is None:
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"/metrics, /live, /ready\n"]
        reason = check()
        status = "200 OK" if reason is None else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{reason or 'ok'}\n{self._more.get(path, '')}".encode()]
