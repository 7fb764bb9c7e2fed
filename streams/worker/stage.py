"""The frame that every agent runs on: it carries out on the brokers what a shard's turns ask for.

A *shard* is one partition of the stage's topic with its state. Each shard has its own task, so that waiting for the
brokers on behalf of one does not delay another.

An unexpected error ends the process: its supervisor restarts it, and the state is rebuilt from the changelog.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from detector.keyed_state import StoredValueError
from streams.worker.changelog import SavedValueError
from streams.worker.metrics import Metrics
from streams.worker.partition_end import PartitionEnd
from streams.worker.producer import Producer
from streams.worker.state_writer import FencedError, StateWriter
from streams.worker.turn import Acknowledge, Save, Send, ShardTurn, StageWork, Steps

__all__ = ["Stage"]

log = logging.getLogger(__name__)

QUEUED_BATCHES = 16
"""How many batches wait for a shard before its agent stops reading."""
TICK_SECONDS = 0.2
RESTORED_SECONDS = 0.02
"""How often a stage looks whether the one that it waits for is restored."""


class _PartitionTask:
    def __init__(self, stage: Stage, partition: int) -> None:
        self.stage = stage
        self.partition = partition
        self.work: StageWork = None  # type: ignore[assignment] # set by the restore, before anything else
        self.restored = False
        self.queue: asyncio.Queue[Any] = asyncio.Queue(QUEUED_BATCHES)
        self.unacked: deque[Any] = deque()
        self.turn: ShardTurn = None  # type: ignore[assignment] # likewise
        self.next_offset: int | None = None
        self.opened_at = monotonic()
        self.turns = self.turn_steps = 0
        """How many turns it has begun, and how many steps of the last one it has taken."""
        self.stopping = False
        self.dropped = False  # a task cancelled just as its queue gets an item may continue: this ends it
        self._first: Any = None  # of a turn's events, the one that was waited for
        self._end = PartitionEnd()
        self._state: StateWriter | None = None
        self.task = asyncio.create_task(self._run(), name=f"{stage.name}-{partition}")

    @property
    def saved_at(self) -> float:
        """When state was last saved, or the shard was opened."""
        return self.turn.saved_at if self.restored else self.opened_at

    async def _run(self) -> None:
        try:
            stage = self.stage
            while stage.after is not None and not stage.after.restored:
                await asyncio.sleep(RESTORED_SECONDS)
            store = {}
            if stage.changelog is not None:
                began = monotonic()
                self._state = stage.state_writer(stage.changelog, self.partition)
                await self._state.take_over()  # from now on, nobody else changes what is read
                store = await stage.restore(stage.changelog, self.partition)
                if stage.metrics is not None:
                    stage.metrics.restored(stage.name, monotonic() - began)
            try:
                self.work = stage.new_work(self.partition, store)
                for _ in self.work.restore():
                    await asyncio.sleep(0)
            except StoredValueError as error:
                raise SavedValueError(stage.changelog or "", self.partition, error) from error
            self.turn = ShardTurn(
                self.work, self._pull, stateful=stage.changelog is not None, save_seconds=stage.save_seconds
            )
            self.restored = True
            while not (self.stopping or self.dropped):
                with contextlib.suppress(asyncio.TimeoutError):
                    self._first = await asyncio.wait_for(self.queue.get(), TICK_SECONDS)
                await self._carry_out(self.turn.steps(self._read_to_end_at))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the process must not continue after any error
            if not (self.dropped and isinstance(error, FencedError)):
                self.stage.fatal(f"{self.stage.name} of partition {self.partition} failed", error)
        finally:
            if self.dropped and self._state is not None:
                await self._state.stop()

    async def _carry_out(self, steps: Steps) -> None:
        answer: Any = None
        self.turns, self.turn_steps = self.turns + 1, 0
        while not self.dropped:  # else the partition belongs to another worker: neither send nor save
            began = monotonic()
            try:
                effect = steps.send(answer)
            except StopIteration:
                return
            if self.unacked and self.stage.metrics is not None:
                self.stage.metrics.step(self.stage.name, monotonic() - began)
            answer = None
            self.turn_steps += 1
            match effect:
                case Send(outputs):
                    answer = await self.stage.producer.send(outputs)
                case Save(changes) if self._state is not None:
                    answer = await self._state.save(changes)
                case Acknowledge(batches):
                    for _ in range(batches):
                        self.unacked.popleft().ack()
                case _:
                    await asyncio.sleep(0)

    def _pull(self) -> Sequence[Any] | None:
        """The next batch that was not read before a rebalance: such are read again from the committed offset."""
        while True:
            event, self._first = self._first, None
            if event is None and not self.queue.empty():
                event = self.queue.get_nowait()
            if event is None:
                return None
            if event.message.generation_id != self.stage.app.consumer_generation_id:
                continue
            records: list[Any] = event.message.value
            metrics = self.stage.metrics
            if metrics is not None:
                size_bytes = sum([len(record.value or b"") for record in records])
                metrics.read(self.stage.topic, len(records), size_bytes)
            self.unacked.append(event)
            self.next_offset = records[-1].offset + 1
            return records

    async def finish(self) -> None:
        """Send, save and acknowledge what is possible, and stop."""
        self.stopping = True  # not cancelled: the messages in flight must be known to have arrived
        await asyncio.wait([self.task])
        if self.task.cancelled() or not self.restored:  # the partition was revoked meanwhile
            return
        await self._carry_out(self.turn.last())
        if self._state is not None:
            await self._state.stop()

    def _read_to_end_at(self) -> float | None:
        consumer, tp = self.stage.app.consumer, self.stage.tp(self.partition)
        report = consumer.last_report_ms(tp)  # before the backlog, which may be of a newer one
        read = consumer.backlog(tp, self.next_offset) == 0 and self.queue.empty()
        return self._end.look(monotonic(), report, read=read)


class Stage:
    """One agent's shards, opened when partitions are assigned and dropped when they are revoked."""

    def __init__(
        self,
        name: str,
        topic: str,
        *,
        app: Any,
        producer: Producer,
        work: Callable[[int, dict[bytes, bytes]], StageWork],
        restore: Callable[[str, int], Awaitable[dict[bytes, bytes]]],
        state_writer: Callable[[str, int], StateWriter],
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
        self.state_writer = state_writer
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
        """The work of the shards that have their state."""
        return [shard.work for shard in self.shards.values() if shard.restored]

    async def run(self, stream: Any) -> None:
        """Run the agent: hand each batch to its partition's shard."""
        async for event in stream.noack().events():
            partition = event.message.partition
            while event.message.generation_id == self.app.consumer_generation_id:
                shard = self.shards.get(partition)
                if shard is not None and not shard.queue.full():
                    shard.queue.put_nowait(event)
                    break
                await asyncio.sleep(0.005)  # not open yet, or busy; a rebalance may end either

    def open(self, partitions: Sequence[int]) -> None:
        """Open exactly these partitions, each from its saved state."""
        self.drop()
        self.shards = {partition: _PartitionTask(self, partition) for partition in partitions}

    def drop(self) -> None:
        """Drop all shards; the next owner reads unacknowledged records again."""
        for shard in self.shards.values():
            shard.dropped = True
            shard.task.cancel()
        self.shards = {}

    async def finish(self) -> None:
        """Make all shards durable for a graceful stop."""
        await asyncio.gather(*(shard.finish() for shard in self.shards.values()))
        self.shards = {}
