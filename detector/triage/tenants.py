"""What is counted of tenants as wholes, tick by tick, until each tick is closed and looked at."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from detector.fleet.tenant import Notice, Tenant, close_tick
from detector.keyed_state import KeyedState, Prefix
from detector.signal import Signal, Tally
from detector.units import TICK_MS

__all__ = ["Tenants"]


class Tenants:
    """The tenants of one desk, at most so many, and the ticks of theirs that are not over."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._admitted: set[str] = set()
        self._tenants: dict[str, Tenant] = {}
        self._tallies: dict[int, dict[str, Tally]] = {}  # end of a tick → tenant → what was counted
        self._saved_tenants = KeyedState(Prefix.TENANT, msgspec.msgpack.encode, self._restore_tenant)
        self._saved_tallies = KeyedState(Prefix.TALLY, _encode_tally, self._restore_tally)
        self.states = self._saved_tenants, self._saved_tallies

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
            self._saved_tenants.drop(tenant)

    def count(self, signal: Signal, watermark_ms: int) -> None:
        """Add what a shard counted in a tick to what the others did."""
        end = max(signal.time_ms, -(-watermark_ms // TICK_MS) * TICK_MS)
        tally = self._tallies.setdefault(end, {}).setdefault(signal.tenant, Tally())
        tally.add(signal.rows, {name: round(events) for name, events in signal.facts.items()})
        self._saved_tallies.change(_tally_name(end, signal.tenant), tally)

    def close(self, watermark_ms: int) -> Iterator[tuple[str, Notice, int]]:
        """Look at the ticks that ended before: tenant, what there is to tell of it, and the tick's end."""
        for end in sorted(
            end for end in self._tallies if end < watermark_ms
        ):  # told at their end, not before
            for tenant, tally in sorted(self._tallies.pop(end).items()):
                self._saved_tallies.drop(_tally_name(end, tenant))
                known = self._tenants.setdefault(tenant, Tenant())
                self._saved_tenants.change(tenant, known)
                for notice in close_tick(known, end - TICK_MS, tally):
                    yield tenant, notice, end

    def _restore_tenant(self, name: str, data: bytes) -> None:
        """Raises msgspec's `DecodeError`."""
        self._tenants[name] = msgspec.msgpack.decode(data, type=Tenant)
        self._admitted.add(name)

    def _restore_tally(self, name: str, data: bytes) -> None:
        """Raises msgspec's `DecodeError`, or `ValueError` for a bad name."""
        end, _, tenant = name.partition("|")
        self._admitted.add(tenant)
        self._tallies.setdefault(int(end), {})[tenant] = msgspec.msgpack.decode(data, type=Tally)


def _encode_tally(tally: Tally) -> bytes:
    """The tally as bytes: the same for the same counts, in whatever order shards reported them."""
    return msgspec.msgpack.encode(Tally(tally.rows, dict(sorted(tally.sources.items()))))


def _tally_name(end: int, tenant: str) -> str:
    return f"{end}|{tenant}"
