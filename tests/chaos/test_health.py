"""Whether a real worker tells the truth about itself while things go wrong, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient

from detector.adapters import decode
from detector.simulation import World, records
from streams.cli.child_process import Child
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.pipeline import Pipeline, Records, in_order

START_MS = 1_772_409_600_000

STUCK = """
import asyncio
from streams.worker import stage
carry_out = stage._PartitionTask._carry_out
async def stuck(self, steps):
    if self.stage.name == "ingest" and self.partition == 1 and self.next_offset is not None:
        await asyncio.sleep(3600)
    await carry_out(self, steps)
stage._PartitionTask._carry_out = stuck
"""
"""The shard of one input partition takes one batch and never another."""
HANGING = """
import os, time
from streams.worker import agents
take = agents.DetectAgent.take
def hang(self, records):
    yield from take(self, records)
    if os.path.exists({file!r}):
        time.sleep(3600)
agents.DetectAgent.take = hang
"""
"""The event loop hangs in a shard's work as soon as a file is there."""
SLOW = """
import time
from streams.worker import agents
take = agents.DetectAgent.take
def slow(self, records):
    yield from take(self, records)
    time.sleep(0.3)
agents.DetectAgent.take = slow
"""
"""There is always a great deal to do."""
WAITING = """
import asyncio, pathlib
from streams.worker import worker as app
start = app.Worker.start
async def late(self):
    pathlib.Path({asked!r}).touch()
    while not pathlib.Path({gone!r}).exists():
        await asyncio.sleep(0.05)
    await start(self)
app.Worker.start = late
"""
"""It has seen that its brokers are there, and begins when a file says that they are not."""


def world(hours: int) -> Records:
    """Some days of a small company."""
    return in_order(records(World(seed=2, start_ms=START_MS, hours=hours, people=20), None), decode)


class Faulty:
    """A worker into which a fault has been put; as `Child`, as far as it is used."""

    def __init__(self, fault: str, settings: Path, log: Path) -> None:
        program = f"{fault}\nfrom streams.cli.main import main\nmain()\n"
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, "worker", "--settings", str(settings)],
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.log = log

    @property
    def exit_code(self) -> int | None:
        """How it ended, or ``None`` while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int:
        """Wait for it to end by itself."""
        return self._process.wait(seconds)

    def stop(self, seconds: float) -> int:
        """SIGTERM, and SIGKILL after some seconds."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        return self._process.wait()

    def kill(self) -> int:
        """SIGKILL."""
        self._process.kill()
        return self._process.wait()


@contextmanager
def faulty(fault: str, folder: Path) -> Iterator[Faulty]:
    """One that is ended in any case."""
    worker = Faulty(fault, folder / "crmwatch.toml", folder / "faulty.log")
    try:
        yield worker
    finally:
        worker.kill()


def lines(worker: Child | Faulty) -> list[dict[str, Any]]:
    """What a worker has logged: JSON and nothing else."""
    return [json.loads(line) for line in worker.log.read_text(encoding="ascii").splitlines()]


def ask(worker: Child | Faulty, path: str) -> tuple[int, str]:
    """What a worker's endpoint says; 0 as long as there is none."""
    said = worker.log.read_text()
    if "metrics on " not in said:
        return 0, ""
    try:
        address = said.split("metrics on ")[1].split("/metrics")[0]
        with urllib.request.urlopen(address + path, timeout=5) as answer:  # noqa: S310 - our own
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()
    except OSError:
        return 0, ""


def until(what: Callable[[], Any], worker: Child | Faulty, seconds: float = 60) -> None:
    """Wait for something while a worker runs."""
    end = time.monotonic() + seconds
    while not what():
        assert worker.exit_code is None, worker.log.read_text()[-3000:]
        assert time.monotonic() < end, worker.log.read_text()[-3000:]
        time.sleep(0.1)


def members(bootstrap: str, group: str) -> int:
    """How many workers the group has, as its coordinator sees it."""
    admin: Any = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        return len(admin.describe_groups([group])[group]["members"])
    finally:
        admin.close()


@pytest.mark.timeout(200)
def test_one_stuck_partition_ends_the_worker_though_others_move(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """While the other partition's commits go on, live names the stuck one, and the watchdog ends the process with 70
    and that as its last line; another worker does the rest."""
    settings = {"keyed": True, "patience_seconds": 8.0, "session_seconds": 6.0}
    with Pipeline(kafka.bootstrap, names, tmp_path, 2, settings) as pipeline:
        records = world(24)
        pipeline.publish_keyed(records)
        with faulty(STUCK, tmp_path) as worker:
            until(lambda: ask(worker, "/ready")[0] == 200, worker)
            live = []
            while worker.exit_code is None:
                pipeline.publish_keyed(records[:200])
                live.append(ask(worker, "/live"))
            assert worker.wait(60) == 70
            reason = f"{names.access}/1: there are records to process, but none has been committed for"
            last = lines(worker)[-1]
            assert last["level"] == "critical"
            assert last["message"].startswith(reason)
            assert last["message"].endswith("; ending, to be restarted from the last saved state")
            assert (200, "ok") in live
            assert {answer[1].partition(" for ")[0] for answer in live if answer[0] == 503} <= {
                reason.partition(" for")[0]
            }
        assert pipeline.committed(names.access) > len(records) // 2, "the other partition stood still as well"
        worker2 = pipeline.start_worker()
        until(lambda: not any(pipeline.lag().values()), worker2, 90)
        assert worker2.stop(10) == 0


@pytest.mark.timeout(200)
def test_an_event_loop_that_hangs_is_told_by_the_endpoint_and_ended(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """The endpoint still answers, not ready and then not live; the watchdog says where the loop hangs and ends it."""
    settings = {"keyed": True, "patience_seconds": 12.0, "session_seconds": 6.0}
    with Pipeline(kafka.bootstrap, names, tmp_path, 1, settings) as pipeline:
        file = tmp_path / "hang"
        with faulty(HANGING.format(file=str(file)), tmp_path) as worker:
            until(lambda: ask(worker, "/ready")[0] == 200, worker)
            assert ask(worker, "/live") == (200, "ok")
            file.touch()
            pipeline.publish_keyed(world(2))
            until(lambda: ask(worker, "/ready")[0] == 503, worker)
            assert ask(worker, "/ready")[1].startswith("the event loop has not run for ")
            assert worker.wait(60) == 70
            where, last = lines(worker)[-2:]
            assert where["error"].endswith("in hang")
            assert last["message"].startswith("the event loop has not run for ")


@pytest.mark.timeout(200)
def test_a_worker_under_load_stops_cleanly_and_leaves_its_group(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """SIGTERM in the midst of work: within ten seconds it has ended with 0 and the group is empty; nothing is lost."""
    with Pipeline(kafka.bootstrap, names, tmp_path, 2, {"keyed": True}) as pipeline:
        records = world(48)
        pipeline.publish_keyed(records)
        with faulty(SLOW, tmp_path) as worker:
            until(lambda: pipeline.committed(names.events) > 0, worker)
            assert members(kafka.bootstrap, names.app_id) == 1
            pipeline.publish_keyed(records)
            assert worker.stop(10) == 0
            assert members(kafka.bootstrap, names.app_id) == 0
            messages = [line["message"].split(":")[0] for line in lines(worker) if line["level"] == "info"]
            assert messages == ["started", "assigned", "recovered", "stopping", "stopped"]
        assert any(pipeline.lag().values()), "nothing was left to do when the worker was stopped"
        following = pipeline.start_worker()
        until(lambda: not any(pipeline.lag().values()), following, 90)
        table = pipeline.table(names.profiles_changelog)
        assert sum(not key.startswith(b"\x00") for key in table) == len(
            {event.identity for _, event in records}
        )
        assert following.stop(10) == 0


@pytest.mark.timeout(200)
def test_a_worker_is_stopped_at_any_moment_of_its_start(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """SIGTERM before it has joined, while it recovers, or just after: it ends within ten seconds, never killed."""
    with Pipeline(kafka.bootstrap, names, tmp_path, 2, {"keyed": True}) as pipeline:
        for word in ("started", "assigned", "recovered"):
            worker = pipeline.start_worker()
            until(lambda word=word, worker=worker: f'"{word}' in worker.log.read_text(), worker)  # type: ignore[misc]
            assert worker.stop(10) == 0, worker.log.read_text()
            assert "Traceback" not in worker.log.read_text()
            pipeline.workers.clear()
            worker.log.unlink()


@contextmanager
def with_broker(
    names: TopicNames, folder: Path, fault: str, settings: dict[str, Any]
) -> Iterator[tuple[Broker, Faulty]]:
    """A broker that may be ended, and a worker on it that has processed records."""
    with Broker() as broker, ExitStack() as stack:
        with Pipeline(broker.bootstrap, names, folder, 2, settings | {"keyed": True}) as pipeline:
            pipeline.publish_keyed(world(48))
            worker = stack.enter_context(faulty(fault, folder))
            until(lambda: pipeline.committed(names.access) > 0, worker)
            until(lambda: ask(worker, "/ready")[0] == 200, worker)
        yield broker, worker


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["gone", "silent"])
def test_a_worker_is_stopped_within_ten_seconds_when_its_broker_is_not_there(
    how: signal.Signals, names: TopicNames, tmp_path: Path
) -> None:
    """A broker that is dead, or alive and silent, in the midst of work: SIGTERM ends it with 0 or 70 in time."""
    with with_broker(names, tmp_path, SLOW, {}) as (broker, worker):
        assert broker.pid is not None
        os.kill(broker.pid, how)
        try:
            assert worker.stop(10) in (0, 70), worker.log.read_text()[-3000:]
        finally:
            if how is signal.SIGSTOP:
                os.kill(broker.pid, signal.SIGCONT)
        last = lines(worker)[-1]["message"]
        assert last.startswith(("stopped", "records in flight could not be saved in time", "state is saved"))


@pytest.mark.timeout(300)
def test_a_worker_without_its_broker_is_not_ready_and_comes_back(names: TopicNames, tmp_path: Path) -> None:
    """A broker falls silent: a worker that has nothing to do is soon not ready, live within its patience, and ready
    again when the broker speaks; if the broker dies, the worker ends with 70 and says so."""
    with with_broker(names, tmp_path, "", {"session_seconds": 6.0, "patience_seconds": 25.0}) as (
        broker,
        worker,
    ):
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            until(lambda: ask(worker, "/ready")[0] == 503, worker)
            assert "the brokers have reported nothing" in ask(worker, "/ready")[1]
            assert ask(worker, "/live") == (200, "ok")
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        until(lambda: ask(worker, "/ready")[0] == 200, worker, 90)
        broker.kill()
        assert worker.wait(90) == 70
        assert lines(worker)[-1]["level"] == "critical"


@pytest.mark.timeout(200)
def test_a_worker_that_loses_its_broker_while_it_starts_says_so(names: TopicNames, tmp_path: Path) -> None:
    """Everything was there when it looked, and then nothing was: it ends with 70, and its last line says why."""
    asked, gone = tmp_path / "asked", tmp_path / "gone"
    with Broker() as broker, ExitStack() as stack:
        with Pipeline(broker.bootstrap, names, tmp_path, 1, {"keyed": True}):
            worker = stack.enter_context(faulty(WAITING.format(asked=str(asked), gone=str(gone)), tmp_path))
            until(asked.exists, worker)
        broker.kill()
        gone.touch()
        assert worker.wait(60) == 70
        last = lines(worker)[-1]
        assert (last["level"], last["message"].partition(":")[0]) == ("critical", "starting failed")
