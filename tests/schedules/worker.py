"""A worker of the simulated cluster: its shards' turns, step by step, and what its consumer has fetched."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from streams.worker.input_activity import InputActivity
from streams.worker.partition_end import PartitionEnd
from streams.worker.turn import Acknowledge, Save, Send, ShardTurn, StageWork, Steps
from tests.detector.make import exhaust
from tests.schedules.log import Brokers, Partition

__all__ = ["Shard", "Worker"]

QUEUED_BATCHES = 16
TICK_SECONDS = 0.2
NewWork = Callable[[Partition, dict[bytes, bytes], InputActivity], StageWork]


class Shard:
    """One partition's work, with the step that it is in."""

    def __init__(
        self, worker: Worker, partition: Partition, new_work: NewWork, *, stateful: bool, opens_at: float
    ) -> None:
        self.worker = worker
        self.partition = partition
        self._new_work = new_work
        self._stateful = stateful
        self.opens_at = opens_at
        self.epoch = worker.brokers.take_over(partition)
        self.position = self.next_offset = worker.brokers.committed[partition]
        self._queue: deque[list[Any]] = deque()
        self._unacked: deque[int] = deque()
        self.acked = self.position
        self._end = self._report = -1  # as last fetched
        self._known_end = PartitionEnd()
        self._turn: ShardTurn | None = None
        self._steps: Steps | None = None
        self._effect: Any = None
        self._answer: Any = None
        self._sending: deque[Any] = deque()
        self._offsets: list[int] = []
        self._changes: list[Any] = []
        self._rested_at = 0.0

    def fetch(self, now: float, random: Random) -> None:
        """What the consumer does: read on, and learn where the partition ends."""
        brokers = self.worker.brokers
        if not brokers.reachable(now, self.partition) or len(self._queue) >= QUEUED_BATCHES:
            return
        log = brokers.logs[self.partition]
        self._end = len(log)
        self._report += 1
        records = log[self.position : self.position + random.choice((3, 40, 400))]
        if records:
            self._queue.append(records)
            self.position += len(records)

    def runnable(self, now: float) -> bool:
        """Whether there is a step to do."""
        if now < self.opens_at:
            return False
        return self._steps is not None or bool(self._queue) or now - self._rested_at >= TICK_SECONDS

    def step(self, now: float) -> None:
        """One step. Raises `FencedError`."""
        if self._turn is None:
            state = dict(self.worker.brokers.state[self.partition])
            work = self._new_work(self.partition, state, self.worker.activity)
            exhaust(work.restore())
            self._turn = ShardTurn(
                work, self._pull, stateful=self._stateful, save_seconds=1.0, clock=self.worker.clock
            )
        if self._effect is not None and not self._carried_out(now):
            return
        if self._steps is None:
            self._steps = self._turn.steps(self._read_to_end_at)
        try:
            self._effect = self._steps.send(self._answer)
        except StopIteration:
            self._steps = self._effect = None
            self._rested_at = now
        else:
            if isinstance(self._effect, Send):
                self._sending.extend(self._effect.outputs)
                self._offsets = []
            elif isinstance(self._effect, Save):
                self._changes = list(self._effect.changes)
        self._answer = None

    def _carried_out(self, now: float) -> bool:
        """Whether an effect is complete; outputs arrive one by one, state all at once."""
        brokers = self.worker.brokers
        match self._effect:
            case Send():
                output = self._sending[0]
                where = output.topic, output.partition or 0
                if brokers.reachable(now, where):
                    self._sending.popleft()
                    self._offsets.append(brokers.append(now, where, output.value, output.headers, output.key))
                self._answer = self._offsets
                return not self._sending
            case Save():
                if self._changes:
                    if not brokers.reachable(now):
                        return False
                    brokers.save(self.partition, self.epoch, self._changes)
                self._answer = self._changes
            case Acknowledge(batches):
                for _ in range(batches):
                    self.acked = self._unacked.popleft()
        return True

    def _pull(self) -> list[Any] | None:
        if not self._queue:
            return None
        records = self._queue.popleft()
        self.next_offset = records[-1].offset + 1
        self._unacked.append(self.next_offset)
        return records

    def _read_to_end_at(self) -> float | None:
        read = self._end == self.next_offset and not self._queue
        return self._known_end.look(self.worker.clock(), self._report, read=read)


class Worker:
    """A process with shards; frozen, it does nothing and knows nothing of it."""

    def __init__(self, name: int, brokers: Brokers, clock: Callable[[], float]) -> None:
        self.name = name
        self.brokers = brokers
        self.clock = clock
        self.activity = InputActivity()
        self.shards: dict[Partition, Shard] = {}
        self.generation = -1
        self.frozen_until = 0.0
        self.heard_at = clock()
        """When its heartbeat was last heard."""
        self.expired = False
        """Whether others have taken over what it takes for its own."""

    def commit(self) -> None:
        """Commit what has been acknowledged, if it is still a member."""
        if not self.expired:
            for partition, shard in self.shards.items():
                self.brokers.committed[partition] = max(self.brokers.committed[partition], shard.acked)
