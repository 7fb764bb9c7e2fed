from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from detector.adapters import decode
from detector.decision import Decision, Kind, StepMark
from detector.decision import decode as decode_decision
from detector.simulation import Theft, World, records
from streams.cli.child_process import Child
from streams.config import Config, ConsoleSettings, WorkerSettings
from streams.console.pages.raw_record import RawRecordError, read_raw
from streams.console.service import Service
from streams.console.store import incidents
from streams.console.store.follower import Follower
from streams.console.store.freshness import Freshness
from streams.console.store.index import Index
from streams.kafka.embedded.broker import Broker
from streams.kafka.signing import Signatures, SigningSettings, Unsigned
from streams.kafka.topics import TopicNames, ensure, plan
from streams.worker.operator_inputs import OperatorInputs
from tests.detector.make import HOUR_MS
from tests.streams.console.make import NAMES, alert, content, decided, identity_record, record, ticks

PARTITIONS = 2
KEY = "the console signs with this key!"


def until(holds: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something holds; what it is then."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return found


def produce(broker: Broker, names: TopicNames, *made: Any) -> None:
    """Send records that were made for the default topics to the test's own."""
    own = {NAMES.alerts: names.alerts, NAMES.feedback: names.feedback, NAMES.activity: names.activity}
    own |= {NAMES.identities: names.identities}
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
    for one in made:
        producer.send(own[one.topic], value=one.value, key=one.key, headers=one.headers)
    producer.flush()
    producer.close()


class Following:
    """An index and what keeps it."""

    def __init__(self, broker: Broker, names: TopicNames, path: Path) -> None:
        self.config = Config(worker=WorkerSettings(bootstrap=broker.bootstrap), topics=names)
        self.freshness = Freshness()
        self.index = Index(path, names, ConsoleSettings())
        self.follower = Follower(self.index, self.freshness, self.config)
        self.follower.start()

    def caught_up(self) -> bool:
        """Whether everything has been read."""
        return self.freshness.feed.caught_up and self.freshness.feed.behind == 0

    def stop(self) -> None:
        """End it."""
        self.follower.stop()
        self.index.close()


@pytest.fixture
def topics(kafka: Broker, names: TopicNames) -> Broker:
    """The broker, with the topics of this test."""
    assert ensure(kafka.bootstrap, plan(PARTITIONS, 1, names)) == []
    return kafka


def test_the_index_follows_the_topics_and_goes_on_after_a_restart(
    topics: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """Everything from the beginning, then what is new; after a restart, and rebuilt from nothing, it is the same."""
    first = [
        alert(0),
        alert(1, "crmwatch-2"),
        *ticks(1, {"contact": 5}, {"elf/query": 3}),
        identity_record(0),
    ]
    produce(topics, names, *first)
    following = Following(topics, names, tmp_path / "a")
    until(following.caught_up)
    db = following.index.reader()
    assert {found.uid for found in incidents.open_incidents(db, 9)} == {"crmwatch-1", "crmwatch-2"}
    produce(topics, names, decided(0, Kind.DISPOSITION, reason="x"))
    until(lambda: len(incidents.open_incidents(db, 9)) == 1)
    following.stop()
    produce(topics, names, alert(2, "crmwatch-3"), identity_record(1, "v"))
    again = Following(topics, names, tmp_path / "a")
    until(again.caught_up)
    until(lambda: len(incidents.open_incidents(again.index.reader(), 9)) == 2)
    until(lambda: len(content(again.index)["identities"]) == 2)
    anew = Following(topics, names, tmp_path / "b")
    until(anew.caught_up)
    until(lambda: content(anew.index) == content(again.index))
    anew.follower.rebuild()
    until(lambda: content(anew.index) == content(again.index))
    again.stop()
    anew.stop()


def test_an_index_of_other_topics_is_built_anew(topics: Broker, names: TopicNames, tmp_path: Path) -> None:
    """If it says that more was read than there is."""
    other = Index(tmp_path / "a", names, ConsoleSettings())
    other.apply([record(names.alerts, alert(500, "crmwatch-old").value, 500)])
    other.close()
    produce(topics, names, alert(0))
    following = Following(topics, names, tmp_path / "a")
    until(following.caught_up)
    assert [one.uid for one in incidents.open_incidents(following.index.reader(), 9)] == ["crmwatch-1"]
    following.stop()


def test_topics_that_are_not_there_yet_are_waited_for(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """It says what is missing, and follows them once they are there."""
    following = Following(kafka, names, tmp_path / "a")
    until(lambda: "run crmwatch topics" in following.freshness.feed.problem)
    assert ensure(kafka.bootstrap, plan(PARTITIONS, 1, names)) == []
    produce(kafka, names, alert(0))
    until(lambda: incidents.open_incidents(following.index.reader(), 9))
    until(following.caught_up)
    assert following.freshness.feed.lost_ms is None
    following.stop()


@pytest.mark.kafka
def test_a_lost_broker_is_said_and_found_again(names: TopicNames, tmp_path: Path) -> None:
    """The command says so on its pages while Kafka is away; when it is back, what came meanwhile is on the board."""
    folder, settings = tmp_path / "kafka", tmp_path / "crmwatch.toml"
    port = free_port()

    def ask(path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                found: str = answer.read().decode()
                return found
        except OSError:
            return ""

    with Broker(folder) as first:
        ensure(first.bootstrap, plan(1, 1, names))
        produce(first, names, alert(0))
        sections = {
            "worker": {"bootstrap": first.bootstrap},
            "topics": msgspec.structs.asdict(names),
            "console": {"port": port},
        }
        settings.write_bytes(msgspec.toml.encode(sections))
        child = Child(["console", "--settings", str(settings)], tmp_path / "console.log")
        try:
            until(lambda: "/incidents/crmwatch-1" in ask("/"))
            assert "Kafka has not answered" not in ask("/")
            broker = int(first.bootstrap.rpartition(":")[2])
        except BaseException:
            child.kill()
            raise
    try:
        until(lambda: "Kafka has not answered since" in ask("/"))
        assert "/incidents/crmwatch-1" in ask("/")
        assert ask("/live") == "live\n"
        with Broker(folder, port=broker) as second:
            produce(second, names, alert(1, "crmwatch-2"))
            until(lambda: "/incidents/crmwatch-2" in ask("/"), 90)
            assert "Kafka has not answered" not in ask("/")
            child.stop()
            assert child.exit_code == 0
        assert str(port) in (tmp_path / "console.log").read_text()
    finally:
        child.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_raw_record_is_read_from_where_it_lies(topics: Broker, names: TopicNames) -> None:
    """That one record with its key and headers; other topics, places and files are refused with a sentence."""
    producer = KafkaProducer(bootstrap_servers=topics.bootstrap)
    for number in range(3):
        value = b'{"a":%d}' % number if number < 2 else b"\xff<b>"
        producer.send(names.access, value=value, key=b"k", headers=[("h", b"v")], partition=1)
    producer.flush()
    producer.close()
    config = Config(worker=WorkerSettings(bootstrap=topics.bootstrap), topics=names)
    raw = read_raw(config, f"salesforce_elf {names.access}/1/1")
    assert (raw.topic, raw.partition, raw.offset, raw.key, raw.headers) == (
        names.access,
        1,
        1,
        "k",
        (("h", "v"),),
    )
    assert raw.text == '{\n  "a": 1\n}'
    assert raw.size == 7
    assert raw.arrived_ms is not None
    assert read_raw(config, f"x {names.access}/1/2").text == "\ufffd<b>"
    for position, why in (
        (f"x {names.access}/1/3", "no longer in Kafka"),
        (f"x {names.feedback}/0/0", "not in a topic that crmwatch reads"),
        ("x logs/day.csv:7", "is not in Kafka"),
        (f"x {names.access}/1/1/../0", "is not in Kafka"),
        ("", "is not in Kafka"),
    ):
        with pytest.raises(RawRecordError, match=why):
            read_raw(config, position)


class Running:
    """A console's service in a thread of its own."""

    def __init__(self, config: Config, path: Path) -> None:
        self.service = Service(config, path)
        listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self.service.serve(listening)), name="console", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it, and see that it has ended."""
        self.service.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def ask(self, method: str, path: str, form: str | None = None, cookie: str = "") -> Any:
        """One request; status, headers and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(
            method, path, form, {"cookie": cookie, "content-type": "application/x-www-form-urlencoded"}
        )
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read().decode()
        connection.close()
        return found


@pytest.fixture
def running(topics: Broker, names: TopicNames, tmp_path: Path) -> Iterator[Running]:
    """A console on a real Kafka."""
    console = ConsoleSettings(audit_file=str(tmp_path / "audit.jsonl"))
    config = Config(
        worker=WorkerSettings(bootstrap=topics.bootstrap),
        topics=names,
        console=console,
        signing=SigningSettings(key=KEY),
    )
    made = Running(config, tmp_path / "index.sqlite")
    yield made
    made.stop()


def test_a_decision_arrives_and_a_worker_accepts_it(
    running: Running, topics: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """Each action of the form is on the topic with who and when, signed, read by what workers read by, and shown at
    once."""
    produce(topics, names, alert(0))
    until(lambda: "crmwatch-1" in running.ask("GET", "/")[2])
    _, headers, page = running.ask("GET", "/incidents/crmwatch-1")
    cookie = headers["set-cookie"].partition(";")[0]
    csrf = re.search(
        r'name="csrf" value="([^"]+)"', running.ask("GET", "/incidents/crmwatch-1", cookie=cookie)[2]
    )
    assert csrf
    before = round(time.time() * 1000)
    actions = (
        "action=acknowledge",
        "action=assign&assignee=bo",
        "action=step&step=s1&done=yes",
        "action=mute&hours=4",
        "action=breach&reason=them",
        "action=expected&hours=24&reason=meant&whole=yes",
    )
    for form in actions:
        status, headers, text = running.ask("POST", "/incidents/crmwatch-1", f"csrf={csrf[1]}&{form}", cookie)
        assert (status, headers["location"].partition("=")[0]) == (303, "/incidents/crmwatch-1?said"), text[
            :500
        ]
        assert not headers["location"].endswith("=sent")
    page = running.ask("GET", "/incidents/crmwatch-1", cookie=cookie)[2]
    assert "This incident is closed" in page
    consumer = KafkaConsumer(bootstrap_servers=topics.bootstrap, auto_offset_reset="earliest")
    tps = [TopicPartition(names.feedback, number) for number in range(PARTITIONS)]
    consumer.assign(tps)
    ends = consumer.end_offsets(tps)
    sent: list[Any] = []
    while len(sent) < len(actions):
        sent += [one for found in consumer.poll(timeout_ms=500).values() for one in found]
    consumer.close()
    assert sum(ends.values()) == len(actions)
    assert {one.key for one in sent} == {b"crmwatch-1"}
    decisions = [decode_decision(one.value) for one in sorted(sent, key=lambda one: one.offset)]
    assert [decision.kind for decision in decisions] == [
        Kind.ACKNOWLEDGE,
        Kind.ASSIGN,
        Kind.STEP,
        Kind.MUTE,
        Kind.BREACH,
        Kind.EXPECTED,
    ]
    assert all(one.by and before <= one.time_ms <= time.time() * 1000 for one in decisions)
    assert {one.role for one in decisions} == {"admin"}
    assert decisions[2].payload == StepMark("s1", True)
    assert decisions[-1].subject.identity == "t/u"

    async def heard() -> tuple[Decision, ...]:
        connection = {"bootstrap_servers": topics.bootstrap}
        reference = OperatorInputs(
            names,
            keep_days=7,
            on_change=lambda: None,
            fatal=lambda *_: None,
            connection=connection,
            signatures=Signatures([KEY.encode()], Unsigned.REFUSE),
        )
        await reference.start()
        await reference.stop()
        return reference.decisions

    assert sorted(asyncio.run(heard()), key=lambda one: one.time_ms) == decisions
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines if line["audit"] == "decision"] == [one.id for one in decisions]
    assert all(re.fullmatch(rf"{re.escape(names.feedback)}/\d/\d", line["record"]) for line in lines)


@pytest.mark.timeout(240)
def test_a_theft_is_seen_decided_about_and_closed_by_the_detector(
    running: Running, topics: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """With a real worker: records in, the incident on the board, its identity and sources as the worker publishes
    them, its raw record, and closed as was decided here."""
    settings = tmp_path / "crmwatch.toml"
    worker = {"bootstrap": topics.bootstrap, "metrics_port": 0, "keyed": True}
    settings.write_bytes(msgspec.toml.encode({"worker": worker, "topics": msgspec.structs.asdict(names)}))
    child = Child(["worker", "--settings", str(settings)], tmp_path / "worker.log")
    try:
        producer = KafkaProducer(bootstrap_servers=topics.bootstrap, linger_ms=20)
        start_ms = round(time.time() * 1000) // HOUR_MS * HOUR_MS - 9 * 24 * HOUR_MS
        world = World(seed=1, start_ms=start_ms, hours=24 * 9, people=12, integrations=2)
        theft = Theft(start_ms=start_ms + (8 * 24 + 23) * HOUR_MS)
        for _, row in records(world, theft):
            producer.send(names.access, value=row, key=decode(row, "x").identity.encode())
        producer.flush()

        def thief() -> Any:
            rows = json.loads(running.ask("GET", "/?table=incidents&as=json")[2])["rows"]
            return next((row for row in rows if row["identity"].endswith("0054R9000000000QAA")), None)

        row = until(thief, 120)
        uid = row["uid"]
        page = until(lambda: identity_page(running, row["identity"]), 60)
        assert "Baseline week" in page
        assert "192.0.2.0/24" in page
        sources = json.loads(running.ask("GET", "/sources?table=sources&as=json")[2])["rows"]
        assert "salesforce_elf/bulk_export" in {source["source"] for source in sources}
        _, headers, page = running.ask("GET", f"/incidents/{uid}")
        cookie = headers["set-cookie"].partition(";")[0]
        [link, *_] = re.findall(r'href="(/record\?[^"]+)"', page)
        status, _, raw = running.ask("GET", link.replace("&amp;", "&"), cookie=cookie)
        assert status == 200
        assert "EVENT_TYPE" in raw
        csrf = re.search(r'name="csrf" value="([^"]+)"', running.ask("GET", "/admin", cookie=cookie)[2])
        assert csrf
        form = f"csrf={csrf[1]}&action=disposition&reason=contained"
        assert running.ask("POST", f"/incidents/{uid}", form, cookie)[0] == 303
        later_ms = round(time.time() * 1000) + 120_000
        for number in range(6):  # event time goes on past the minute after which it holds
            row = json.dumps(login(later_ms + number * 60_000, number)).encode()
            producer.send(names.access, value=row, key=decode(row, "x").identity.encode())
        producer.flush()
        producer.close()
        history = until(
            lambda: [
                row
                for row in json.loads(running.ask("GET", f"/incidents/{uid}?table=history&as=json")[2])[
                    "rows"
                ]
                if row["what"] == "closed by the detector"
            ],
            60,
        )
        assert history
    finally:
        child.stop()


def identity_page(running: Running, name: str) -> str:
    """An identity's page once it shows a record of it; before, nothing."""
    page: str = running.ask("GET", f"/identity?{urlencode({'id': name})}")[2]
    return page if "Known since" in page else ""


def login(time_ms: int, number: int) -> dict[str, str]:
    """A row of somebody else's login."""
    at = time.gmtime(time_ms / 1000)
    return {
        "EVENT_TYPE": "Login",
        "TIMESTAMP": time.strftime("%Y%m%d%H%M%S.000", at),
        "TIMESTAMP_DERIVED": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", at),
        "REQUEST_ID": f"later-{number}",
        "ORGANIZATION_ID": "00D4R000001kSky",
        "USER_ID": "0054R0000000001",
        "USER_TYPE": "Standard",
        "SOURCE_IP": "203.0.113.2",
        "LOGIN_STATUS": "LOGIN_NO_ERROR",
    }
