"""Three brokers of which one is lost, and workers that keep their names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from detector.adapters import RecordError, decode
from detector.event import AccessEvent
from detector.simulation import Theft, World, records
from streams.cli.child_process import Child
from streams.files.reader import FileRecord
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.comparison import Expected, differences
from tests.chaos.faults import Supervisor
from tests.chaos.pipeline import Pipeline, Records, in_order
from tests.kafka_cluster import Cluster

START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
HOUR_MS = 3_600_000
PARTITIONS = 3


@pytest.fixture(scope="module")
def world() -> Records:
    """Nine days of a company with a theft on the eighth night."""
    theft = Theft(start_ms=START_MS + (7 * 24 + 3) * HOUR_MS)
    simulated = records(World(seed=5, start_ms=START_MS, hours=24 * 9, people=30, integrations=5), theft)
    return in_order(simulated, decode)


@pytest.mark.kafka
@pytest.mark.timeout(580)
def test_one_broker_of_three_may_be_lost(world: Records, names: TopicNames, tmp_path: Path) -> None:
    """Publishing and workers go on while one is down, and once it is back; nothing is lost, doubled or changed."""
    expected = Expected.of(event for _, event in world if not isinstance(event, RecordError))
    assert len(expected.alerts) >= 3
    settings = {"keyed": True, "save_seconds": 0.5}
    with (
        Cluster() as cluster,
        Pipeline(cluster.bootstrap, names, tmp_path, PARTITIONS, settings, replication=3) as pipeline,
    ):
        supervisor = Supervisor(pipeline, 2)
        _wait(supervisor.look, lambda: len(pipeline.assignments()) == 2)
        lost = cluster.brokers[_coordinator(cluster, names.app_id) - 1]
        down_from, up_from = len(world) // 3, 2 * len(world) // 3
        seen: list[int] = []

        def while_it_happens() -> Iterator[tuple[FileRecord, AccessEvent | RecordError]]:
            for number, one in enumerate(world):
                if number == down_from:
                    lost.kill()
                if number == up_from:
                    _wait(
                        supervisor.look,
                        lambda: pipeline.committed(names.access) > (down_from + up_from) // 2,
                    )
                    seen.append(pipeline.committed(names.access))
                    assert not lost.running
                    lost.restart()
                yield one

        pipeline.publish_keyed(while_it_happens())
        assert seen[0] > down_from, "nothing was worked through while one was down"
        assert pipeline.end(names.access) == len(world)
        assert differences(pipeline, supervisor, expected, len(world), 0, 120) == []
        assert not supervisor.endings
        _wait(supervisor.look, lambda: _in_sync(cluster, names) == {3})
        assert [worker.stop() for worker in pipeline.workers] == [0, 0]


@pytest.mark.timeout(280)
def test_a_worker_with_a_name_comes_back_to_its_partitions(
    world: Records, kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """Stopped or killed and started within its session, it has the same partitions; the other one notices nothing."""
    settings = {"keyed": True, "session_seconds": 45.0}
    third = len(world) // 3
    with Pipeline(kafka.bootstrap, names, tmp_path, 4, settings) as pipeline:
        first = pipeline.start_worker("--instance", "one")
        second = pipeline.start_worker("--instance", "two")
        _wait(lambda: None, lambda: sorted(pipeline.assignments().values()) == [6, 6])
        pipeline.publish_keyed(world[:third])
        _wait(lambda: None, lambda: pipeline.committed(names.access) == third)
        before = _owned(kafka, names)
        assert set(before) == {"one", "two"}
        assert sum(map(len, before.values())) == 3 * 4
        changes = _changes(second)
        assert changes >= 1

        assert first.stop() == 0
        first = pipeline.start_worker("--instance", "one")
        pipeline.publish_keyed(world[third : 2 * third])
        _wait(lambda: None, lambda: pipeline.committed(names.access) == 2 * third)
        assert _owned(kafka, names) == before

        first.kill()
        first = pipeline.start_worker("--instance", "one")
        pipeline.publish_keyed(world[2 * third :])
        _wait(lambda: None, lambda: pipeline.committed(names.access) == len(world))
        assert _owned(kafka, names) == before
        assert _changes(second) == changes
        assert (first.stop(), second.stop()) == (0, 0)


def _changes(worker: Child) -> int:
    """How often partitions were given to a worker or taken from it."""
    said = worker.log.read_text()
    return said.count("assigned") + said.count("revoked")


def _owned(kafka: Broker, names: TopicNames) -> dict[str, list[tuple[str, int]]]:
    """A member's name → the partitions that it has."""
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        group = admin.describe_groups([names.app_id])[names.app_id]
    return {
        member["group_instance_id"]: sorted(
            (one["topic"], number)
            for one in member["member_assignment"]["assigned_partitions"]
            for number in one["partitions"]
        )
        for member in group["members"]
    }


def _coordinator(cluster: Cluster, group: str) -> int:
    """The broker that keeps a group's offsets, whose loss is felt most: the leader of the partition of its hash."""
    hashed = 0
    for letter in group.encode():
        hashed = (31 * hashed + letter) & 0xFFFFFFFF
    offsets = _partitions(cluster, ["__consumer_offsets"])
    [leader] = [
        one["leader_id"] for one in offsets if one["partition_index"] == (hashed & 0x7FFFFFFF) % len(offsets)
    ]
    return leader


def _in_sync(cluster: Cluster, names: TopicNames) -> set[int]:
    """How many brokers have all of a partition, over all partitions of some topics."""
    topics = [names.access, names.events, names.profiles_changelog]
    return {len(one["isr_nodes"]) for one in _partitions(cluster, topics)}


def _partitions(cluster: Cluster, topics: list[str]) -> list[dict[str, Any]]:
    with KafkaAdminClient(bootstrap_servers=cluster.bootstrap.split(",")) as admin:
        return [one for topic in admin.describe_topics(topics) for one in topic["partitions"]]


def _wait(meanwhile: Callable[[], None], what: Callable[[], bool]) -> None:
    """Wait for something to be true, whatever Kafka says meanwhile."""
    end = time.monotonic() + 120
    while True:
        meanwhile()
        try:
            if what():
                return
        except KafkaError:
            pass  # a broker has been lost or come back, or the group has just been made
        assert time.monotonic() < end
        time.sleep(0.3)
