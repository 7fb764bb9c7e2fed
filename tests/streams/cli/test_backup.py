"""Backup and restore as commands, on topics that hold what a worker might have written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from typer.testing import CliRunner, Result

from detector.identity.profile import PROFILES
from streams.cli.main import app
from streams.kafka.embedded.broker import Broker
from streams.kafka.messages import POSITIONS_HEADER, EventsMessage, decode_events_message, encode
from streams.kafka.topics import TopicNames, ensure, plan
from streams.worker.ordering import with_moved_position
from tests.detector.make import event

pytestmark = pytest.mark.slow
PARTITIONS = 2
MARKS = msgspec.msgpack.encode((2, 50, 70, 0))
"""Watermarks whose last report is the first message of events."""


class Side:
    """One pipeline's topics on the shared broker, and what is in them."""

    def __init__(self, bootstrap: str, names: TopicNames, folder: Path) -> None:
        self.names = names
        self.settings = folder / f"{names.app_id}.toml"
        sections = {
            "topics": msgspec.structs.asdict(names),
            "worker": {"bootstrap": bootstrap, "session_seconds": 0.1},
        }
        self.settings.write_bytes(msgspec.toml.encode(sections))
        self._bootstrap = bootstrap
        ensure(bootstrap, plan(PARTITIONS, 1, names))
        self._producer: Any = KafkaProducer(bootstrap_servers=bootstrap)

    def close(self) -> None:
        """Disconnect."""
        self._producer.close()

    def run(self, *arguments: object) -> Result:
        """A command with this pipeline's settings."""
        given = [*map(str, arguments), "--settings", str(self.settings)]
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, given)

    def send(
        self,
        topic: str,
        *values: bytes | None,
        key: bytes | None = None,
        partition: int = 0,
        headers: Any = (),
    ) -> None:
        """Send some values."""
        for value in values:
            self._producer.send(topic, value, key=key, partition=partition, headers=list(headers))
        self._producer.flush()

    def commit(self, offsets: dict[str, int]) -> None:
        """Commit offsets of each topic's first partition, as workers do."""
        consumer: Any = self.consumer(group_id=self.names.app_id)
        places = {TopicPartition(topic, 0): OffsetAndMetadata(at, "", -1) for topic, at in offsets.items()}
        consumer.assign(list(places))
        consumer.commit(places)
        consumer.close()

    def committed(self, topic: str) -> int | None:
        """The workers' offset of a topic's first partition."""
        consumer: Any = self.consumer(group_id=self.names.app_id)
        try:
            offset: int | None = consumer.committed(TopicPartition(topic, 0))
            return offset
        finally:
            consumer.close()

    def read(self, topic: str) -> list[Any]:
        """The records of a topic's first partition."""
        consumer: Any = self.consumer()
        tp = TopicPartition(topic, 0)
        consumer.assign([tp])
        consumer.seek_to_beginning()
        end = consumer.end_offsets([tp])[tp]
        found: list[Any] = []
        while consumer.position(tp) < end:
            for records in consumer.poll(timeout_ms=500).values():
                found += records
        consumer.close()
        return found

    def consumer(self, **more: Any) -> Any:
        """A consumer that commits nothing by itself."""
        return KafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False, **more)


@pytest.fixture
def lost(kafka: Broker, names: TopicNames, tmp_path: Path) -> Iterator[Side]:
    """A pipeline whose workers have read two of three records and have not applied all events of them."""
    side = Side(kafka.bootstrap, names, tmp_path)
    profile = PROFILES.new(event())
    profile.applied = {0: 0}
    side.send(names.access, b"one", b"two", b"three")
    side.send(names.profiles_changelog, b"old", PROFILES.encode(profile), key=b"t/u")
    side.send(names.profiles_changelog, b"gone", None, key=b"t/gone")
    side.send(names.profiles_changelog, MARKS, key=b"\x00watermarks")
    side.send(names.feedback, b"a", b"b", key=b"decision")
    for offset in (0, 1):
        message = EventsMessage(source=0, watermark_ms=5, events=[(offset, msgspec.Raw(b"\xc0"))])
        side.send(names.events, encode(message))
    said = msgspec.json.encode({"e": f"elf {names.access}/0/1", "f": f"elf {names.access}/0/2"})
    side.send(names.alerts, b"alert", key=b"uid", headers=[(POSITIONS_HEADER, said)])
    side.commit({names.access: 2, names.events: 1})
    yield side
    side.close()


@pytest.fixture
def empty(kafka: Broker, names: TopicNames, tmp_path: Path) -> Iterator[Side]:
    """Topics of other names that nobody has written to: what an empty cluster has."""
    others = {key: f"new.{name}" for key, name in msgspec.structs.asdict(names).items()}
    side = Side(kafka.bootstrap, TopicNames(**others | {"access": names.access}), tmp_path)
    yield side
    side.close()


def test_the_same_cluster_is_put_back_to_the_moment_of_the_backup(lost: Side, tmp_path: Path) -> None:
    """With `--overwrite`, what came after the backup is gone from state and decisions; the access topic keeps its
    records, and is read on from where it was read then."""
    names, file = lost.names, tmp_path / "backup"
    assert lost.run("backup", file).exit_code == 0
    before = lost.read(names.profiles_changelog)[1].value
    lost.send(names.profiles_changelog, b"later", key=b"t/u")
    lost.send(names.profiles_changelog, b"later", key=b"t/later")
    lost.send(names.feedback, b"c", key=b"decision")
    lost.commit({names.access: 3, names.events: 2})

    refused = lost.run("restore", file)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("the cluster has state already, in ")
    assert "--overwrite deletes it" in refused.stderr
    assert lost.committed(names.access) == 3

    result = lost.run("restore", file, "--overwrite")
    assert result.exit_code == 0, result.output
    table = {record.key: record.value for record in lost.read(names.profiles_changelog)}
    assert {key: value for key, value in table.items() if value is not None} == {
        b"t/u": before,
        b"\x00watermarks": with_moved_position(MARKS, lambda position: position + 1),
    }
    assert [record.value for record in lost.read(names.feedback)] == [b"a", b"b"]
    assert [record.value for record in lost.read(names.access)] == [b"one", b"two", b"three"]
    assert lost.committed(names.access) == 2
    [unread] = lost.read(names.events)
    assert unread.offset == lost.committed(names.events) == 2
    assert decode_events_message(unread.value).events[0][0] == 1


def test_a_backup_names_what_it_holds(lost: Side, tmp_path: Path) -> None:
    """The command prints how many records of each topic it has copied, of state the newest values, and the checksum."""
    result = lost.run("backup", tmp_path / "backup")
    names = lost.names
    assert result.exit_code == 0
    *counts, last = result.stdout.splitlines()
    assert counts == [
        f"1 record of {names.access}",
        f"1 record of {names.events}",
        f"2 records of {names.profiles_changelog}",
        f"2 records of {names.feedback}",
        f"1 record of {names.alerts}",
    ]
    assert last.startswith(f"copied to {tmp_path / 'backup'}, SHA-256 ")


def test_nothing_is_copied_or_restored_while_a_worker_runs(lost: Side, tmp_path: Path) -> None:
    """With a member in the workers' group, both commands end with 2 and say so; no file appears, no offset moves."""
    file = tmp_path / "backup"
    assert lost.run("backup", file).exit_code == 0
    worker: Any = lost.consumer(group_id=lost.names.app_id)
    worker.subscribe([lost.names.access])
    while not worker.assignment():
        worker.poll(timeout_ms=100)
    for arguments in (("backup", tmp_path / "second"), ("restore", file, "--overwrite")):
        result = lost.run(*arguments)
        assert result.exit_code == 2
        assert result.stderr == (
            f"the group {lost.names.app_id} still has 1 worker: stop all workers first\n"
        )
    worker.close()
    assert not (tmp_path / "second").exists()
    assert lost.committed(lost.names.access) == 2


def test_a_damaged_backup_changes_nothing(lost: Side, tmp_path: Path) -> None:
    """A file with a wrong checksum is refused before anything is deleted."""
    file = tmp_path / "backup"
    assert lost.run("backup", file).exit_code == 0
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    result = lost.run("restore", file, "--overwrite")
    assert result.exit_code == 2
    assert result.stderr == f"{file}: the backup is damaged: its checksum does not match\n"
    assert len(lost.read(lost.names.feedback)) == 2


def test_state_moves_to_other_topics_of_the_same_cluster(lost: Side, empty: Side, tmp_path: Path) -> None:
    """Beside the running pipeline, topics of other names take the backup, and read the same access topic on."""
    file = tmp_path / "backup"
    assert lost.run("backup", file).exit_code == 0
    result = empty.run("restore", file)
    assert result.exit_code == 0, result.output
    assert empty.committed(empty.names.access) == 2
    assert [record.value for record in empty.read(empty.names.feedback)] == [b"a", b"b"]
    assert empty.run("restore", file).exit_code == 2


def test_another_number_of_partitions_is_refused(
    lost: Side, kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """State is kept by shard: topics with another number of partitions take no backup."""
    file = tmp_path / "backup"
    assert lost.run("backup", file).exit_code == 0
    others = {key: f"more.{name}" for key, name in msgspec.structs.asdict(names).items()}
    more = TopicNames(**others | {"access": names.access})
    ensure(kafka.bootstrap, plan(PARTITIONS + 1, 1, more))
    side = Side(kafka.bootstrap, more, tmp_path)
    result = side.run("restore", file)
    side.close()
    assert result.exit_code == 2
    assert result.stderr == (f"{more.events} has 3 partitions here and 2 in the backup\n")
