"""Java as a child process that ends, at the latest, when this process does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from streams.kafka.embedded.jars import BrokerError, jars, java

__all__ = ["Java"]

STOP_SECONDS = 20.0

# A sibling process reads from a pipe whose other end only we hold. However we end, SIGKILL included, the
# pipe closes and it kills Java; one byte instead means that we stopped Java ourselves. The kernel's
# parent-death signal would do without a process, but it is Linux's alone, it fires when the *thread* that
# started the child ends, and it must be set between fork and exec, which is unsafe in a process with
# threads.
WATCHDOG = "import os, sys; os.read(0, 1) or os.kill(int(sys.argv[1]), 9)"
ENVIRONMENT = frozenset({"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"})
"""Variables by which a machine's own Java set-up would change ours."""


class Java:
    """Kafka's programs, one at a time. ``heap_mb`` is the heap in MiB."""

    def __init__(self, heap_mb: int) -> None:
        self._heap_mb = heap_mb
        self._programs: tuple[Path, Path] | None = None
        self._log: Path | None = None
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None when nothing runs."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        if self._process is None:
            return False
        if self._process.poll() is not None:
            self._dismiss_watchdog()  # the pid may be somebody else's from here on
            return False
        return True

    def find(self) -> None:
        """Have the Java runtime and the jars at hand, fetched if need be. Raises `BrokerError`."""
        self._programs = java(), jars()

    def run(self, folder: Path, log: Path, arguments: Sequence[str], seconds: float) -> int:
        """Run a program to its end; its exit code. Raises `BrokerError`, also if it takes too long."""
        try:
            return self._spawn(folder, log, arguments).wait(seconds)
        except subprocess.TimeoutExpired:
            raise BrokerError(f"{arguments[0]} did not end within {seconds:.0f} s") from None

    def start(self, folder: Path, log: Path, arguments: Sequence[str]) -> None:
        """Start a program in a folder; what it says goes to the log. Raises `BrokerError`."""
        process = self._spawn(folder, log, arguments)
        self._watchdog = subprocess.Popen(  # noqa: S603 - our own program and a number
            [sys.executable, "-I", "-S", "-c", WATCHDOG, str(process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def halt(self, how: signal.Signals) -> None:
        """End it, and see that it has ended: SIGKILL after 20 s of another signal."""
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

    def last_words(self, what: str) -> str:
        """A sentence about what has happened, with the end of the log."""
        if self._log is None:
            return f"Kafka {what}"
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode("utf-8", "replace").splitlines()
        # Stack frames say little to whoever reads one message; the log has them.
        said = [line for line in lines if line.strip() and not line.startswith("\t")][-6:]
        return f"Kafka {what}; its log {self._log} ends with: " + " | ".join(said or ["(nothing)"])

    def _spawn(self, folder: Path, log: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        if self._programs is None:
            self.find()
        assert self._programs is not None
        executable, classes = self._programs
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
        with log.open("ab") as file:
            self._log, self._log_start = log, file.tell()
            try:
                self._process = subprocess.Popen(  # noqa: S603 - nothing here comes from a log or a client
                    [executable, *options, "-cp", f"{classes}/*", *arguments],
                    cwd=folder,
                    env={key: value for key, value in os.environ.items() if key not in ENVIRONMENT},
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # the terminal's Ctrl-C is for us: we stop Java in good order
                )
            except OSError as error:
                raise BrokerError(f"the Java runtime {executable} cannot be run: {error.strerror}") from error
        return self._process

    def _dismiss_watchdog(self) -> None:
        if self._watchdog is not None:
            try:
                self._watchdog.communicate(b".", timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._watchdog.kill()
            self._watchdog = None
