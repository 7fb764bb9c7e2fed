"""A pipeline of real workers on a real broker, and what one can see of it from outside."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

from detector.adapters import RecordError
from detector.event import AccessEvent
from streams.cli.child_process import Child
from streams.files.reader import FileRecord
from streams.kafka.messages import POSITION_HEADER
from streams.kafka.topics import TopicNames, ensure, plan
from streams.publisher.publisher import publish

Records = Sequence[tuple[FileRecord, AccessEvent | RecordError]]


class Pipeline:
    """Topics of its own and some workers; ends what it started."""

    def __init__(
        self,
        bootstrap: str,
        names: TopicNames,
        folder: Path,
        partitions: int,
        settings: Mapping[str, Any],
        sections: Mapping[str, Any] | None = None,
        replication: int = 1,
    ) -> None:
        self.bootstrap = bootstrap
        self.names = names
        self.partitions = partitions
        self._folder = folder
        self.settings = folder / "crmwatch.toml"
        worker = {"bootstrap": bootstrap, "metrics_port": 0, **settings}
        self._sections = {"worker": worker, "topics": msgspec.structs.asdict(names), **(sections or {})}
        self.settings.write_bytes(msgspec.toml.encode(self._sections))
        self.workers: list[Child] = []
        assert ensure(bootstrap, plan(partitions, replication, names)) == []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            if worker.exit_code is None:
                worker.kill()

    def set(self, section: str, key: str, value: Any) -> None:
        """Set something for the workers that are started from now on."""
        self._sections[section][key] = value
        self.settings.write_bytes(msgspec.toml.encode(self._sections))

    def start_worker(self, *flags: str) -> Child:
        """One more worker."""
        log = self._folder / f"worker-{len(self.workers)}.log"
        worker = Child(["worker", "--settings", str(self.settings), *flags], log)
        self.workers.append(worker)
        return worker

    def publish_keyed(self, records: Iterable[tuple[FileRecord, AccessEvent | RecordError]]) -> None:
        """As `crmwatch publish` does."""
        publish(self.bootstrap, self.names.access, records)

    def publish_spread(
        self, records: Iterable[tuple[FileRecord, AccessEvent | RecordError]], seed: int
    ) -> None:
        """In the same order, but each record to a partition drawn at random."""
        draw = random.Random(seed)
        producer: Any = KafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=20, batch_size=262_144)
        for raw, _ in records:
            producer.send(
                self.names.access,
                value=raw.record,
                partition=draw.randrange(self.partitions),
                headers=[(POSITION_HEADER, raw.position.encode())],
            )
        producer.flush(timeout=300)  # the broker may be away for a while
        producer.close()

    def committed(self, topic: str) -> int:
        """The sum of the group's committed offsets."""
        try:
            with self._client() as admin:
                offsets = admin.list_group_offsets(self.names.app_id)[self.names.app_id]
        except (
            CoordinatorLoadInProgressError,
            CoordinatorNotAvailableError,
            NotCoordinatorError,
        ):  # the group's first minute
            return 0
        return sum(found.offset for tp, found in offsets.items() if tp.topic == topic and found.offset > 0)

    def assignments(self) -> dict[str, int]:
        """Member of the group → how many partitions it has."""
        with self._client() as admin:
            group = admin.describe_groups([self.names.app_id])[self.names.app_id]
        return {
            member["member_id"]: sum(
                len(one["partitions"])
                for one in (member["member_assignment"] or {"assigned_partitions": []})["assigned_partitions"]
            )
            for member in group["members"]
        }

    def _client(self) -> Any:
        # A new one each time: a client asks the coordinator that it once found, also after the group has another.
        return KafkaAdminClient(bootstrap_servers=self.bootstrap)

    def end(self, topic: str) -> int:
        """The sum of a topic's end offsets."""
        return sum(self._ends(topic).values())

    def lag(self) -> dict[str, int]:
        """Records of each topic that the group has yet to commit."""
        topics = (self.names.access, self.names.events, self.names.signals)
        return {topic: self.end(topic) - self.committed(topic) for topic in topics}

    def wait(self, what: Any, seconds: float) -> None:
        """Wait for something to be true; a worker that ends by itself is a failure."""
        end = time.monotonic() + seconds
        while not what():
            gone = [worker for worker in self.workers if worker.exit_code not in (None, -9)]
            assert not gone, f"a worker ended: {gone[0].log.read_text()[-2000:]}"
            assert time.monotonic() < end, f"not within {seconds} s; lag {self.lag()}"
            time.sleep(0.1)

    def read(self, topic: str) -> list[Any]:
        """All messages of a topic, up to its present end."""
        ends = self._ends(topic)
        consumer: Any = KafkaConsumer(
            bootstrap_servers=self.bootstrap, enable_auto_commit=False, isolation_level="read_committed"
        )
        consumer.assign(list(ends))
        consumer.seek_to_beginning()
        messages: list[Any] = []
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            for batch in consumer.poll(timeout_ms=1000).values():
                messages += batch
        consumer.close()
        return messages

    def table(self, topic: str) -> dict[bytes, bytes]:
        """What a changelog holds in the end."""
        values: dict[bytes, bytes] = {}
        for message in self.read(topic):
            if message.value is None:
                values.pop(message.key, None)
            else:
                values[message.key] = message.value
        return values

    def _ends(self, topic: str) -> dict[Any, int]:
        consumer: Any = KafkaConsumer(bootstrap_servers=self.bootstrap)
        tps = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        ends: dict[Any, int] = consumer.end_offsets(tps)
        consumer.close()
        return ends


def in_order(records: Iterable[tuple[int, bytes]], decode: Any) -> Records:
    """Simulated records as a replay would read them from a file."""
    found = [
        (FileRecord(record, f"world.jsonl:{number}", "world.jsonl"), decode(record, f"world.jsonl:{number}"))
        for number, (_, record) in enumerate(records, 1)
    ]
    found.sort(key=lambda pair: (pair[1].time_ms, pair[1].event_id, pair[0].record))
    return found
