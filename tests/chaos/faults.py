"""What goes wrong in a running service, at random from a seed, and the supervisor that starts workers again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from streams.cli.child_process import Child
from streams.kafka.embedded.broker import Broker
from tests.chaos.pipeline import Pipeline

__all__ = ["STOPPED", "Faults", "Supervisor"]

STOPPED = (0, -signal.SIGTERM, 70)
"""How a worker ends that is told to: with the second if it is told before it has begun, with the third if the brokers
do not take in time what it has in hand."""


class Supervisor:
    """Keeps a number of workers running, as systemd or Kubernetes would: one that has ended is started again."""

    def __init__(self, pipeline: Pipeline, workers: int) -> None:
        self.wanted = workers
        self.endings: Counter[int] = Counter()
        """Exit code → how many workers ended with it."""
        self._pipeline = pipeline
        self.look()

    @property
    def running(self) -> list[Child]:
        """The workers that run."""
        return [worker for worker in self._pipeline.workers if worker.exit_code is None]

    def look(self) -> None:
        """Bury the dead and start as many workers as are missing."""
        for worker in list(self._pipeline.workers):
            if worker.exit_code is not None:
                self.endings[worker.wait(1)] += 1
                self._pipeline.workers.remove(worker)
        for _ in range(self.wanted - len(self.running)):
            self._pipeline.start_worker()

    def rest(self, seconds: float) -> None:
        """Let time pass, looking after the workers."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(0.2, left))
            self.look()


class Faults:
    """Faults by name; `session_seconds` is the workers' session time-out.

    `disk` is a small file system of its own on which the broker keeps its data, and which may be filled to the last
    byte. (A worker has no files: its state is in Kafka.)
    """

    def __init__(
        self,
        supervisor: Supervisor,
        broker: Broker | None,
        draw: random.Random,
        session_seconds: float,
        disk: Path | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._broker = broker
        self._draw = draw
        self._session_seconds = session_seconds
        self._disk = disk
        self.made: Counter[str] = Counter()
        self.kinds: dict[str, Callable[[], None]] = {
            "kill": self._kill,
            "kill two": self._kill_two,
            "kill again": self._kill_again,
            "freeze": self._freeze,
            "stumble": self._stumble,
            "join": self._join,
            "leave": self._leave,
        }
        if broker is not None:
            self.kinds |= {"broker killed": self._kill_broker, "broker restarted": self._restart_broker}
            if disk is not None:
                self.kinds["disk full"] = self._fill_disk

    def make(self, kind: str) -> None:
        """Let one fault happen; the service may still be recovering from it afterwards."""
        self.kinds[kind]()
        self.made[kind] += 1

    def make_any(self, kinds: Sequence[str] | None = None) -> str:
        """Let some fault happen, of some kinds or of any; its name."""
        kind = self._draw.choice(kinds or sorted(self.kinds))
        self.make(kind)
        return kind

    def _victim(self) -> Child:
        return self._draw.choice(self._supervisor.running)

    def _kill(self) -> None:
        """SIGKILL; the supervisor is as slow as it happens to be."""
        self._victim().kill()
        time.sleep(self._draw.uniform(0.0, 3.0))
        self._supervisor.look()

    def _kill_two(self) -> None:
        for worker in self._draw.sample(self._supervisor.running, 2):
            worker.kill()
        self._supervisor.look()

    def _kill_again(self) -> None:
        """Kill a worker, and the one that takes its place while it is still recovering."""
        self._kill()
        self._supervisor.rest(self._draw.uniform(1.0, 5.0))
        self._supervisor.running[-1].kill()
        self._supervisor.look()

    def _freeze(self) -> None:
        """Stand still for longer than the session lasts: others take over what it believes to be its own."""
        worker = self._victim()
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(self._session_seconds * self._draw.uniform(1.2, 1.8))
        os.kill(worker.pid, signal.SIGCONT)
        self._supervisor.rest(1.0)

    def _stumble(self) -> None:
        """Stand still for less than that."""
        worker = self._victim()
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(self._session_seconds * self._draw.uniform(0.2, 0.7))
        os.kill(worker.pid, signal.SIGCONT)

    def _join(self) -> None:
        self._supervisor.wanted += 1
        self._supervisor.rest(self._draw.uniform(1.0, 6.0))
        self._go_back()

    def _leave(self) -> None:
        self._stop_one()

    def _go_back(self) -> None:
        """One worker too many is told to stop."""
        self._supervisor.wanted -= 1
        self._stop_one()

    def _stop_one(self) -> None:
        code = self._victim().stop()
        assert code in STOPPED, f"a worker that was told to stop ended with {code}"
        self._supervisor.look()

    def _kill_broker(self) -> None:
        assert self._broker is not None
        self._broker.kill()
        time.sleep(self._draw.uniform(0.0, 4.0))
        self._broker.restart()
        self._supervisor.look()

    def _fill_disk(self) -> None:
        """Leave the broker no byte to write for a while, then make room and start it again."""
        assert self._broker is not None
        assert self._disk is not None
        filler = self._disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
        with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"0")
        self._supervisor.rest(self._draw.uniform(5.0, 15.0))
        filler.unlink()
        self._broker.kill()
        self._broker.restart()
        self._supervisor.look()

    def _restart_broker(self) -> None:
        assert self._broker is not None
        self._broker.restart()
        self._supervisor.look()
