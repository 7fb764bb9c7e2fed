"""The simple job on crmwatch's own frame: batches, levels in a changelog about once a second, acknowledged after.

A level remembers the offset of the last record that it has counted, so that one that is read again is not counted
again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import faust
import msgspec
from faust.types import TP

from benchmarks.peers.job import Course, Level, task, value_of
from streams.kafka.topics import Topic, ensure
from streams.worker.changelog import restore
from streams.worker.consumer import BatchedApp
from streams.worker.producer import MAX_MESSAGE_BYTES, Output, Producer
from streams.worker.stage import Stage
from streams.worker.state_writer import StateWriter

given = task()
course = Course(given)
connection = {"bootstrap_servers": given.bootstrap}
changelog = f"{given.group}-frame-changelog"

Saved = tuple[float, float, int, int]
"""A level's numbers, and the offset of the last record in them."""
_saved = msgspec.msgpack.Decoder(Saved)
_encode = msgspec.msgpack.Encoder().encode


class Levels:
    """The levels of one partition's users."""

    def __init__(self, partition: int, store: dict[bytes, bytes]) -> None:
        self._known: dict[bytes, Level] = {}
        self._offsets: dict[bytes, int] = {}
        for user, value in store.items():
            *numbers, offset = _saved.decode(value)
            self._known[user] = Level(*numbers)
            self._offsets[user] = offset
        self._changed: dict[bytes, int] = {}
        self._alerts: list[Output] = []
        self._batches = 0

    def restore(self) -> Iterator[None]:
        """Nothing more to do."""
        return iter(())

    def take(self, records: Sequence[Any]) -> Iterator[None]:
        """Score a batch."""
        known, changed = self._known, self._changed
        for record in records:
            user = record.key
            level = known.get(user)
            if level is None:
                level = known[user] = Level()
            elif record.offset <= self._offsets.get(user, -1):
                continue  # read again
            far = level.is_far(value_of(record.value))
            if far:
                self._alerts.append(Output(given.alerts, None, user, record.value))
            changed[user] = record.offset
            course.taken(user, level.count, alerted=far)
        self._batches += 1
        yield

    def tick(self, *, read_to_end_at: float | None) -> Iterator[None]:
        """Nothing depends on time passing."""
        return iter(())

    def outputs(self) -> Iterator[list[Output]]:
        """The alerts."""
        alerts, self._alerts = self._alerts, []
        if alerts:
            yield alerts

    def sent(self, outputs: Sequence[Output], offsets: Sequence[int]) -> None:
        """Nothing to do."""

    def settled(self) -> int:
        """All batches taken."""
        return self._batches

    def changes(self) -> Iterator[dict[bytes, bytes | None]]:
        """The levels that have moved."""
        changed, self._changed = self._changed, {}
        if changed:
            yield {user: _encode((*self._known[user].numbers, offset)) for user, offset in changed.items()}

    def saved(self, changes: dict[bytes, bytes | None]) -> None:
        """They are durable."""


class _App(BatchedApp):
    """Starts the producer before anything is consumed."""

    async def on_start(self) -> None:
        await super().on_start()
        await producer.start()


app = _App(
    given.group,
    broker=f"kafka://{given.bootstrap}",
    store="memory://",
    datadir=str(Path(given.folder) / "frame"),
    topic_allow_declare=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    consumer_max_fetch_size=MAX_MESSAGE_BYTES,
    broker_max_poll_records=8000,
    broker_session_timeout=10.0,
    broker_heartbeat_interval=2.0,
    broker_commit_interval=0.5,
    stream_buffer_maxsize=16,
    stream_recovery_delay=0.0,
    stream_wait_empty=False,
    web_enabled=False,
    reply_create_topic=False,
)
app.batched_topics = frozenset((given.topic,))
producer = Producer(**connection)


def fatal(what: str, error: BaseException) -> None:
    """End the process."""
    sys.stderr.write(f"{what}: {error!r}\n")
    os._exit(70)


async def _restore(topic: str, partition: int) -> dict[bytes, bytes]:
    return await restore(topic, partition, **connection)


stage = Stage(
    "levels",
    given.topic,
    app=app,
    producer=producer,
    work=Levels,
    restore=_restore,
    state_writer=partial(StateWriter, given.group, **connection),
    tp=lambda partition: TP(given.topic, partition),
    fatal=fatal,
    changelog=changelog,
)


@app.agent(app.topic(given.topic, key_type=bytes, value_type=bytes, value_serializer="raw"), concurrency=1)
async def levels(stream: faust.StreamT[Any]) -> None:
    """Hand each batch to its partition."""
    await stage.run(stream)


async def revoked(app: Any, gone: Any, **_: Any) -> None:
    """Forget what is somebody else's now."""
    stage.drop()


async def assigned(app: Any, **_: Any) -> None:
    """Begin with what is ours now."""
    stage.open(sorted(tp.partition for tp in app.consumer.assignment() if tp.topic == given.topic))


app.on_partitions_revoked.connect(revoked)  # type: ignore[arg-type] # its types know no other names
app.on_rebalance_complete.connect(assigned)  # type: ignore[arg-type] # nor others


if __name__ == "__main__":
    ensure(given.bootstrap, [Topic(changelog, given.partitions, 1, {"cleanup.policy": "compact"})])
    worker = faust.Worker(app, loglevel="WARN", redirect_stdouts=False, quiet=True)
    worker.execute_from_commandline()
