"""One worker as its supervisor and its scraper see it."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from detector.adapters import decode
from detector.simulation import World, records
from streams.kafka.embedded.broker import Broker
from streams.kafka.messages import POSITION_HEADER
from streams.kafka.topics import TopicNames
from tests.chaos.pipeline import Pipeline, in_order

START_MS = 1_772_409_600_000
MARKER = "ZQXKV"
POISON = [
    b"",
    b"\xff\xfe\x00garbage",
    b"[" * 100_000,
    b"null",
    b'{"EVENT_TYPE": 7, "TIMESTAMP": {}}',
    b'{"EVENT_TYPE": "API", "TIMESTAMP": "2026',
    b"9" * 2_000_000,
]


@pytest.mark.timeout(200)
def test_a_worker_tells_the_truth_and_swallows_poison(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """Poison becomes dead letters with reason and position, the rest is counted; live and ready say so; it stops, and
    has written nothing where it was started."""
    world = in_order(records(World(seed=2, start_ms=START_MS, hours=24, people=20), None), decode)
    with Pipeline(kafka.bootstrap, names, tmp_path, 2, {"keyed": True, "metrics_port": 0}) as pipeline:
        _poison(kafka.bootstrap, names.access)
        pipeline.publish_keyed(world)
        worker = pipeline.start_worker()
        total = len(world) + 2 * len(POISON) + 2
        pipeline.wait(lambda: pipeline.committed(names.access) == total, 60)
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)
        address = worker.log.read_text().split("metrics on ")[1].split("/metrics")[0]

        pipeline.wait(lambda: _get(address + "/ready")[0] == 200, 20)
        assert _get(address + "/live") == (200, "ok\n")
        metrics = _get(address + "/metrics")[1]
        values = {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in metrics.splitlines()
            if line.startswith("crmwatch_")
        }
        counted = {name: value for name, value in values.items() if name.startswith("crmwatch_events_total")}
        assert sum(counted.values()) == len(world)
        dead = {
            name: value for name, value in values.items() if name.startswith("crmwatch_dead_letters_total")
        }
        assert sum(dead.values()) == 2 * len(POISON) + 2
        assert "0054R" not in metrics, "a metric names an account"
        assert "203.0.113." not in metrics, "a metric names an address"

        letters = [msgspec.json.decode(message.value) for message in pipeline.read(names.deadletters)]
        assert len(letters) == 2 * len(POISON) + 2
        assert {letter["position"].rpartition("/")[0] for letter in letters} == {
            f"{names.access}/{number}" for number in range(2)
        }
        assert {letter["reason"] for letter in letters} >= {
            "unknown_format",
            "bad_value",
            "malformed",
            "too_large",
        }
        assert worker.stop() == 0
        assert not Path(f"{names.app_id}-data").exists()
        with pytest.raises(urllib.error.URLError):
            _get(address + "/live")


@pytest.mark.timeout(120)
def test_a_worker_without_topics_says_so(kafka: Broker, names: TopicNames, tmp_path: Path) -> None:
    """Without its topic a worker ends with 2 and one sentence that names the topic and the command to make it."""
    with Pipeline(kafka.bootstrap, names, tmp_path, 1, {"keyed": True}) as pipeline:
        settings = tmp_path / "crmwatch.toml"
        settings.write_text(settings.read_text().replace(names.access, "elsewhere"))
        worker = pipeline.start_worker()
        pipeline.workers.clear()
        assert worker.wait(60) == 2
        said = worker.log.read_text()
        assert "there is no topic elsewhere" in said
        assert "crmwatch topics" in said
        assert "Traceback" not in said


@pytest.mark.timeout(200)
def test_the_log_holds_nothing_of_what_records_hold(kafka: Broker, names: TopicNames, tmp_path: Path) -> None:
    """Records with a marker in every field, readable and not, an alert about them, a decision, an indicator and entries
    of the directory: none of it is in the log, which has one line of JSON for each step of the worker's life."""
    sections = {"triage": {"alert_risk": 0, "least_risk": 0, "certain_risk": 0, "support_surprise": 0.2}}
    world = [record for _, record in records(World(seed=2, start_ms=START_MS, hours=72, people=12), None)]
    marked = [_marked(record) for record in world]
    with Pipeline(
        kafka.bootstrap, names, tmp_path, 2, {"keyed": True, "instance": "w1"}, sections
    ) as pipeline:
        worker = pipeline.start_worker()
        producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap)
        for number, record in enumerate(marked):
            key, header = MARKER.encode(), [(POSITION_HEADER, MARKER.encode())] if number % 3 else []
            producer.send(names.access, key=key, value=record, headers=header, partition=0)
        for record in marked[:50]:
            producer.send(names.access, value=record.replace(b'"', b"'"), partition=1)
            everywhere = {key: f"{value}\n{MARKER}" for key, value in msgspec.json.decode(record).items()}
            producer.send(names.access, value=msgspec.json.encode(everywhere), partition=1)
        said = msgspec.json.encode(
            {"version": 1, "id": MARKER, "kind": MARKER, "time_ms": START_MS, "by": MARKER}
        )
        producer.send(names.feedback, key=MARKER.encode(), value=said)
        producer.send(names.indicators, key=MARKER.encode(), value=b'{"name": "%s"' % MARKER.encode())
        producer.send(
            names.directory, key=MARKER.encode(), value=b'{"id": "u", "name": "%s"}' % MARKER.encode()
        )
        producer.send(names.directory, key=b"x", value=b'{"id": "x", "kind": "%s"}' % MARKER.encode())
        producer.flush()
        producer.close()
        pipeline.wait(lambda: pipeline.committed(names.access) == len(world) + 100, 90)
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)
        pipeline.wait(
            lambda: any(MARKER.encode() in message.value for message in pipeline.read(names.alerts)), 60
        )
        assert any(MARKER.encode() in (message.key or b"") for message in pipeline.read(names.feedback))
        assert len(pipeline.read(names.deadletters)) >= 50
        pipeline.wait(lambda: worker.log.read_text().count("refused") == 3, 20)
        assert worker.stop(10) == 0
    log = worker.log.read_text(encoding="ascii")
    for secret in (MARKER, MARKER.lower(), "203.0.113.", "198.51.100.", "0054R", "00D4R"):
        assert secret not in log
    lines = [msgspec.json.decode(line) for line in log.splitlines()]
    assert {line["instance"] for line in lines} == {"w1"}
    told = [(line["message"].split(":")[0], {*line} - {"time", "level", "logger", "instance", "message"})
            for line in lines if line["level"] == "info"]  # fmt: skip
    assert told == [
        ("started", set()),
        ("assigned", {"partitions"}),
        ("recovered", {"partitions", "keys", "seconds"}),
        ("stopping", set()),
        ("stopped", {"seconds"}),
    ]


def _marked(record: bytes) -> bytes:
    """A record that can still be read, with the marker in what is free text, and in its account and organisation."""
    values = msgspec.json.decode(record)
    for key, value in values.items():
        if key in ("USER_ID", "ORGANIZATION_ID"):
            values[key] = value[:3] + MARKER + value[3 + len(MARKER) :]
        elif key in (
            "USER_AGENT",
            "ENTITY_NAME",
            "CONNECTED_APP_ID",
            "REQUEST_ID",
            "URI",
            "QUERY",
            "USER_NAME",
        ):
            values[key] = f"{value} {MARKER}"
    return msgspec.json.encode(values)


def _poison(bootstrap: str, topic: str) -> None:
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, max_request_size=4_000_000)
    for partition in range(2):
        for record in POISON:
            producer.send(topic, value=record, partition=partition)
        producer.send(topic, key=b"tombstone", value=None, partition=partition)
    producer.flush()
    producer.close()


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a loopback address of our own
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
