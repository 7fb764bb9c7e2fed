"""What is counted of tenants as wholes, tick by tick, until each tick is closed and looked at."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from detector.fleet.tenant import Notice, Tally, Tenant, close_tick
from detector.signal import Signal
from detector.units import TICK_MS

__all__ = ["TALLY", "TENANT", "Tenants"]

TENANT = b"t"
TALLY = b"y"
"""What the keys of stored values begin with."""


class Tenants:
    """The tenants of one desk, at most so many, and the ticks of theirs that are not over."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._admitted: set[str] = set()
        self._tenants: dict[str, Tenant] = {}
        self._tallies: dict[int, dict[str, Tally]] = {}  # end of a tick → tenant → what was counted
        self._dirty: set[str] = set()
        self._dirty_tallies: set[tuple[int, str]] = set()
        self._gone: set[bytes] = set()

    def restore(self, key: bytes, data: bytes) -> None:
        """Take up a stored value. Raises msgspec's `DecodeError`, or `ValueError` for a bad key."""
        name = key[1:].decode("utf-8", "replace")
        if key[:1] == TENANT:
            self._tenants[name] = msgspec.msgpack.decode(data, type=Tenant)
            self._admitted.add(name)
        else:
            end, _, tenant = name.partition("|")
            self._admitted.add(tenant)
            self._tallies.setdefault(int(end), {})[tenant] = msgspec.msgpack.decode(data, type=Tally)

    def admit(self, tenant: str) -> bool:
        """Whether a tenant is known, from now on if there is room: made-up tenants must not fill all memory."""
        if tenant not in self._admitted:
            if len(self._admitted) >= self._most:
                return False
            self._admitted.add(tenant)
        return True

    def forget(self, before_ms: int) -> None:
        """Forget tenants of which no tick has come since, to make room for others."""
        for tenant in [name for name, known in self._tenants.items() if known.tick_ms < before_ms]:
            del self._tenants[tenant]
            self._admitted.discard(tenant)
            self._dirty.discard(tenant)
            self._gone.add(TENANT + tenant.encode())

    def count(self, signal: Signal, watermark_ms: int) -> None:
        """Add what a shard counted in a tick to what the others did."""
        end = max(signal.time_ms, -(-watermark_ms // TICK_MS) * TICK_MS)
        tally = self._tallies.setdefault(end, {}).setdefault(signal.tenant, Tally())
        tally.add(signal.rows, {name: round(events) for name, events in signal.facts.items()})
        self._dirty_tallies.add((end, signal.tenant))

    def close(self, watermark_ms: int) -> Iterator[tuple[str, Notice, int]]:
        """Look at the ticks that ended before: tenant, what there is to tell of it, and the tick's end."""
        for end in sorted(
            end for end in self._tallies if end < watermark_ms
        ):  # told at their end, not before
            for tenant, tally in sorted(self._tallies.pop(end).items()):
                self._dirty_tallies.discard((end, tenant))
                self._gone.add(_tally_key(end, tenant))
                known = self._tenants.setdefault(tenant, Tenant())
                self._dirty.add(tenant)
                for notice in close_tick(known, end - TICK_MS, tally):
                    yield tenant, notice, end

    def changes(self) -> dict[bytes, bytes | None]:
        """The values changed since `saved`, encoded; ``None`` for one that is gone."""
        changed: dict[bytes, bytes | None] = dict.fromkeys(sorted(self._gone))
        for tenant in sorted(self._dirty):
            changed[TENANT + tenant.encode()] = msgspec.msgpack.encode(self._tenants[tenant])
        for end, tenant in sorted(self._dirty_tallies):
            tally = self._tallies[end][tenant]
            ordered = Tally(tally.rows, dict(sorted(tally.sources.items())))
            changed[_tally_key(end, tenant)] = msgspec.msgpack.encode(ordered)
        return changed

    def saved(self) -> None:
        """What `changes` gave is durable."""
        self._gone.clear()
        self._dirty.clear()
        self._dirty_tallies.clear()

    @property
    def dirty(self) -> int:
        """How many values have changed since they were saved."""
        return len(self._dirty) + len(self._dirty_tallies) + len(self._gone)


def _tally_key(end: int, tenant: str) -> bytes:
    return TALLY + f"{end}|{tenant}".encode()
