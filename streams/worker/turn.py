"""What one shard does in a turn, step by step, as effects that its caller carries out.

A turn takes batches, sends what follows from them, saves the state, and acknowledges the batches; in that order. It
knows neither Kafka nor the event loop: a worker carries its effects out on the brokers, and a simulation on logs in
memory, in any order that a cluster may bring about.

If a worker is killed in between, the shard's next owner starts from older state, repeats the work and sends the same
outputs; their positions and sequence numbers let the receiver skip them. In the opposite order, state saved before its
outputs would lose them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from time import monotonic
from typing import Any, Protocol, TypeAlias

import msgspec

from detector.keyed_state import Changes
from streams.worker.producer import Output

__all__ = [
    "UNSAVED_BATCHES",
    "Acknowledge",
    "Breathe",
    "Changes",
    "Effect",
    "Save",
    "Send",
    "ShardTurn",
    "StageWork",
]

UNSAVED_BATCHES = 64
"""State is saved early once this many batches are unacknowledged."""


class StageWork(Protocol):
    """The work of one shard of a stage; it knows neither Kafka's consumer nor its producer."""

    def restore(self) -> Iterator[None]:
        """Take up the saved state, in short steps, before anything else."""
        ...

    def take(self, records: Sequence[Any]) -> Iterator[None]:
        """Process one batch of records in the log's order, in short steps."""
        ...

    def tick(self, *, read_to_end_at: float | None) -> Iterator[None]:
        """Time has passed. As of a time by the shard's clock, all of the partition had been read; ``None`` if not."""
        ...

    def outputs(self) -> Iterator[list[Output]]:
        """Hand over the messages to send, in portions that are quickly made."""
        ...

    def sent(self, outputs: Sequence[Output], offsets: Sequence[int]) -> None:
        """They have arrived, each at its offset; -1 where that is not known."""
        ...

    def settled(self) -> int:
        """How many batches, from the first on, are fully reflected in outputs and state."""
        ...

    def changes(self) -> Iterator[Changes]:
        """State changes since the last save, in slices that are quickly made."""
        ...

    def saved(self, changes: Changes) -> None:
        """This slice is durable."""
        ...


class Breathe(msgspec.Struct, frozen=True):
    """A step is done: let others run."""


class Send(msgspec.Struct, frozen=True):
    """Send these and wait until the brokers have them, those of a partition in order; the answer is their offsets."""

    outputs: list[Output]


class Save(msgspec.Struct, frozen=True):
    """Write these slices as one change of the state, completely or not at all; the answer is the list of them."""

    changes: Iterator[Changes]


class Acknowledge(msgspec.Struct, frozen=True):
    """So many batches, the oldest first, need not be read again."""

    batches: int


Effect: TypeAlias = Breathe | Send | Save | Acknowledge
Steps: TypeAlias = Generator[Effect, Any, None]


class ShardTurn:
    """The turns of one shard."""

    def __init__(
        self,
        work: StageWork,
        pull: Callable[[], Sequence[Any] | None],
        *,
        stateful: bool,
        save_seconds: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`pull` gives the next batch that is there, if there is one."""
        self.work = work
        self._pull = pull
        self._stateful = stateful
        self._save_seconds = save_seconds
        self._clock = clock
        self.saved_at = clock()
        """When state was last saved, by the clock."""
        self._taken = self._acknowledged = 0

    def steps(self, read_to_end_at: Callable[[], float | None]) -> Steps:
        """One turn: batches, outputs, and state if it is time. `read_to_end_at` is for `StageWork.tick`."""
        while (records := self._pull()) is not None:
            for _ in self.work.take(records):
                yield Breathe()
            self._taken += 1
            if self._unsaved >= UNSAVED_BATCHES:
                break  # after one at least: what the others wait for may be in it
        for _ in self.work.tick(read_to_end_at=read_to_end_at()):
            yield Breathe()
        yield from self._send()
        due = self._clock() - self.saved_at >= self._save_seconds
        if due or self._unsaved >= UNSAVED_BATCHES or not self._stateful:
            yield from self._save()

    def last(self) -> Steps:
        """Send, save and acknowledge what is possible, for a graceful stop."""
        yield from self._send()
        yield from self._save()

    @property
    def _unsaved(self) -> int:
        return self._taken - self._acknowledged

    def _send(self) -> Steps:
        for outputs in self.work.outputs():
            self.work.sent(outputs, (yield Send(outputs)))

    def _save(self) -> Steps:
        self.saved_at = self._clock()
        settled = self.work.settled()  # before taking the changes: state may be ahead, never behind
        if self._stateful:
            for changes in (yield Save(self.work.changes())):
                self.work.saved(changes)
                yield Breathe()
        if settled > self._acknowledged:
            yield Acknowledge(settled - self._acknowledged)
            self._acknowledged = settled
