"""Local servers that receive from Alertmanager, and its configuration with their addresses."""

from __future__ import annotations

import json
import socketserver
import threading
import time
import urllib.request
from collections.abc import Callable
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.deploy.deployed import DEPLOY

TEMPLATES = DEPLOY / "alertmanager" / "templates" / "*.tmpl"


class Received:
    """Messages received by HTTP (path and JSON) and by mail."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Any]] = []
        self.mails: list[Any] = []
        received = self

        class Http(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.posts.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        class Smtp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                while line := self.rfile.readline():
                    word = line[:4].upper()
                    if word == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = []
                        while (line := self.rfile.readline()) not in (b".\r\n", b""):
                            lines.append(line)
                        received.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
                    self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")

        self._servers: list[socketserver.ThreadingTCPServer | ThreadingHTTPServer] = [
            ThreadingHTTPServer(("127.0.0.1", 0), Http),
            socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp),
        ]
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()
        self.http_port, self.smtp_port = (int(server.server_address[1]) for server in self._servers)

    def to(self, path: str) -> list[Any]:
        """The bodies posted to a path."""
        return [body for where, body in self.posts if where == path]

    def close(self) -> None:
        """Stop the servers."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


def ours(config: dict[str, Any], received: Received, folder: Path) -> dict[str, Any]:
    """The shipped configuration with this test's receivers."""
    base = f"http://127.0.0.1:{received.http_port}"
    (folder / "slack").write_text(f"{base}/slack", encoding="utf-8")
    (folder / "token").write_text("t", encoding="utf-8")
    config["global"] |= {
        "smtp_smarthost": f"127.0.0.1:{received.smtp_port}",
        "smtp_require_tls": False,
        "slack_api_url_file": str(folder / "slack"),
    }
    del config["global"]["smtp_auth_username"], config["global"]["smtp_auth_password_file"]
    config["templates"] = [str(TEMPLATES)]
    for route in [config["route"], *config["route"]["routes"]]:
        route |= {"group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"}
    for receiver in config["receivers"]:
        for hook in receiver.get("webhook_configs", []):
            hook["url"] = base + ("/heartbeat" if "heartbeat" in hook["url"] else "/crmwatch")
            if "http_config" in hook:
                hook["http_config"]["authorization"]["credentials_file"] = str(folder / "token")
    return config


def answers(url: str) -> bool:
    """Whether the address returns 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - a loopback address of our own
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_for(what: Callable[[], Any], log: Path) -> None:
    """Wait up to a minute for a condition; on failure show the end of a log."""
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, log.read_text(encoding="utf-8", errors="replace")[-3000:]
        time.sleep(0.1)
