"""Whatever lies in the access topic: a dead letter with reason and position, and on it goes."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import MessageSizeTooLargeError

from detector.adapters import decode
from detector.simulation import World, records
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.comparison import Expected
from tests.chaos.pipeline import Pipeline, Records, in_order

START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
PARTITIONS = 3
HUGE_BYTES = 10_000_000


def world() -> Records:
    """Two days of 24 identities."""
    made = World(seed=8, start_ms=START_MS, hours=48, people=20, integrations=4)
    return in_order(records(made, None), decode)


def bad() -> list[tuple[bytes | None, str]]:
    """Records that are none, with the reason that each is put aside for."""
    noise = random.Random(1)
    event = {
        "EVENT_TYPE": "API",
        "TIMESTAMP": "20991231235959.000",
        "USER_ID": "0054R0000000001",
        "ORGANIZATION_ID": "00D4R000001kSky",
    }
    return [
        *((noise.randbytes(size), "unknown_format") for size in (1, 7, 300, 70_000)),
        (None, "unknown_format"),
        (b"", "unknown_format"),
        (b"[" * 200_000, "unknown_format"),
        (b'{"a":' * 100_000, "malformed"),
        (b'{"EVENT_TYPE": "API", "TIMESTAMP": 7}', ""),
        (msgspec.json.encode(event), "future"),
        (msgspec.json.encode(event | {"TIMESTAMP": "99999999999999.000"}), ""),
        (msgspec.json.encode(event | {"TIMESTAMP": None}), ""),
        (msgspec.json.encode(event | {"USER_ID": None}), ""),
        (b"{" + b" " * HUGE_BYTES + b"}", "too_large"),
    ]


@pytest.mark.timeout(240)
def test_bad_records_in_every_partition_stop_nothing(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """Garbage, nulls, 10 MB, wrong schemas and times in 2099 before, among and behind good records that come twice and
    out of order: each bad one is one dead letter with reason and position, lag is 0, and every identity is known."""
    events = world()
    expected = Expected.of(event for _, event in events)
    with Pipeline(
        kafka.bootstrap, names, tmp_path, PARTITIONS, {"keyed": False, "idle_seconds": 1.0}
    ) as pipeline:
        _allow(kafka.bootstrap, names.access, 2 * HUGE_BYTES)
        worker = pipeline.start_worker()
        # A record refused while the topic's new limit is on its way would end an idempotent producer.
        producer: Any = KafkaProducer(
            bootstrap_servers=kafka.bootstrap, max_request_size=3 * HUGE_BYTES, enable_idempotence=False
        )
        _until_taken(producer, names.access, b"{" + b" " * HUGE_BYTES + b"}")
        futures = []
        for start in (0, len(events) // 2, len(events)):
            for partition in range(PARTITIONS):
                for value, _ in bad():
                    futures.append(producer.send(names.access, key=b"k", value=value, partition=partition))
            stretch = events[start : start + len(events) // 2]
            for number, (raw, _) in enumerate(stretch):
                # In an order of its own within some minutes, and every tenth once more in another partition.
                for copy in range(2 if number % 10 == 0 else 1):
                    partition = (number + copy) % PARTITIONS
                    futures.append(producer.send(names.access, value=raw.record, partition=partition))
        for future in futures:
            future.get(timeout=60)
        producer.close()
        sent = len(futures) + 1
        assert pipeline.end(names.access) == sent
        pipeline.wait(lambda: pipeline.committed(names.access) == sent, 90)
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)

        letters = [msgspec.json.decode(message.value) for message in pipeline.read(names.deadletters)]
        assert (
            len(letters) == len({letter["position"] for letter in letters}) == 3 * PARTITIONS * len(bad()) + 1
        )
        assert Counter(letter["position"].rpartition("/")[0] for letter in letters) == {
            f"{names.access}/{number}": 3 * len(bad()) + (number == 0) for number in range(PARTITIONS)
        }
        reasons = Counter(letter["reason"] for letter in letters)
        for reason, times in Counter(reason for _, reason in bad() if reason).items():
            assert reasons[reason] >= 3 * PARTITIONS * times, reasons
        huge = [letter for letter in letters if letter["reason"] == "too_large"]
        assert {letter["record_bytes"] for letter in huge} == {HUGE_BYTES + 2}
        table = pipeline.table(names.profiles_changelog)
        known = {key for key in table if not key.startswith(b"\x00")}
        assert known == set(expected.profiles)
        assert worker.exit_code is None
        assert worker.stop() == 0


def _until_taken(producer: Any, topic: str, value: bytes) -> None:
    """Send a record to partition 0, again and again for half a minute while it is refused as too large."""
    for _ in range(300):
        try:
            producer.send(topic, key=b"k", value=value, partition=0).get(timeout=30)
        except MessageSizeTooLargeError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"{topic} takes no record of {len(value)} bytes")


def _allow(bootstrap: str, topic: str, size: int) -> None:
    """Let a topic take records that are larger than crmwatch's own topics do."""
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.alter_configs([ConfigResource("TOPIC", topic, {"max.message.bytes": str(size)})])
