"""Quix Streams as its documentation shows it: each user's level in its state, which has a changelog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quixstreams import Application, State

from benchmarks.peers.job import Course, Level, task, value_of


def main() -> None:
    """Read for ever."""
    given = task()
    course = Course(given)
    app = Application(
        broker_address=given.bootstrap,
        consumer_group=given.group,
        auto_offset_reset="earliest",
        state_dir=str(Path(given.folder) / "quix"),
        consumer_extra_config={"fetch.queue.backoff.ms": 10},
        loglevel="ERROR",
    )
    plain: dict[str, Any] = {"key_deserializer": "bytes", "value_deserializer": "bytes"}
    access = app.topic(given.topic, **plain)
    alerts = app.topic(given.alerts, key_serializer="bytes", value_serializer="bytes")

    def is_far(record: bytes, key: bytes, timestamp: int, headers: Any, state: State[Any, Any]) -> bool:
        level = Level(*state.get("level", (0.0, 0.0, 0)))
        far = level.is_far(value_of(record))
        state.set("level", level.numbers)
        course.taken(key, level.count, alerted=far)
        return far

    app.dataframe(access).filter(is_far, stateful=True, metadata=True).to_topic(alerts)
    app.run()


if __name__ == "__main__":
    main()
