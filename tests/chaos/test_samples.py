"""Every sample of every vendor: the stream reads it as a replay does."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from detector.adapters import RecordError
from detector.settings import Settings
from streams.files.reader import read_in_order
from streams.kafka import messages as wire
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from streams.publisher.publisher import publish_files
from streams.replay.replay import Replay
from tests.chaos.pipeline import Pipeline

SAMPLES = str(Path(__file__).parents[1] / "samples")


@pytest.mark.timeout(200)
def test_published_samples_are_read_as_a_replay_reads_them(
    kafka: Broker, names: TopicNames, tmp_path: Path
) -> None:
    """The same events, dead letters and alerts come of samples that are published as of the same ones replayed."""
    letters: list[tuple[str, str, str]] = []
    replay = Replay(
        [SAMPLES],
        Settings(),
        time.time_ns() // 1_000_000,
        lambda letter: letters.append((letter.origin, letter.adapter, letter.reason)),
    )
    alerts = sorted(alert.body for alert in replay.alerts())
    events = sorted(
        msgspec.msgpack.encode(result)
        for _, result in read_in_order([SAMPLES])
        if not isinstance(result, RecordError)
    )
    assert len(events) > 30
    assert len(letters) > 5
    with Pipeline(kafka.bootstrap, names, tmp_path, 2, {"keyed": True}) as pipeline:
        published = publish_files(kafka.bootstrap, names.access, [SAMPLES])
        assert published.records == len(events) + len(letters)
        pipeline.start_worker()
        pipeline.wait(lambda: pipeline.committed(names.access) == published.records, 60)
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)
        messages = pipeline.read(names.events)
        streamed = {
            (message.source, offset): msgspec.msgpack.encode(event)
            for message, found in (wire.decode_events(one.value) for one in messages)
            for offset, event in found
        }
        assert sorted(streamed.values()) == events
        dead = {one.key: msgspec.json.decode(one.value) for one in pipeline.read(names.deadletters)}
        found_letters = [(one["origin"], one["adapter"], one["reason"]) for one in dead.values()]
        assert sorted(found_letters) == sorted(letters)
        assert sorted({one.value for one in pipeline.read(names.alerts)}) == alerts
