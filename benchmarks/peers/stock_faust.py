"""Faust as its documentation shows it, with each user's level in a Table, or in a dict with `BENCH_FAUST=dict`.

A Table's every change is a record of its changelog, so it survives; a dict does not.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import faust

from benchmarks.peers.job import Course, Level, task, value_of

given = task()
course = Course(given)
app = faust.App(
    given.group,
    broker=f"kafka://{given.bootstrap}",
    store="memory://",
    datadir=str(Path(given.folder) / "faust"),
    web_enabled=False,
    topic_partitions=given.partitions,
    consumer_auto_offset_reset="earliest",
)
raw: dict[str, Any] = {
    "key_type": bytes,
    "value_type": bytes,
    "key_serializer": "raw",
    "value_serializer": "raw",
}
access = app.topic(given.topic, **raw)
alerts = app.topic(given.alerts, **raw)


async def with_a_table(stream: faust.StreamT[bytes]) -> None:
    """One record after the other, its user's level out of the table and back into it."""
    async for key, record in stream.items():
        user = key.decode()
        level = Level(*levels[user])
        far = level.is_far(value_of(record))
        levels[user] = level.numbers
        if far:
            await alerts.send(key=key, value=record)
        course.taken(user, level.count, alerted=far)


async def with_a_dict(stream: faust.StreamT[bytes]) -> None:
    """The same with the levels in memory alone."""
    known: dict[bytes, Level] = {}
    async for key, record in stream.items():
        level = known.get(key)
        if level is None:
            level = known[key] = Level()
        far = level.is_far(value_of(record))
        if far:
            await alerts.send(key=key, value=record)
        course.taken(key, level.count, alerted=far)


if os.environ["BENCH_FAUST"] == "dict":
    app.agent(access)(with_a_dict)
else:
    levels = app.Table("levels", default=lambda: (0.0, 0.0, 0))
    app.agent(access)(with_a_table)


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "--without-web", "-l", "error"]
    app.main()
