"""Every sample of every vendor: the stream reads it as a replay does."""

from __future__ import annotations

import re
import time
from collections import Counter
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
    letters: Counter[tuple[str, str, str]] = Counter()
    replay = Replay(
        [SAMPLES],
        Settings(),
        time.time_ns() // 1_000_000,
        lambda letter: letters.update(
            {_of_file(letter.origin, letter.adapter, letter.reason): letter.records}
        ),
    )
    alerts = sorted(alert.body for alert in replay.alerts())
    events = sorted(
        msgspec.msgpack.encode(result)
        for _, result in read_in_order([SAMPLES])
        if not isinstance(result, RecordError)
    )
    assert len(events) > 30
    assert letters.total() > 5
    with Pipeline(kafka.bootstrap, names, tmp_path, 2, {"keyed": True}) as pipeline:
        published = publish_files(kafka.bootstrap, names.access, [SAMPLES])
        assert published.records == len(events) + letters.total()
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
        assert letters == Counter(
            _of_file(one["origin"], one["adapter"], one["reason"]) for one in dead.values()
        )
        assert sorted({one.value for one in pipeline.read(names.alerts)}) == alerts


def _of_file(origin: str, adapter: str, reason: str) -> tuple[str, str, str]:
    """A dead letter's file, adapter and reason: a replay sums up what repeats in a file."""
    return re.sub(r":\d+$", "", origin), adapter, reason
