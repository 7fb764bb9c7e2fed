from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata
from kafka.structs import TopicPartition

from streams.files.reader import FileRecord
from streams.publisher import sender
from streams.publisher.sender import Sender

RAW = FileRecord(b"{}", "a.jsonl:1", "a.jsonl")


class Silent:
    """A producer whose records arrive when told."""

    def __init__(self) -> None:
        self.produced = FutureProduceResult(TopicPartition("t", 0))

    def send(self, *_: Any) -> Any:
        """A record on its way."""
        return FutureRecordMetadata(self.produced, 0, -1, None, 0, 0, 0)


def test_brokers_that_do_not_answer_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as told, saying so; then it fails with a sentence."""
    monkeypatch.setattr(sender, "LOOK_SECONDS", 0.01)
    waited: list[float] = []
    sending = Sender(Silent(), "t", None, 0.1, waited.append)
    sending.send(RAW, None, 0, 0)
    with pytest.raises(KafkaTimeoutError, match="nothing has arrived for"):
        sending.finish()
    assert len(waited) > 2
    assert waited == sorted(waited)


def test_an_answer_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrives late has arrived, and nothing is waited for any more."""
    monkeypatch.setattr(sender, "LOOK_SECONDS", 0.01)
    waited: list[float] = []
    producer = Silent()

    def on_wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            producer.produced.success((0, -1, None))

    sending = Sender(producer, "t", None, 60.0, on_wait)
    sending.send(RAW, None, 0, 0)
    sending.finish()
    assert waited[2] > waited[0] > 0.0
    assert waited[3:] == [0.0]
