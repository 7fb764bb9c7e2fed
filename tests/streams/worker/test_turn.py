from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from streams.worker.producer import Output
from streams.worker.turn import UNSAVED_BATCHES, Acknowledge, Changes, Save, Send, ShardTurn


class Waiting:
    """Work whose batches all wait for the last one."""

    def __init__(self, batches: int) -> None:
        self.taken: list[Any] = []
        self._batches = batches

    def restore(self) -> Iterator[None]:
        """Nothing."""
        return iter(())

    def take(self, records: Sequence[Any]) -> Iterator[None]:
        """Note what comes."""
        self.taken += records
        yield

    def tick(self, *, read_to_end_at: float | None) -> Iterator[None]:
        """Nothing."""
        return iter(())

    def outputs(self) -> Iterator[list[Output]]:
        """Nothing."""
        return iter(())

    def sent(self, outputs: Sequence[Output], offsets: Sequence[int]) -> None:
        """Nothing."""

    def settled(self) -> int:
        """All, or none."""
        return self._batches if len(self.taken) == self._batches else 0

    def changes(self) -> Iterator[Changes]:
        """None."""
        return iter(())

    def saved(self, changes: Changes) -> None:
        """Nothing."""


def test_batches_that_wait_do_not_keep_out_the_one_they_wait_for() -> None:
    """However many are not acknowledged, each turn takes another; once the last has come, all are acknowledged."""
    batches = 2 * UNSAVED_BATCHES
    work = Waiting(batches)
    rest = iter(range(batches))
    turn = ShardTurn(
        work, lambda: None if (n := next(rest, None)) is None else [n], stateful=True, save_seconds=0.0
    )
    acknowledged = 0
    for _ in range(batches):
        steps = turn.steps(lambda: None)
        answer: Any = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration:
                break
            answer = [] if isinstance(effect, Save | Send) else None
            if isinstance(effect, Acknowledge):
                acknowledged += effect.batches
    assert work.taken == list(range(batches))
    assert acknowledged == batches
