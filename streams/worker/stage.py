"""The frame that every agent runs on: take batches, send what follows, save state, acknowledge; in that order.

A *shard* is one partition of the stage's topic with its state. Each has a task of its own, so that waiting for the
brokers on behalf of one does not hold up another. For each shard, outputs are awaited first, then the state that
already counts them, then the input is acknowledged. Killed between any two of these, the shard's next owner starts
from older state, does the same again and sends the same again; positions and sequence numbers in what is sent let
the receiver skip it. The other way round, state that was saved before its outputs would lose them.

Whatever is unexpected ends the process: its supervisor restarts it, and the state is rebuilt from the changelog.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Protocol

from streams.worker.metrics import Metrics
from streams.worker.producer import Output, Producer

__all__ = ["Stage", "StageWork"]

log = logging.getLogger(__name__)

QUEUED_BATCHES = 16
"""How many batches wait for a shard before its agent stops reading."""
TICK_SECONDS = 0.2
RESTORED_SECONDS = 0.02
"""How often a stage looks whether the one that it waits for is restored."""
UNSAVED_BATCHES = 64
"""State is saved early once so many batches are unacknowledged."""


class StageWork(Protocol):
    """What one shard of a stage does; it knows neither Kafka's consumer nor its producer."""

    def take(self, records: Sequence[Any]) -> None:
        """Take the records of one batch in, in the log's order."""
        ...

    def tick(self, position: int | None, *, caught_up: bool) -> None:
        """Time has passed: `position` is the next offset to read, `caught_up` whether there is none to read."""
        ...

    def outputs(self) -> list[Output]:
        """What is to be sent, handed over."""
        ...

    def settled(self) -> int:
        """How many of the batches taken, from the first on, are wholly reflected in outputs and state."""
        ...

    def changes(self) -> dict[bytes, bytes | None]:
        """What state has changed since it was last saved."""
        ...

    def saved(self, changes: dict[bytes, bytes | None]) -> None:
        """These changes are durable."""
        ...


class _PartitionTask:
    def __init__(self, stage: Stage, partition: int) -> None:
        self.stage = stage
        self.partition = partition
        self.work: StageWork = None  # type: ignore[assignment] # until it is restored, which is before all else
        self.restored = False
        self.queue: asyncio.Queue[Any] = asyncio.Queue(QUEUED_BATCHES)
        self.unacked: deque[Any] = deque()
        self.taken = 0  # batches taken since the shard was opened
        self.acked = 0
        self.next_offset: int | None = None
        self.saved_at = monotonic()
        self.stopping = False
        self.dropped = (
            False  # a task that is cancelled just as its queue has something may go on: this ends it
        )
        self.task = asyncio.create_task(self._run(), name=f"{stage.name}-{partition}")

    async def _run(self) -> None:
        try:
            stage = self.stage
            while stage.after is not None and not stage.after.restored:
                await asyncio.sleep(RESTORED_SECONDS)
            store = {}
            if stage.changelog is not None:
                began = monotonic()
                store = await stage.restore(stage.changelog, self.partition)
                if stage.metrics is not None:
                    stage.metrics.restored(stage.name, monotonic() - began)
            self.work = stage.new_work(self.partition, store)
            self.restored = True
            while not (self.stopping or self.dropped):
                await self._turn()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the process must not go on without it
            self.stage.fatal(f"{self.stage.name} of partition {self.partition} failed", error)

    async def _turn(self) -> None:
        event = None
        with contextlib.suppress(asyncio.TimeoutError):
            event = await asyncio.wait_for(self.queue.get(), TICK_SECONDS)
        if self.dropped:  # the partition is another's: neither send nor save
            return
        while event is not None:
            self._take(event)
            event = (
                None if self.queue.empty() or self._unsaved >= UNSAVED_BATCHES else self.queue.get_nowait()
            )
        self.work.tick(self.next_offset, caught_up=self._caught_up())
        outputs = self.work.outputs()
        if outputs:
            await self.stage.producer.send(outputs)
        due = monotonic() - self.saved_at >= self.stage.save_seconds
        if due or self._unsaved >= UNSAVED_BATCHES or self.stage.changelog is None:
            await self._save()

    @property
    def _unsaved(self) -> int:
        return self.taken - self.acked

    def _take(self, event: Any) -> None:
        message = event.message
        if message.generation_id != self.stage.app.consumer_generation_id:
            return  # read before a rebalance; it is read again from where the group has committed
        records = message.value
        began = monotonic()
        self.work.take(records)
        metrics = self.stage.metrics
        if metrics is not None:
            metrics.batch(self.stage.name, monotonic() - began)
            size_bytes = sum([len(record.value or b"") for record in records])
            metrics.read(self.stage.topic, len(records), size_bytes)
        self.taken += 1
        self.unacked.append(event)
        self.next_offset = records[-1].offset + 1

    async def _save(self) -> None:
        stage = self.stage
        self.saved_at = monotonic()
        settled = self.work.settled()  # before the changes are taken: state may say more, never less
        if stage.changelog is not None:
            changes = self.work.changes()
            if changes:
                await stage.producer.save(stage.changelog, self.partition, changes)
                self.work.saved(changes)
        while self.acked < settled:
            self.unacked.popleft().ack()
            self.acked += 1

    async def finish(self) -> None:
        """Send, save and acknowledge what can be, and stop."""
        self.stopping = True  # not cancelled: what is being sent must be known to have arrived
        await asyncio.wait([self.task])
        if self.task.cancelled() or not self.restored:  # the partition has been revoked meanwhile
            return
        outputs = self.work.outputs()
        if outputs:
            await self.stage.producer.send(outputs)
        await self._save()

    def _caught_up(self) -> bool:
        """Whether the partition has been read to its end, as far as the last fetch knew."""
        backlog = self.stage.app.consumer.backlog(self.stage.tp(self.partition), self.next_offset)
        return backlog == 0 and self.queue.empty()


class Stage:
    """One agent's shards, opened when partitions are assigned, dropped when they are revoked."""

    def __init__(
        self,
        name: str,
        topic: str,
        *,
        app: Any,
        producer: Producer,
        work: Callable[[int, dict[bytes, bytes]], StageWork],
        restore: Callable[[str, int], Awaitable[dict[bytes, bytes]]],
        tp: Callable[[int], Any],
        fatal: Callable[[str, BaseException], None],
        metrics: Metrics | None = None,
        changelog: str | None = None,
        after: Stage | None = None,
        save_seconds: float = 1.0,
    ) -> None:
        """Its shards begin when those of `after` are restored."""
        self.name = name
        self.topic = topic
        self.app = app
        self.producer = producer
        self.new_work = work
        self.restore = restore
        self.tp = tp
        self.fatal = fatal
        self.metrics = metrics
        self.changelog = changelog
        self.after = after
        self.save_seconds = save_seconds
        self.shards: dict[int, _PartitionTask] = {}

    @property
    def restored(self) -> bool:
        """Whether every shard has its state."""
        return all(shard.restored for shard in self.shards.values())

    @property
    def works(self) -> list[StageWork]:
        """What its shards do, of those that have their state."""
        return [shard.work for shard in self.shards.values() if shard.restored]

    async def run(self, stream: Any) -> None:
        """The agent's body: hand each batch to its partition's shard."""
        async for event in stream.noack().events():
            partition = event.message.partition
            while event.message.generation_id == self.app.consumer_generation_id:
                shard = self.shards.get(partition)
                if shard is not None and not shard.queue.full():
                    shard.queue.put_nowait(event)
                    break
                await asyncio.sleep(0.005)  # not opened yet, or busy; either may end with a rebalance

    def open(self, partitions: Sequence[int]) -> None:
        """Begin with these partitions, each from its saved state, and with no others."""
        self.drop()
        self.shards = {partition: _PartitionTask(self, partition) for partition in partitions}

    def drop(self) -> None:
        """Forget all shards; what was not acknowledged will be read again by whoever gets the partition."""
        for shard in self.shards.values():
            shard.dropped = True
            shard.task.cancel()
        self.shards = {}

    async def finish(self) -> None:
        """Bring all shards to a durable end, for a clean stop."""
        await asyncio.gather(*(shard.finish() for shard in self.shards.values()))
        self.shards = {}
