"""A worker with a plug-in, and one without it on the same state."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from detector.adapters import RecordError, Rejection
from streams.files.reader import FileRecord
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.pipeline import Pipeline

TOY = Path(__file__).parents[1] / "plugins" / "toy"


@pytest.mark.timeout(240)
def test_a_worker_without_a_plug_in_is_refused_before_it_reads(
    kafka: Broker, names: TopicNames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the plug-in its records are read; without it a worker ends with 2 and the difference, and has made no dead
    letters; told to accept it, it goes on."""

    def publish(number: int) -> None:
        record = msgspec.json.encode({"toy_user": "ann", "at": f"2026-03-02T09:00:0{number}Z", "rows": 3})
        error = RecordError("", f"toy:{number}", Rejection.UNKNOWN_FORMAT, "published without the plug-in")
        pipeline.publish_keyed([(FileRecord(record, f"toy:{number}", "toy"), error)])

    with Pipeline(kafka.bootstrap, names, tmp_path, 1, {"keyed": True}) as pipeline:
        monkeypatch.setenv("PYTHONPATH", str(TOY))
        first = pipeline.start_worker()
        publish(1)
        pipeline.wait(lambda: pipeline.end(names.events) > 0 and not any(pipeline.lag().values()), 60)
        assert first.stop() == 0
        assert pipeline.end(names.deadletters) == 0

        monkeypatch.delenv("PYTHONPATH")
        publish(2)
        refused = pipeline.start_worker()
        assert refused.wait(60) == 2
        assert "adapter toy_crm (toy-crm 1.0) is missing" in refused.log.read_text()
        assert "Traceback" not in refused.log.read_text()
        assert pipeline.end(names.deadletters) == 0
        pipeline.workers.clear()  # they have ended

        last = pipeline.start_worker("--accept-plugins")
        pipeline.wait(lambda: pipeline.end(names.deadletters) == 1, 60)
        assert last.stop() == 0
