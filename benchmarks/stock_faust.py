"""The peer: Faust and river as their documentation shows them, with a Table for each user's state.

Per record: decode the JSON, a z-score of the rows against the user's exponentially weighted mean and variance, the
state back into the table, and an alert to a topic when it is far out. Run by `stream.py` as a Faust worker.
"""

from __future__ import annotations

import json
import os
import sys
import time
from math import log1p, sqrt

import faust

EVENTS = int(os.environ["BENCH_EVENTS"])

app = faust.App(
    os.environ["BENCH_GROUP"],
    broker=f"kafka://{os.environ['BENCH_BOOTSTRAP']}",
    store="memory://",
    web_enabled=False,
    topic_partitions=int(os.environ["BENCH_PARTITIONS"]),
    consumer_auto_offset_reset="earliest",
)
access = app.topic(os.environ["BENCH_TOPIC"], value_type=bytes, value_serializer="raw", key_type=bytes)
alerts = app.topic(os.environ["BENCH_ALERTS"], value_type=bytes)
levels = app.Table("levels", default=lambda: [0.0, 0.0, 0])

seen = 0
began = 0.0


@app.agent(access)
async def watch(stream: faust.StreamT[bytes]) -> None:
    """One event after the other."""
    global seen, began
    from river.stats import EWMean

    async for record in stream:
        if not seen:
            began = time.monotonic()
        row = json.loads(record)
        user = row["USER_ID"]
        value = log1p(
            float(row.get("ROWS_PROCESSED") or row.get("ROW_COUNT") or row.get("RECORDS_PROCESSED") or 1)
        )
        mean, square, count = levels[user]
        if count > 10 and value - mean > 4 * sqrt(max(square - mean * mean, 0.01)):
            await alerts.send(key=user.encode(), value=record)
        levels[user] = [_moved(EWMean, mean, value), _moved(EWMean, square, value * value), count + 1]
        seen += 1
        if seen == EVENTS:
            sys.__stdout__.write(f"{EVENTS / (time.monotonic() - began):.0f}\n")
            sys.__stdout__.flush()


def _moved(ew_mean: type, before: float, value: float) -> float:
    mean = ew_mean(fading_factor=0.05)
    mean.update(before)
    mean.update(value)
    return mean.get()
