"""Kafka as the agents see it, in memory: partitions, offsets, outages, and a changelog that fences its writers."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

__all__ = ["Brokers", "FencedError", "Partition"]

EPOCH_MS = 1_800_000_000_000
"""The brokers' time at the beginning of the virtual clock, after all records."""
Partition = tuple[str, int]
"""A topic and the number of one of its partitions."""


class FencedError(Exception):
    """A write of one whose shard has been taken over."""


class Brokers:
    """Logs, committed offsets and changelogs; some or all of it may be unreachable until a time."""

    def __init__(self, *, fencing: bool = True) -> None:
        self._fencing = fencing
        self.logs: dict[Partition, list[Any]] = defaultdict(list)
        self.committed: dict[Partition, int] = defaultdict(int)
        self.state: dict[Partition, dict[bytes, bytes]] = defaultdict(dict)
        self._epochs: dict[Partition, int] = defaultdict(int)
        self._out_until: dict[Partition, float] = defaultdict(float)
        self._all_out_until = 0.0

    def fail(self, until: float, partition: Partition | None = None) -> None:
        """Nobody reaches one partition, or any, until a time."""
        if partition is None:
            self._all_out_until = max(self._all_out_until, until)
        else:
            self._out_until[partition] = max(self._out_until[partition], until)

    def reachable(self, now: float, partition: Partition | None = None) -> bool:
        """Whether a partition, or the brokers at all, can be written and read at a time."""
        return now >= self._all_out_until and (partition is None or now >= self._out_until[partition])

    def append(
        self,
        now: float,
        partition: Partition,
        value: bytes | None,
        headers: Any = (),
        key: bytes | None = None,
    ) -> int:
        """Append a record; its offset."""
        log = self.logs[partition]
        record = SimpleNamespace(
            topic=partition[0],
            partition=partition[1],
            offset=len(log),
            timestamp=EPOCH_MS + round(now * 1000),
            headers=headers,
            key=key,
            value=value,
        )
        log.append(record)
        return len(log) - 1

    def take_over(self, partition: Partition) -> int:
        """Begin to write a changelog: whoever did before is fenced. The writer's epoch."""
        self._epochs[partition] += 1
        return self._epochs[partition]

    def save(self, partition: Partition, epoch: int, changes: list[dict[bytes, bytes | None]]) -> None:
        """Write slices of state as one. Raises `FencedError`."""
        if self._fencing and epoch != self._epochs[partition]:
            raise FencedError(partition)
        state = self.state[partition]
        for part in changes:
            for name, value in part.items():
                if value is None:
                    state.pop(name, None)
                else:
                    state[name] = value
