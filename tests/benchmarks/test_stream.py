from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.feed import fill, steadily, world
from benchmarks.kills import Damage, held_against, known_users
from benchmarks.peers.job import Level, Task, value_of
from benchmarks.peers.process import PEERS, Peer, Running
from benchmarks.stream import compare, kill, make
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames

THEFT = (b"user-007", b'{"RECORDS_PROCESSED":"60000"}')
OURS = PEERS[0]


def read(bootstrap: str, topic: str, partitions: int, records: int) -> list[Any]:
    """So many records of a topic, or as many as come in a while."""
    consumer: Any = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
    consumer.seek_to_beginning()
    found: list[Any] = []
    end = time.monotonic() + 30
    while len(found) < records and time.monotonic() < end:
        for batch in consumer.poll(timeout_ms=500).values():
            found += batch
    consumer.close()
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("peer", PEERS, ids=[peer.name for peer in PEERS])
def test_every_peer_finds_the_same_theft(
    peer: Peer, kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """It takes all records, and of 3,000 ordinary ones and a theft it sends that one on, with its user for a key."""
    if not peer.installed:
        pytest.skip(f"{peer.package} is not installed")
    quiet = known_users(3_000)
    make(kafka.bootstrap, (names.access, names.alerts), 2)
    fill(kafka.bootstrap, names.access, 2, [*quiet[:2_000], THEFT, *quiet[2_000:]])
    task = Task(
        bootstrap=kafka.bootstrap,
        topic=names.access,
        partitions=2,
        alerts=names.alerts,
        group=names.app_id,
        folder=str(tmp_path / "peer"),
        events=3_001,
    )
    with Running(peer, task) as running:
        report = running.report(120)
        alerts = read(kafka.bootstrap, names.alerts, 2, 1)
    assert report.records == 3_001
    assert report.alerts == 1
    assert [(alert.key, alert.value) for alert in alerts] == [THEFT]
    assert report.seconds > 0
    assert report.cpu_seconds > 0
    assert report.peak_mb > 10


@pytest.mark.timeout(400)
def test_all_are_compared_in_one_run(
    kafka: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worker and our own frame are timed and shown; killed half-way, our frame loses and doubles nothing."""
    found = compare(kafka.bootstrap, tmp_path, world(600, 20), 1, ("whole", "simple"), [OURS])
    assert list(found) == ["crmwatch worker, keyed", "crmwatch worker, unkeyed", OURS.name]
    assert all(len(each) == 1 and each[0].rate > 0 and each[0].peak_mb > 10 for each in found.values())
    damage = kill(kafka.bootstrap, tmp_path, [OURS], 1_600, 250)[OURS.name]
    assert isinstance(damage, Damage)
    assert (damage.lost, damage.doubled) == (0, 0)
    assert damage.away_seconds > 0
    printed = capsys.readouterr().out
    assert "600 records, 4 partitions, medians of 1 runs" in printed
    assert "killed with half of them taken" in printed


def test_a_peer_that_fails_is_no_measurement(tmp_path: Path) -> None:
    """What it said last is said instead."""
    task = Task(bootstrap="", topic="", partitions=0, alerts="", group="", folder=str(tmp_path))
    broken = Peer(name="broken", module="missing", package="faust")
    with Running(broken, task) as running, pytest.raises(RuntimeError, match="No module named"):
        running.report(60)


def test_a_level_goes_on_from_its_numbers() -> None:
    """A level that went through its numbers at each step decides and ends as one that was kept."""
    draw = random.Random(5)
    kept, numbers = Level(), Level().numbers
    for _ in range(300):
        value = draw.lognormvariate(1, 1)
        restored = Level(*numbers)
        assert restored.is_far(value) == kept.is_far(value)
        numbers = restored.numbers
    assert numbers == pytest.approx(kept.numbers)
    assert kept.count == 300


def test_a_records_rows_are_its_value() -> None:
    """Whatever the column, by their logarithm; a record without rows counts as one."""
    assert value_of(b'{"ROW_COUNT":"0","USER_ID":"x"}') == 0
    assert value_of(b'{"ROWS_PROCESSED":"20"}') == value_of(b'{"RECORDS_PROCESSED":"20"}') > 3
    assert value_of(b"{}") == value_of(b'{"ROW_COUNT":"1"}')


def test_counts_are_held_against_the_log() -> None:
    """Fewer than there were are lost, more are doubled, and a user without a count has lost all."""
    counts = {f"user-{number:03d}": 5 for number in range(100)}
    assert held_against(counts, 500) == (0, 0)
    assert held_against(counts | {"user-001": 3, "user-002": 9}, 500) == (2, 4)
    del counts["user-099"]
    assert held_against(counts, 500) == (5, 0)


def test_a_feed_keeps_kafkas_places_and_its_rate(kafka: Broker, names: TopicNames) -> None:
    """Keys lie where Kafka's own client puts them, in their order; a steady feed takes its time, and ends when told."""
    make(kafka.bootstrap, (names.access,), 3)
    keyed = [(b"key-%d" % (number % 11), b"%d" % number) for number in range(220)]
    fill(kafka.bootstrap, names.access, 3, keyed[:110])
    assert steadily(kafka.bootstrap, names.access, 3, keyed[110:], rate=220) >= 0.5
    assert steadily(kafka.bootstrap, names.access, 3, keyed, rate=1, stopped=lambda: True) < 30
    found = read(kafka.bootstrap, names.access, 3, 220)
    for key in {key for key, _ in keyed}:
        values = [record.value for record in found if record.key == key]
        assert values == [value for other, value in keyed if other == key]
    producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    places = {key: producer.send(names.access, key=key, value=b"").get(30).partition for key, _ in keyed}
    producer.close()
    assert all(places[record.key] == record.partition for record in found)
