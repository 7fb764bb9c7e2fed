"""A backlog, and a broker that takes nothing for a while: what waits in a worker stays bounded."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from detector.adapters import decode
from detector.simulation import World, records
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.pipeline import Pipeline, in_order

RECORDS = 120_000
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
FROZEN_SECONDS = 8.0
MOST_BYTES = 500_000_000
"""Some 200 MB are the program; the backlog alone, decoded, would be 300 MB more."""


@pytest.mark.timeout(300)
def test_a_broker_that_stands_still_does_not_fill_a_workers_memory(tmp_path: Path) -> None:
    """With a backlog, and the broker frozen for a while in the middle of it, a worker takes no more
    memory than its buffers may; afterwards it goes on and commits all of them."""
    simulated = records(World(seed=5, start_ms=START_MS, hours=24 * 18), None)
    world = in_order(simulated, decode)[:RECORDS]
    assert len(world) == RECORDS
    names = TopicNames()
    settings = {"keyed": True, "session_seconds": 30.0, "patience_seconds": 120.0}
    with (
        Broker(tmp_path / "kafka") as broker,
        Pipeline(broker.bootstrap, names, tmp_path, 4, settings) as pipeline,
    ):
        pipeline.publish_keyed(world)
        worker = pipeline.start_worker()
        pipeline.wait(lambda: pipeline.committed(names.access) > 0, 90)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS)
        os.kill(broker.pid, signal.SIGCONT)
        pipeline.wait(lambda: pipeline.committed(names.access) == RECORDS, 120)
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)
        assert _most_bytes(worker.pid) < MOST_BYTES
        assert worker.stop() == 0


def _most_bytes(pid: int) -> int:
    """The most memory that a process has had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
