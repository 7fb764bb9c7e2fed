"""Bytewax as its documentation shows it: a stateful map, with its recovery store in files.

It snapshots the levels every ten seconds; a kill rolls levels and positions back together.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.peers.job import Course, Level, task, value_of

SNAPSHOTS = timedelta(seconds=10)

given = task()
course = Course(given)


def user_of(message: Any) -> str:
    """Whose record it is."""
    return str(message.key, "utf-8")


def step(known: Level | None, message: Any) -> tuple[Level, KafkaSinkMessage[bytes, bytes] | None]:
    """A user's next record."""
    level = known or Level()
    far = level.is_far(value_of(message.value))
    course.taken(message.key, level.count, alerted=far)
    return level, KafkaSinkMessage(message.key, message.value) if far else None


def main() -> None:
    """Read for ever."""
    store = Path(given.folder) / "bytewax"
    if not store.exists():
        store.mkdir(parents=True)
        init_db_dir(store, 1)  # type: ignore[no-untyped-call] # it has no types
    source = KafkaSource(
        [given.bootstrap], [given.topic], batch_size=1000, add_config={"fetch.queue.backoff.ms": "10"}
    )
    flow = Dataflow("levels")
    read = op.input("read", flow, source)
    by_user = op.key_on("user", read, user_of)
    scored = op.stateful_map("score", by_user, step)
    alerts = op.filter_map("far", op.key_rm("rows", scored), lambda message: message)
    op.output("alert", alerts, KafkaSink([given.bootstrap], given.alerts))
    recovery = RecoveryConfig(str(store))  # type: ignore[no-untyped-call] # it has no types
    cli_main(flow, epoch_interval=SNAPSHOTS, recovery_config=recovery)  # type: ignore[no-untyped-call] # it has no types


if __name__ == "__main__":
    main()
