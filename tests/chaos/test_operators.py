"""What operators may tell a running service: decisions, indicators, more topics, and where to begin."""

from __future__ import annotations

import re
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from detector.adapters import decode
from detector.decision import Kind
from detector.engine import Engine
from detector.settings import DetectionSettings, Indicator, Settings, TriageSettings
from detector.simulation import Theft, World, records
from streams.kafka import messages as wire
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import Topic, TopicNames, ensure, plan
from tests.chaos.pipeline import Pipeline, Records, in_order
from tests.deploy.deployed import free_port
from tests.deploy.receivers import answers, wait_for
from tests.detector.make import decision

HOUR_MS = 3_600_000
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
DAYS = 8
THEFT_MS = START_MS + (6 * 24 + 3) * HOUR_MS


def world() -> Records:
    """A week of 36 identities, and a theft on its seventh night."""
    made = World(seed=3, start_ms=START_MS, hours=24 * DAYS, people=30, integrations=6)
    return in_order(records(made, Theft(start_ms=THEFT_MS)), decode)


def replayed(events: Records, settings: Settings) -> list[bytes]:
    """What a replay says that knows it all from the beginning."""
    engine = Engine(settings)
    alerts = [alert.body for _, event in events for alert in engine.observe(event)]
    return sorted(alerts + [alert.body for alert in engine.finish(events[-1][1].time_ms)])


def deadlines(port: int) -> dict[str, float]:
    """Incident → by when the authority must be notified, as a worker exports it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    pattern = (
        r'crmwatch_notification_deadline_timestamp_seconds{awareness="missing",incident="([^"]+)"} (\S+)'
    )
    return {incident: float(value) for incident, value in re.findall(pattern, text)}


def send(bootstrap: str, topic: str, key: str, value: Any) -> None:
    """One message, as a console would send it."""
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap)
    producer.send(
        topic, key=key.encode(), value=value if isinstance(value, bytes) else msgspec.json.encode(value)
    )
    producer.flush()
    producer.close()


@pytest.mark.timeout(300)
def test_what_operators_decide_changes_what_is_said_as_in_a_replay(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """A decision and an indicator sent to running workers: the alerts are those of a replay that knew both; what is no
    decision is refused."""
    events = world()
    half = next(number for number, (_, event) in enumerate(events) if event.time_ms >= THEFT_MS + HOUR_MS)
    with Pipeline(kafka.bootstrap, names, tmp_path, 3, {"keyed": True}) as pipeline:
        pipeline.start_worker()
        pipeline.start_worker()
        pipeline.publish_keyed(events[:half])

        def published() -> list[dict[str, Any]]:
            return [msgspec.json.decode(message.value) for message in pipeline.read(names.alerts)]

        def stolen() -> list[dict[str, Any]]:
            grave = [alert for alert in published() if alert["risk_score"] >= 65]
            return [alert for alert in grave if alert["time"] >= THEFT_MS]

        pipeline.wait(stolen, 90)
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)
        uid = stolen()[0]["finding_info"]["uid"]
        decided_ms = events[half - 1][1].time_ms
        closing = decision(Kind.DISPOSITION, decided_ms, uid, by="ana", reason="revoked")
        later = [event for _, event in events[half:] if event.ip and event.time_ms > decided_ms + 3 * HOUR_MS]
        indicator = Indicator(name="a feed", score=9.0, from_ms=decided_ms + HOUR_MS)
        send(kafka.bootstrap, names.feedback, uid, b"{not a decision")
        send(kafka.bootstrap, names.feedback, uid, closing)
        send(kafka.bootstrap, names.indicators, later[0].ip, indicator)
        pipeline.start_worker()  # learns of both before it decides anything
        pipeline.publish_keyed(events[half:])
        pipeline.wait(lambda: pipeline.committed(names.access) == len(events), 90)

        settings = Settings(
            detection=DetectionSettings(indicators={later[0].ip or "": indicator}),
            triage=TriageSettings(decisions=(closing,)),
        )
        expected = replayed(events, settings)
        assert expected != replayed(events, Settings())
        pipeline.wait(
            lambda: len({message.value for message in pipeline.read(names.alerts)}) >= len(expected), 60
        )
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)
        assert sorted({message.value for message in pipeline.read(names.alerts)}) == expected
        over = [alert for alert in published() if alert["finding_info"]["uid"] == uid][-1]
        assert (over["activity_id"], over["status_detail"]) == (3, "closed: revoked")
        assert any("intel" in alert["finding_info"]["types"] for alert in published())
        assert all(worker.exit_code is None for worker in pipeline.workers)
        assert "decisions refused: malformed" in "".join(
            worker.log.read_text() for worker in pipeline.workers
        )


@pytest.mark.timeout(200)
@pytest.mark.parametrize("start", ["latest", "time", "earliest"])
def test_several_topics_from_where_it_was_said(
    start: str, kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """Two access topics with different numbers of partitions are read, each in its format, from where it was said."""
    events = world()[:2_000]
    other = f"{names.access}.more"
    sections = {
        "worker": {"keyed": False, "idle_seconds": 0.5},
        "sources": {"topics": {other: "salesforce_elf"}},
    }
    with Pipeline(
        kafka.bootstrap, names, tmp_path, 2, sections["worker"], {"sources": sections["sources"]}
    ) as pipeline:
        access = next(topic for topic in plan(2, 1, names) if topic.name == names.access)
        assert ensure(kafka.bootstrap, [Topic(other, 3, 1, access.config)]) == []
        producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap)
        new_ms = round(time.time() * 1000)  # what is older than the topic's retention may go at any moment
        old_ms, between = new_ms - 2 * HOUR_MS, datetime.fromtimestamp(new_ms / 1000 - 3600, UTC)
        for number in range(6):
            topic, count = (names.access, 2) if number % 2 else (other, 3)
            producer.send(
                topic, value=events[number][0].record, partition=number % count, timestamp_ms=old_ms
            )
        producer.flush()
        first = 0 if start == "earliest" else 6
        pipeline.set("worker", "start", between.isoformat() if start == "time" else start)
        if start == "latest":
            pipeline.start_worker()
            pipeline.wait(lambda: "partitions" in pipeline.workers[0].log.read_text(), 30)
        for number, (raw, _) in enumerate(events[6:]):
            topic, count = (names.access, 2) if number % 2 else (other, 3)
            producer.send(topic, value=raw.record, partition=number % count, timestamp_ms=new_ms)
        producer.send(other, value=b'{"specversion": 1}', partition=2, timestamp_ms=new_ms)
        producer.flush()
        producer.close()
        if start != "latest":
            pipeline.start_worker()
        access_topics = (names.access, other)
        end = sum(pipeline.end(topic) for topic in access_topics)
        assert end == len(events) + 1
        pipeline.wait(lambda: sum(map(pipeline.committed, access_topics)) == end, 60)
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)

        packed = [wire.decode_events(message.value) for message in pipeline.read(names.events)]
        sent = {event.event_id for _, sent in packed for _, event in sent}
        assert sorted(sent) == sorted(event.event_id for _, event in events[first:])
        assert len({message.source for message, _ in packed}) == 5
        letters = [msgspec.json.decode(message.value) for message in pipeline.read(names.deadletters)]
        assert [(letter["adapter"], letter["position"].rpartition("/")[0]) for letter in letters] == [
            ("salesforce_elf", f"{other}/2")
        ]


@pytest.mark.timeout(120)
def test_a_breachs_deadline_is_exported_until_the_authority_is_notified(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """Seventy-two hours after it was confirmed, from a worker's start on and later; closing does not end it."""
    port = free_port()
    with Pipeline(kafka.bootstrap, names, tmp_path, 1, {"keyed": True}) as pipeline:
        pipeline.set("worker", "metrics_port", port)
        send(kafka.bootstrap, names.feedback, "a", decision(Kind.BREACH, START_MS, "crmwatch-0a"))
        send(
            kafka.bootstrap,
            names.feedback,
            "a",
            decision(Kind.DISPOSITION, START_MS, "crmwatch-0a", reason="over"),
        )
        worker = pipeline.start_worker()
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/ready"), worker.log)
        due = START_MS / 1000 + 72 * 3600
        assert deadlines(port) == {"crmwatch-0a": due}
        later = decision(Kind.BREACH, START_MS + 60_000, "crmwatch-0b")
        send(kafka.bootstrap, names.feedback, "b", later)
        pipeline.wait(lambda: deadlines(port) == {"crmwatch-0a": due, "crmwatch-0b": due + 60}, 20)
        notified = decision(Kind.NOTIFIED, START_MS, "crmwatch-0a", reason="by mail")
        send(kafka.bootstrap, names.feedback, "a", notified)
        pipeline.wait(lambda: deadlines(port) == {"crmwatch-0b": due + 60}, 20)
