"""Java as a child process that ends, at the latest, when this process does."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from streams.child_process import ChildProcess
from streams.kafka.embedded.jars import BrokerError, jars, java

__all__ = ["Java"]

ENVIRONMENT = frozenset({"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"})
"""Variables by which a machine's own Java set-up would change ours."""


class Java:
    """Kafka's programs, one at a time. ``heap_mb`` is the heap in MiB."""

    def __init__(self, heap_mb: int) -> None:
        self._heap_mb = heap_mb
        self._programs: tuple[Path, Path] | None = None
        self._log: Path | None = None
        self._log_start = 0
        self._process: ChildProcess | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None when nothing runs."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.exit_code is None

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
        self._spawn(folder, log, arguments)

    def halt(self, how: signal.Signals) -> None:
        """End it with SIGTERM or SIGKILL, and see that it has ended."""
        if self._process is not None:
            if how is signal.SIGTERM:
                self._process.stop()
            else:
                self._process.kill()
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

    def _spawn(self, folder: Path, log: Path, arguments: Sequence[str]) -> ChildProcess:
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
            self._process = ChildProcess(
                [executable, *options, "-cp", f"{classes}/*", *arguments],
                log,
                folder=folder,
                environment={key: value for key, value in os.environ.items() if key not in ENVIRONMENT},
            )
        except OSError as error:
            raise BrokerError(f"the Java runtime {executable} cannot be run: {error.strerror}") from error
        return self._process
