"""What the design promises: the stream says what a replay says, whatever happens to the workers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from detector.adapters import RecordError, decode
from detector.adapters.rejection import Rejection
from detector.engine import Engine
from detector.identity.profile import PROFILES
from detector.settings import Settings
from detector.simulation import Theft, World, records
from streams.files.reader import FileRecord
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.pipeline import Pipeline, Records, in_order

RECORDS = 100_000
GARBAGE = 40
PARTITIONS = 4
HOUR_MS = 3_600_000
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday


@pytest.fixture(scope="module")
def world() -> Records:
    """Some two weeks of 126 identities with a theft on the eighth night, cut at 100,000 records."""
    theft = Theft(start_ms=START_MS + (7 * 24 + 3) * HOUR_MS + 600_000)
    simulated = records(World(seed=11, start_ms=START_MS, hours=24 * 13), theft)
    return in_order(simulated, decode)[:RECORDS]


@pytest.fixture(scope="module")
def replayed(world: Records) -> tuple[list[bytes], Engine]:
    """What a replay of the world says, and the engine that said it."""
    engine = Engine(Settings())
    alerts = [alert.body for _, event in world for alert in engine.observe(event)]
    alerts += [alert.body for alert in engine.finish(world[-1][1].time_ms)]
    return sorted(alerts), engine


@pytest.mark.timeout(400)
@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
def test_a_worker_killed_half_way_changes_nothing(
    keyed: bool,
    kafka: Broker,
    names: TopicNames,
    tmp_path: Path,
    world: Records,
    replayed: tuple[list[bytes], Engine],
) -> None:
    """Two workers, one killed and restarted: the same alerts byte for byte, nothing lost or doubled, lag 0."""
    expected, engine = replayed
    assert len(world) == RECORDS
    assert sum(b'"activity_name":"Create"' in body for body in expected) >= 3
    with Pipeline(kafka.bootstrap, names, tmp_path, PARTITIONS, {"keyed": keyed}) as pipeline:
        garbage = [
            (FileRecord(b"\xff{%d" % number, f"bad:{number}", "bad"), _error(number))
            for number in range(GARBAGE)
        ]
        everything = [*garbage, *world]
        if keyed:
            pipeline.publish_keyed(everything)
        else:
            pipeline.publish_spread(everything, seed=5)
        pipeline.start_worker()
        victim = pipeline.start_worker()
        access = names.access
        pipeline.wait(lambda: pipeline.committed(access) >= RECORDS // 10, 120)
        assert pipeline.committed(access) < RECORDS, "nothing was left to do when the worker was killed"
        victim.kill()
        pipeline.start_worker()
        pipeline.wait(lambda: pipeline.committed(access) == RECORDS + GARBAGE, 120)
        pipeline.wait(lambda: len(_distinct(pipeline, names.alerts)) >= len(expected), 60)
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)

        assert _distinct(pipeline, names.alerts) == expected
        letters = {
            message.key: msgspec.json.decode(message.value) for message in pipeline.read(names.deadletters)
        }
        assert len(letters) == GARBAGE
        assert {letter["origin"] for letter in letters.values()} == {
            f"bad:{number}" for number in range(GARBAGE)
        }
        _compare_profiles(pipeline.table(names.profiles_changelog), engine)
        assert [worker.stop() for worker in pipeline.workers if worker.exit_code is None] == [0, 0]


def _error(number: int) -> RecordError:
    return RecordError("", f"bad:{number}", Rejection.UNKNOWN_FORMAT, "garbage")


def _distinct(pipeline: Pipeline, topic: str) -> list[bytes]:
    """The alerts; one that was sent twice is the same bytes twice, and counts once."""
    return sorted({message.value for message in pipeline.read(topic)})


def _compare_profiles(table: dict[bytes, bytes], engine: Engine) -> None:
    """Every identity's state is what the replay's is, but for the positions of what was applied."""
    expected = engine.profiles()
    streamed = {key: PROFILES.decode(value) for key, value in table.items() if not key.startswith(b"\x00")}
    assert set(streamed) == set(expected)
    for key, profile in streamed.items():
        assert profile.applied
        profile.applied = {}
        assert PROFILES.encode(profile) == expected[key]
