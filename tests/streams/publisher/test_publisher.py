from __future__ import annotations

import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from detector.adapters import RecordError
from detector.adapters.generic import Mapping
from streams.cli.child_process import Child
from streams.files.reader import ReadError, read_in_order
from streams.kafka.embedded.broker import Broker
from streams.kafka.messages import POSITION_HEADER
from streams.kafka.topics import TopicNames, ensure, plan
from streams.publisher import resume
from streams.publisher.interruption import Interruption
from streams.publisher.publisher import Published, PublishError, publish, publish_files
from streams.publisher.resume import RUN_HEADER, SEQUENCE_HEADER, PublishRun, fingerprint, published_before

PARTITIONS = 4
START_MS = 1_772_409_600_000


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way into the log here, but for what a killed child had sent."""
    monkeypatch.setattr(resume, "SETTLE_SECONDS", 0.2)


@pytest.fixture
def access(kafka: Broker, names: TopicNames) -> str:
    """An access topic of the test's own."""
    assert ensure(kafka.bootstrap, plan(PARTITIONS, 1, names)[:1]) == []
    return names.access


def write_logs(path: Path, count: int, seed: int = 1) -> None:
    """Rows as Salesforce gives them, of 60 users, a second apart and shuffled; every 50th record is broken."""
    rows = []
    for number in range(count):
        moment = time.gmtime(START_MS / 1000 + number)
        row = {
            "EVENT_TYPE": "RestApi",
            "TIMESTAMP": time.strftime("%Y%m%d%H%M%S.000", moment),
            "TIMESTAMP_DERIVED": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", moment),
            "REQUEST_ID": f"TID:{number:08d}",
            "ORGANIZATION_ID": "00D4R000001kSky",
            "USER_ID": f"0054R{number * 7 % 60:010d}",
            "ROWS_PROCESSED": "7",
        }
        encoded = msgspec.json.encode(row)
        rows.append(encoded if number % 50 else encoded[: len(encoded) // 2])
    random.Random(seed).shuffle(rows)
    path.write_bytes(b"\n".join(rows) + b"\n")


def log_of(bootstrap: str, topic: str) -> dict[int, list[Any]]:
    """All records of a topic by partition, in the log's order."""
    consumer: Any = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, one) for one in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: dict[int, list[Any]] = {one.partition: [] for one in partitions}
        end = time.monotonic() + 60
        while any(consumer.position(one) < ends[one] for one in partitions):
            assert time.monotonic() < end, "it cannot be read to its end"
            for partition, messages in consumer.poll(timeout_ms=500).items():
                found[partition.partition] += messages
        return found
    finally:
        consumer.close()


def count_of(bootstrap: str, topic: str) -> int:
    """How many records a topic has."""
    consumer: Any = KafkaConsumer(bootstrap_servers=bootstrap)
    try:
        partitions = [TopicPartition(topic, one) for one in consumer.partitions_for_topic(topic)]
        return int(sum(consumer.end_offsets(partitions).values()))
    finally:
        consumer.close()


def assert_exact(bootstrap: str, topic: str, paths: Sequence[str], runs: int = 1) -> None:
    """Every record is there once per run, with its key, position and number; each partition in the run's order."""
    wanted = [
        (
            number,
            raw.record,
            None if isinstance(result, RecordError) else result.identity.encode(),
            raw.position,
        )
        for number, (raw, result) in enumerate(read_in_order(paths))
    ]
    assert sum(key is not None for _, _, key, _ in wanted) == len(wanted) - -(-len(wanted) // 50)
    by_run: dict[bytes, list[tuple[int, bytes, bytes | None, str]]] = defaultdict(list)
    places: dict[bytes, set[int]] = defaultdict(set)
    for partition, messages in log_of(bootstrap, topic).items():
        order: dict[bytes, list[int]] = defaultdict(list)
        for message in messages:
            headers = dict(message.headers)
            number = int(headers[SEQUENCE_HEADER])
            order[headers[RUN_HEADER]].append(number)
            position = headers[POSITION_HEADER].decode()
            by_run[headers[RUN_HEADER]].append((number, message.value, message.key, position))
            if message.key is not None:
                places[message.key].add(partition)
        assert all(numbers == sorted(numbers) for numbers in order.values())
    assert len(by_run) == runs
    for found in by_run.values():
        assert sorted(found) == wanted
    assert all(len(partitions) == 1 for partitions in places.values())


def test_a_publish_killed_twice_and_resumed_has_every_record_once(
    kafka: Broker, access: str, tmp_path: Path
) -> None:
    """SIGKILL in the middle, a resumed run killed, too, and another resumed: nothing lost, doubled or moved."""
    logs = tmp_path / "logs.jsonl"
    write_logs(logs, 60_000)
    arguments = ["publish", str(logs), "--bootstrap", kafka.bootstrap]
    counts = []
    for index, (wait_for, more) in enumerate(((15_000, []), (15_000, ["--resume"]), (None, ["--resume"]))):
        before = count_of(kafka.bootstrap, access)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CRMWATCH_TOPICS_ACCESS", access)
            child = Child([*arguments, *more], tmp_path / f"log-{index}")
        try:
            if wait_for is None:
                assert child.wait(200) == 0, child.log.read_text()
            else:
                wait(lambda start=before, by=wait_for: count_of(kafka.bootstrap, access) >= start + by)  # type: ignore[misc]
                assert child.exit_code is None, child.log.read_text()
        finally:
            if child.exit_code is None:
                child.kill()
        counts.append(count_of(kafka.bootstrap, access))
    assert 0 < counts[0] < counts[1] < counts[2] == 60_000
    told = (tmp_path / "log-2").read_text()
    assert f"published to {access}; {counts[1]:,} were already there\n" in told
    assert_exact(kafka.bootstrap, access, [str(logs)])


def wait(what: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait for something to be true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


@pytest.mark.parametrize(("arguments", "count"), [([], 60_000), (["--speed", "60x"], 5_000)])
def test_an_interrupted_publish_flushes_and_says_how_to_go_on(
    kafka: Broker, access: str, tmp_path: Path, arguments: list[str], count: int
) -> None:
    """SIGINT, at full speed and while it waits for its time: exit 130, what it counted is there, and how to resume."""
    logs = tmp_path / "logs.jsonl"
    write_logs(logs, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRMWATCH_TOPICS_ACCESS", access)
        child = Child(["publish", str(logs), "--bootstrap", kafka.bootstrap, *arguments], tmp_path / "log")
    try:
        # The broken records, every 50th, come first.
        wait(lambda: count_of(kafka.bootstrap, access) > count // 50 + 20)
        assert child.exit_code is None, child.log.read_text()
        os.kill(child.pid, signal.SIGINT)
        assert child.wait(60) == 130
    finally:
        if child.exit_code is None:
            child.kill()
    told = child.log.read_text()
    there = count_of(kafka.bootstrap, access)
    assert there < count
    assert f"{there:,} records (" in told
    assert "Interrupted at 2026-03-02 " in told
    assert "The same command with --resume continues from what is in Kafka." in told
    assert "Traceback" not in told
    done = publish_files(kafka.bootstrap, access, [str(logs)], resume=True)
    assert (done.already, done.records, done.interrupted) == (there, count - there, False)
    if count <= 5_000:
        assert_exact(kafka.bootstrap, access, [str(logs)])


def test_what_is_there_in_each_partition_is_told_from_its_newest_record(
    kafka: Broker, access: str, tmp_path: Path
) -> None:
    """Behind many records of others, and after an older run of the same files, the newest run alone counts."""
    logs = tmp_path / "logs.jsonl"
    write_logs(logs, 400)
    every = list(read_in_order([str(logs)]))
    mark = fingerprint([str(logs)], ())
    assert mark is not None
    publish(kafka.bootstrap, access, every, mark=mark)
    publish(kafka.bootstrap, access, every[:3], mark=mark)  # broken ones, which go by turns
    others: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=20)
    for number in range(3_000):
        headers = [(RUN_HEADER, b"somebody else's"), (SEQUENCE_HEADER, b"9")] if number % 2 else []
        others.send(access, b"{}", headers=headers, partition=number % PARTITIONS)
    others.close()
    found = published_before(kafka.bootstrap, access, mark)
    assert found is not None
    run, last = found
    assert (run.fingerprint, run.partitions, last) == (mark, PARTITIONS, {0: 0, 1: 1, 2: 2})
    done = publish(kafka.bootstrap, access, every, mark=mark, resume=True)
    assert (done.already, done.records) == (3, 397)
    again = published_before(kafka.bootstrap, access, mark)
    assert again is not None
    assert again[0] == run
    done = publish(kafka.bootstrap, access, every, mark=mark, resume=True)
    assert (done.already, done.records, done.keyed, done.size_bytes) == (400, 0, 0, 0)
    assert count_of(kafka.bootstrap, access) == 400 + 400 + 3_000


def test_a_run_that_cannot_be_resumed_is_refused(kafka: Broker, access: str, tmp_path: Path) -> None:
    """On an empty topic it begins; with others' records alone, or after more partitions came, it says why not."""
    logs = tmp_path / "logs.jsonl"
    write_logs(logs, 100)
    assert publish_files(kafka.bootstrap, access, [str(logs)], resume=True).records == 100
    with logs.open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(PublishError, match=rf"{access} has nothing of these files as they are now"):
        publish_files(kafka.bootstrap, access, [str(logs)], resume=True)
    write_logs(logs, 100)
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.create_partitions({access: PARTITIONS + 1})
    wait(lambda: len(log_of(kafka.bootstrap, access)) == PARTITIONS + 1)
    with pytest.raises(PublishError, match=r"had 4 partitions when run .* began and has 5 now"):
        publish_files(kafka.bootstrap, access, [str(logs)], resume=True)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PublishError, match="only files can be resumed"):
        publish_files(kafka.bootstrap, access, [str(tmp_path / "pipe")], resume=True)
    assert count_of(kafka.bootstrap, access) == 100


def test_the_same_files_published_twice_are_two_runs(kafka: Broker, access: str, tmp_path: Path) -> None:
    """Without being asked to resume, everything is sent again, under the same fingerprint and another run."""
    logs = tmp_path / "logs.jsonl"
    write_logs(logs, 300)
    first = publish_files(kafka.bootstrap, access, [str(logs)])
    second = publish_files(kafka.bootstrap, access, [str(logs)])
    assert first.run == second.run == fingerprint([str(logs)], ())
    assert_exact(kafka.bootstrap, access, [str(logs)], runs=2)


def test_a_fingerprint_tells_all_that_decides_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content, name, order of the paths, mappings and release change it; its time does not; streams have none."""
    monkeypatch.chdir(tmp_path)
    Path("a").write_bytes(b"{}\n")
    Path("b").write_bytes(b"[]\n")
    mapping = Mapping(name="other", marked_by=("a",), time="t", actor="u")
    of_both = fingerprint(["a", "b"], ())
    found = [of_both, fingerprint(["b", "a"], ()), fingerprint(["./a", "b"], ()), fingerprint(["a"], ())]
    found.append(fingerprint(["a", "b"], (mapping,)))
    os.utime("a", (1, 1))
    assert fingerprint(["a", "b"], ()) == of_both
    Path("b").write_bytes(b"{]\n")
    found.append(fingerprint(["a", "b"], ()))
    monkeypatch.setattr(resume, "version", lambda name: "0.0.0.dev1")
    found.append(fingerprint(["a", "b"], ()))
    assert len(set(found)) == len(found) == 7
    assert all(one is not None and len(one) == 16 for one in found)
    assert fingerprint(["-"], ()) is None
    os.mkfifo("pipe")
    assert fingerprint(["a", "pipe"], ()) is None
    with pytest.raises(ReadError, match="missing: no such file"):
        fingerprint(["missing"], ())


def test_operators_mappings_give_records_their_keys(kafka: Broker, access: str, tmp_path: Path) -> None:
    """What no built-in adapter knows is keyed by the actor that the mapping finds, and in the order of its times."""
    logs = tmp_path / "own.jsonl"
    rows = [{"crm": "own", "when": START_MS + at * 1000, "who": f"u{at % 3}"} for at in (5, 3, 4, 1, 2)]
    logs.write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    mapping = Mapping(name="own", marked_by=("crm=own",), time="when", actor="who")
    assert publish_files(kafka.bootstrap, access, [str(logs)]).keyed == 0
    assert publish_files(kafka.bootstrap, access, [str(logs)], mappings=[mapping]).keyed == 5
    messages = [one for part in log_of(kafka.bootstrap, access).values() for one in part if one.key]
    found = sorted(
        (int(dict(one.headers)[SEQUENCE_HEADER]), one.key, msgspec.json.decode(one.value)["when"])
        for one in messages
    )
    assert found == [(at - 1, f"own/u{at % 3}".encode(), START_MS + at * 1000) for at in (1, 2, 3, 4, 5)]


def test_progress_says_how_far_it_is(kafka: Broker, access: str, tmp_path: Path) -> None:
    """Records, size, event time and how far behind the requested speed; full speed is never behind."""
    logs = tmp_path / "logs.jsonl"
    write_logs(logs, 1_000)
    seen: list[Published] = []
    done = publish_files(
        kafka.bootstrap, access, [str(logs)], 500.0, lambda now: seen.append(msgspec.structs.replace(now))
    )
    assert len(seen) > 3
    assert seen[-1] == done
    assert [now.records for now in seen] == sorted(now.records for now in seen)
    assert (done.records, done.keyed, done.already, done.interrupted) == (1_000, 980, 0, False)
    assert done.time_ms == START_MS + 999_000
    assert done.size_bytes == sum(len(raw.record) for raw, _ in read_in_order([str(logs)]))
    assert done.behind_seconds is not None
    assert done.behind_seconds >= 0
    assert publish_files(kafka.bootstrap, access, [str(logs)]).behind_seconds is None


def test_an_interruption_comes_between_two_items() -> None:
    """SIGINT while an item is worked on waits for its end; while one is waited for, or a second time, it does not."""
    taken: list[int] = []

    def work(items: Iterable[int], signals: int) -> None:
        with Interruption() as interruption:
            for item in interruption.between(items):
                if item == 2:
                    for _ in range(signals):
                        os.kill(os.getpid(), signal.SIGINT)
                taken.append(item)

    def waited_for() -> Iterator[int]:
        yield 10
        os.kill(os.getpid(), signal.SIGINT)
        yield 11

    for items, signals, done in ((range(5), 1, [0, 1, 2]), (range(5), 2, [0, 1]), (waited_for(), 0, [10])):
        taken.clear()
        with pytest.raises(KeyboardInterrupt):
            work(items, signals)
        assert taken == done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_runs_header_is_read_as_it_was_written() -> None:
    """Its fingerprint, start and partitions; what is not one of ours is nobody's."""
    run = PublishRun(fingerprint="00c0ffee00c0ffee", started_ms=START_MS, partitions=8)
    headers = [("other", None), (RUN_HEADER, run.header), (SEQUENCE_HEADER, b"41")]
    assert resume._run_of(headers, run.fingerprint) == (run, 41)
    assert resume._run_of(headers, "f" * 16) is None
    for broken in (b"", b"00c0ffee00c0ffee", b"00c0ffee00c0ffee.x.8", b"\xff.1.8", b"00c0ffee00c0ffee.1.8.9"):
        assert resume._run_of([(RUN_HEADER, broken), (SEQUENCE_HEADER, b"41")], run.fingerprint) is None
    assert resume._run_of([(RUN_HEADER, run.header)], run.fingerprint) is None
    assert resume._run_of([(RUN_HEADER, run.header), (SEQUENCE_HEADER, b"x")], run.fingerprint) is None
