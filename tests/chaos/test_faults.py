"""The promise of exactness under faults: some minutes of what a year in production brings."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detector.adapters import RecordError, decode
from detector.adapters.rejection import Rejection
from detector.simulation import Theft, World, records
from streams.files.reader import FileRecord
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.comparison import Expected, differences
from tests.chaos.faults import STOPPED, Faults, Supervisor
from tests.chaos.pipeline import Pipeline, Records, in_order

RECORDS = 60_000
GARBAGE = 10
HOUR_MS = 3_600_000
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
SESSION_SECONDS = 6.0
SECONDS = 60.0
"""How long the records are published for."""


@pytest.fixture(scope="module")
def world() -> Records:
    """A week of 126 identities, with a theft."""
    theft = Theft(start_ms=START_MS + (4 * 24 + 3) * HOUR_MS)
    simulated = records(World(seed=12, start_ms=START_MS, hours=24 * 9), theft)
    return in_order(simulated, decode)[:RECORDS]


@pytest.fixture(scope="module")
def expected(world: Records) -> Expected:
    """What a replay says of it."""
    return Expected.of(event for _, event in world)


@pytest.mark.timeout(500)
@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
def test_faults_under_load_change_nothing(
    keyed: bool, tmp_path: Path, world: Records, expected: Expected
) -> None:
    """Killed, frozen, joined and left by others, and without their broker for a while, three workers say and know what
    a replay does; each dead letter is there once, and all have partitions again."""
    assert len(world) == RECORDS
    names = TopicNames()
    settings = {"keyed": keyed, "session_seconds": SESSION_SECONDS}
    with (
        Broker(tmp_path / "kafka") as broker,
        Pipeline(broker.bootstrap, names, tmp_path, 4, settings) as pipeline,
    ):
        supervisor = Supervisor(pipeline, 3)
        faults = Faults(supervisor, broker, random.Random(4), SESSION_SECONDS)
        publishing = threading.Thread(target=_publish, args=(pipeline, world, keyed), daemon=True)
        publishing.start()
        pipeline.wait(lambda: pipeline.committed(names.access) > 0, 60)
        for kind in sorted(faults.kinds) if keyed else ["kill", "freeze", "join", "broker killed"]:
            faults.make(kind)
            supervisor.rest(2.0)
        publishing.join(200)
        assert not publishing.is_alive()
        assert differences(pipeline, supervisor, expected, RECORDS + GARBAGE, GARBAGE, 150) == []
        assert set(supervisor.endings) <= {*STOPPED, -9, 2}  # 2: started while there was no broker
        assert [worker.stop() for worker in supervisor.running] == [0, 0, 0]


def _publish(pipeline: Pipeline, world: Records, keyed: bool) -> None:
    def paced() -> Iterator[tuple[FileRecord, Any]]:
        began = time.monotonic()
        for number in range(GARBAGE):
            error = RecordError("", f"bad:{number}", Rejection.UNKNOWN_FORMAT, "")
            yield FileRecord(b"\xff{%d" % number, f"bad:{number}", "bad"), error
        for number, one in enumerate(world):
            if number % 200 == 0:
                time.sleep(max(0.0, began + SECONDS * number / RECORDS - time.monotonic()))
            yield one

    if keyed:
        pipeline.publish_keyed(paced())
    else:
        pipeline.publish_spread(paced(), seed=6)
