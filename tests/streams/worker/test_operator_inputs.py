"""Operators' feedback and indicators, as a worker holds them: whole, followed, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from detector.adapters import RecordError
from detector.decision import Feedback, Verdict
from detector.settings import Indicator
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames, ensure, plan
from streams.worker import operator_inputs as module
from streams.worker.operator_inputs import OperatorInputs


def word(number: int) -> Feedback:
    """A decision; the number makes it another one, later by as many milliseconds."""
    return Feedback(verdict=Verdict.CLOSED, time_ms=number, incident=f"crmwatch-{number}")


def send(bootstrap: str, topic: str, *messages: tuple[str, Any]) -> None:
    """Messages with their keys, in this order, to one partition."""
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap)
    for key, value in messages:
        body = value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
        producer.send(topic, key=key.encode(), value=body, partition=0)
    producer.flush()
    producer.close()


def read(kafka: Broker, names: TopicNames, look: Callable[[OperatorInputs, list[RecordError]], Any]) -> Any:
    """What `look` finds in a reference that has just been started."""
    errors: list[RecordError] = []

    def fatal(what: str, error: BaseException) -> None:
        raise AssertionError(what) from error

    async def run() -> Any:
        reference = OperatorInputs(
            names,
            on_change=lambda: None,
            on_error=errors.append,
            fatal=fatal,
            connection={"bootstrap_servers": kafka.bootstrap},
        )
        await reference.start()
        try:
            return look(reference, errors)
        finally:
            await reference.stop()

    return asyncio.run(run())


def test_all_of_it_is_there_at_the_start(kafka: Broker, names: TopicNames) -> None:
    """What was sent before is known at once, each decision once; what was taken back is gone; garbage is told by its
    position."""
    ensure(kafka.bootstrap, plan(2, 1, names))
    send(
        kafka.bootstrap,
        names.feedback,
        ("a", word(1)),
        ("a", word(2)),
        ("a", word(1)),
        ("x", b"{"),
        ("y", None),
    )
    send(kafka.bootstrap, names.indicators, ("bot", Indicator(name="x")), ("192.0.2.7", Indicator(name="y")))
    send(kafka.bootstrap, names.indicators, ("bot", None), ("big", b" " * 5_000), ("", Indicator(name="z")))
    feedback, indicators, errors = read(
        kafka, names, lambda reference, errors: (reference.feedback, reference.indicators, errors)
    )
    assert feedback == (word(1), word(2))
    assert indicators == {"192.0.2.7": Indicator(name="y")}
    assert sorted((error.position, error.reason) for error in errors) == sorted(
        [
            (f"{names.feedback}/0/3", "malformed"),
            (f"{names.feedback}/0/4", "malformed"),
            (f"{names.indicators}/0/3", "too_large"),
            (f"{names.indicators}/0/4", "malformed"),
        ]
    )


def test_what_is_kept_is_bounded(kafka: Broker, names: TopicNames, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many decisions the oldest go, in whatever order they came; of too many indicators the last are not taken
    in, while one that is known may change."""
    monkeypatch.setattr(module, "MAX_FEEDBACK", 3)
    monkeypatch.setattr(module, "MAX_INDICATORS", 2)
    ensure(kafka.bootstrap, plan(1, 1, names))
    send(kafka.bootstrap, names.feedback, *(("a", word(number)) for number in (9, 1, 5, 7, 3, 8)))
    send(
        kafka.bootstrap,
        names.indicators,
        *((name, Indicator(name=name)) for name in ("a", "b", "c")),
        ("b", Indicator(name="again")),
    )
    feedback, indicators, errors = read(
        kafka, names, lambda reference, errors: (reference.feedback, reference.indicators, errors)
    )
    assert sorted(known.time_ms for known in feedback) == [7, 8, 9]
    assert {key: indicator.name for key, indicator in indicators.items()} == {"a": "a", "b": "again"}
    assert [error.reason for error in errors] == ["too_many"]
