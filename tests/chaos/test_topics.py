"""What happens to topics while workers run, or while they do not: a worker reads on, or says why not."""

from __future__ import annotations

import contextlib
import functools
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from detector.adapters import decode
from detector.identity.profile import PROFILES
from detector.simulation import World, records
from streams.cli.child_process import Child
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.comparison import Expected
from tests.chaos.pipeline import Pipeline, Records, in_order

pytestmark = pytest.mark.slow
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday


@pytest.mark.timeout(60, func_only=True)  # not counting the broker's start
@pytest.mark.parametrize(
    ("topic", "key"),
    [("profiles_changelog", b"t/u"), ("incidents_changelog", b"st/u"), ("profiles_changelog", b"\0tallies")],
)
def test_a_damaged_value_of_the_state_is_named_with_the_way_out(
    topic: str, key: bytes, kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """A worker ends with 2 and a sentence naming changelog, partition and key; it starts once the key is deleted."""
    changelog = getattr(names, topic)
    with Pipeline(kafka.bootstrap, names, tmp_path, 2, {}) as pipeline:
        _send(kafka, changelog, 1, (key, b"\xc1garbage"))
        worker = pipeline.start_worker()
        pipeline.workers.clear()
        assert worker.wait(30) == 2
        log = worker.log.read_text()
        last = msgspec.json.decode(log.splitlines()[-1])["message"]
        assert last.startswith(f"{changelog}/1: the value of {key.decode()} cannot be read (")
        assert "crmwatch restore --overwrite, or send that key without a value" in last
        assert "Traceback" not in log
        _send(kafka, changelog, 1, (key, None))
        second = pipeline.start_worker()
        pipeline.wait(lambda: '"recovered"' in second.log.read_text(), 25)


@functools.cache
def _world() -> Records:
    """Some hours of a small company."""
    return in_order(records(World(seed=3, start_ms=START_MS, hours=10, people=15), None), decode)


def _replayed(world: Records) -> dict[bytes, bytes]:
    """What a replay knows of the identities in the end."""
    return Expected.of(event for _, event in world).profiles


def _profiles(pipeline: Pipeline) -> dict[bytes, bytes]:
    """What the workers know of them, but for the positions of what was applied."""
    found = {}
    for key, value in pipeline.table(pipeline.names.profiles_changelog).items():
        if not key.startswith(b"\0"):
            profile = PROFILES.decode(value)
            profile.applied = {}
            found[key] = PROFILES.encode(profile)
    return found


def _get(worker: Child, path: str) -> tuple[int, str]:
    """What a worker answers."""
    address = worker.log.read_text().split("metrics on ")[-1].split("/metrics")[0]
    try:
        with urllib.request.urlopen(address + path, timeout=5) as answer:  # noqa: S310 - a loopback address of our own
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _admin(kafka: Broker) -> Any:
    return KafkaAdminClient(bootstrap_servers=kafka.bootstrap)


def _create_anew(kafka: Broker, topic: str) -> None:
    """Delete a topic of one partition, and create it again as soon as that is possible."""
    with _admin(kafka) as admin:
        admin.delete_topics([topic])
        while True:
            with contextlib.suppress(TopicAlreadyExistsError):
                admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
                return
            time.sleep(0.1)


def _send(kafka: Broker, topic: str, partition: int, *records: tuple[bytes | None, bytes | None]) -> None:
    producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for key, value in records:
        producer.send(topic, value, key=key, partition=partition)
    producer.flush()
    producer.close()


@pytest.mark.timeout(60, func_only=True)  # not counting the broker's start
def test_partitions_that_are_added_are_read(kafka: Broker, names: TopicNames, tmp_path: Path) -> None:
    """A record in a partition that the access topic gets while a worker runs is read; a worker that starts later reads
    it too, and shards stay as many as they were."""
    world = _world()
    with Pipeline(kafka.bootstrap, names, tmp_path, 1, {}) as pipeline:
        first = pipeline.start_worker()
        pipeline.publish_keyed(world[:100])
        pipeline.wait(lambda: pipeline.committed(names.access) == 100, 25)
        with _admin(kafka) as admin:
            admin.create_partitions({names.access: 2})
        _send(kafka, names.access, 1, *((None, raw.record) for raw, _ in world[100:150]))
        pipeline.wait(lambda: pipeline.committed(names.access) == 150, 40)
        assert first.stop() == 0
        pipeline.workers.clear()
        pipeline.start_worker()
        _send(kafka, names.access, 1, *((None, raw.record) for raw, _ in world[150:200]))
        pipeline.wait(lambda: pipeline.committed(names.access) == 200, 25)
        pipeline.wait(lambda: _profiles(pipeline) == _replayed(world[:200]), 20)


@pytest.mark.timeout(60, func_only=True)  # not counting the broker's start
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_topic_that_is_created_anew_is_read_from_its_beginning(
    running: bool, kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """Records of an access topic that was deleted and created again are read and applied, although their offsets lie
    below those that were applied before, whether workers ran meanwhile or not."""
    world = _world()
    with Pipeline(kafka.bootstrap, names, tmp_path, 1, {}) as pipeline:
        worker = pipeline.start_worker()
        pipeline.publish_keyed(world[:300])
        pipeline.wait(lambda: pipeline.committed(names.access) == 300, 25)
        if not running:
            assert worker.stop() == 0
            pipeline.workers.clear()
        _create_anew(kafka, names.access)
        pipeline.publish_keyed(world[300:500])
        if not running:
            pipeline.start_worker()
        pipeline.wait(lambda: _profiles(pipeline) == _replayed(world[:500]), 40)


@pytest.mark.timeout(60, func_only=True)  # not counting the broker's start
@pytest.mark.parametrize("left", [40, 0], ids=["some are left", "none is left"])
def test_records_that_retention_took_unread_are_counted(
    left: int, kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """Of 100 records that came while no worker ran, those deleted before one started are in its log and in a metric;
    the others and what comes then is read."""
    world = _world()
    with Pipeline(kafka.bootstrap, names, tmp_path, 1, {}) as pipeline:
        pipeline.publish_keyed(world[:50])
        first = pipeline.start_worker()
        pipeline.wait(lambda: pipeline.committed(names.access) == 50, 25)
        assert first.stop() == 0
        pipeline.workers.clear()
        pipeline.publish_keyed(world[50:150])
        with _admin(kafka) as admin:
            admin.delete_records({TopicPartition(names.access, 0): 150 - left})
        worker = pipeline.start_worker()
        dropped = f'{names.access}/0: retention deleted {100 - left} records that nobody had read"'
        pipeline.wait(lambda: dropped in worker.log.read_text(), 20)
        pipeline.publish_keyed(world[150:200])
        kept = [*world[:50], *world[150 - left : 200]]
        pipeline.wait(lambda: _profiles(pipeline) == _replayed(kept), 25)
        assert pipeline.committed(names.access) == 200
        metrics = _get(worker, "/metrics")[1]
        assert f'crmwatch_dropped_records_total{{topic="{names.access}"}} {100 - left}.0' in metrics
        assert f'crmwatch_dropped_records_total{{topic="{names.events}"}} 0.0' in metrics


@pytest.mark.timeout(60, func_only=True)  # not counting the broker's start
def test_a_topic_that_nobody_reads_makes_workers_unready(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """Without its access topic a worker is alive but not ready, says which topic is missing, and counts it; it is ready
    again once there is one."""
    with Pipeline(kafka.bootstrap, names, tmp_path, 1, {}) as pipeline:
        worker = pipeline.start_worker()
        pipeline.wait(lambda: '"recovered"' in worker.log.read_text(), 20)
        assert _get(worker, "/ready")[0] == 200
        with _admin(kafka) as admin:
            admin.delete_topics([names.access])
            missing = (503, f"{names.access}: the topic does not exist\n")
            pipeline.wait(lambda: _get(worker, "/ready") == missing, 30)
            assert _get(worker, "/live")[0] == 200
            unread = f'crmwatch_unread_partitions{{topic="{names.access}"}} '
            assert f"{unread}1.0" in _get(worker, "/metrics")[1]
            admin.create_topics({names.access: {"num_partitions": 1, "replication_factor": 1}})
        pipeline.wait(lambda: _get(worker, "/ready")[0] == 200, 25)
        pipeline.wait(lambda: f"{unread}0.0" in _get(worker, "/metrics")[1], 10)
