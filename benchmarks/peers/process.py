"""The peers there are, each run as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import msgspec

from benchmarks.peers.job import BEGUN, Report, Task

__all__ = ["PEERS", "Peer", "Running"]

ROOT = Path(__file__).parents[2]


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A way of doing the simple job."""

    name: str
    module: str
    """In `benchmarks/peers/`."""
    package: str
    """What must be installed for it."""
    most_events: int | None = None
    """It gets no more records than this, being slow."""
    environment: dict[str, str] = {}

    @property
    def installed(self) -> bool:
        """Whether it can be run here."""
        # Faust, once imported, puts something without a spec in its own place.
        return self.package in sys.modules or find_spec(self.package) is not None


PEERS = (
    Peer(name="crmwatch's frame, durable", module="own_frame", package="faust"),
    Peer(
        name="Faust + river, Table",
        module="stock_faust",
        package="faust",
        most_events=30_000,
        environment={"BENCH_FAUST": "table"},
    ),
    Peer(
        name="Faust + river, dict",
        module="stock_faust",
        package="faust",
        most_events=60_000,
        environment={"BENCH_FAUST": "dict"},
    ),
    Peer(name="Quix Streams + river", module="quix_streams", package="quixstreams"),
    Peer(name="Bytewax + river", module="bytewax_flow", package="bytewax"),
    Peer(name="aiokafka loop", module="aiokafka_loop", package="aiokafka"),
    Peer(name="confluent-kafka loop", module="confluent_loop", package="confluent_kafka"),
)
"""All of them; ours is the first."""


class Running:
    """A peer at its task; ends with the block that it is used in."""

    def __init__(self, peer: Peer, task: Task) -> None:
        self.peer = peer
        self._log = Path(task.folder) / "log"
        Path(task.folder).mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"benchmarks.peers.{peer.module}"],
                cwd=ROOT,
                env=os.environ | task.environment | peer.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def report(self, seconds: float) -> Report:
        """What it says in the end. Raises `RuntimeError` if it ends without a report or takes too long."""
        return msgspec.json.decode(self._line(b'{"records"', seconds), type=Report)

    def begin(self, seconds: float) -> None:
        """Wait for the first record of one that is to die. Raises `RuntimeError` as `report` does."""
        self._line(BEGUN.encode(), seconds)

    def killed(self, seconds: float) -> None:
        """Wait until it has killed itself, as its task says. Raises `RuntimeError` if it ends otherwise."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise RuntimeError(
                f"{self.peer.name}: not half-way in {seconds:.0f} s; {self._last_words()}"
            ) from None
        if code != -9:
            raise RuntimeError(f"{self.peer.name}: ended with {code}; {self._last_words()}")

    def _line(self, beginning: bytes, seconds: float) -> bytes:
        late = threading.Timer(seconds, self._process.kill)
        late.start()
        try:
            for line in self._process.stdout or ():
                if line.startswith(beginning):
                    return line
        finally:
            late.cancel()
        raise RuntimeError(f"{self.peer.name}: not a word within {seconds:.0f} s; {self._last_words()}")

    def _last_words(self) -> str:
        return f"its log ends with: {self._log.read_text(errors='replace')[-1500:]}"
