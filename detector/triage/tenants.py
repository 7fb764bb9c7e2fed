"""What is counted of tenants as wholes, tick by tick, until each tick is closed and looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from detector.fleet.tenant import Notice, Tenant, close_tick
from detector.keyed_state import KeyedState, Prefix
from detector.name_order import in_order
from detector.settings import TriageSettings
from detector.signal import Signal, Tally
from detector.units import TICK_MS

__all__ = ["Tenants"]


ESTABLISHED_TICKS = 72
"""A tenant with so many active ticks is never displaced by a newcomer."""


class Tenants:
    """The tenants of one shard, at most so many, and the ticks of theirs that are not over."""

    def __init__(self, settings: TriageSettings, displaced: Callable[[str], None]) -> None:
        """`displaced` is called with each tenant that makes room."""
        self._most = settings.most_tenants
        self._tell_displaced = displaced
        self._own = frozenset(settings.own_tenants)
        self._tenants: dict[str, Tenant] = {}
        self._tallies: dict[int, dict[str, Tally]] = {}  # end of a tick → tenant → what was counted
        self._saved_tenants = KeyedState(Prefix.TENANT, msgspec.msgpack.encode, self._restore_tenant)
        self._saved_tallies = KeyedState(Prefix.TALLY, _encode_tally, self._restore_tally)
        self.states = self._saved_tenants, self._saved_tallies
        self.displaced = 0
        """How many tenants have made room for newer ones."""

    def admit(self, tenant: str, time_ms: int) -> bool:
        """Whether a tenant is known, from now on if there is room: made-up tenants must not fill all memory.

        When there is none, a newcomer displaces the tenant with the fewest active ticks, if that is neither the
        customer's own by the settings nor established: so made-up tenants displace one another.
        """
        if tenant in self._tenants:
            return True
        if len(self._tenants) >= self._most and not self._displace():
            return False
        known = self._tenants[tenant] = Tenant(seen_ms=time_ms)
        self._saved_tenants.change(tenant, known)
        return True

    def forget(self, before_ms: int) -> None:
        """Forget tenants of which no tick has come since, to make room for others."""
        gone = [
            name for name, known in self._tenants.items() if max(known.tick_ms, known.seen_ms) < before_ms
        ]
        for tenant in gone:
            self._drop(tenant)

    def _displace(self) -> bool:
        """Make room for one more; whether anybody can go."""
        newcomers = [
            (known.active_ticks, -known.seen_ms, name)
            for name, known in self._tenants.items()
            if known.active_ticks < ESTABLISHED_TICKS and name not in self._own
        ]
        if not newcomers:
            return False
        tenant = min(newcomers)[2]
        self._drop(tenant)
        self._tell_displaced(tenant)
        self.displaced += 1
        return True

    def _drop(self, tenant: str) -> None:
        del self._tenants[tenant]
        self._saved_tenants.drop(tenant)
        for end, tallies in self._tallies.items():
            if tallies.pop(tenant, None) is not None:
                self._saved_tallies.drop(_tally_name(end, tenant))

    def count(self, signal: Signal, watermark_ms: int) -> None:
        """Add what a shard counted in a tick to what the others did."""
        end = max(signal.time_ms, -(-watermark_ms // TICK_MS) * TICK_MS)
        tally = self._tallies.setdefault(end, {}).setdefault(signal.tenant, Tally())
        tally.add(signal.rows, {name: round(events) for name, events in signal.facts.items()})
        self._saved_tallies.change(_tally_name(end, signal.tenant), tally)

    def close(self, watermark_ms: int) -> Iterator[tuple[str, list[Notice], int]]:
        """Check the ticks that ended before: tenant, a tick's notices, the end of its last tick."""
        for end in sorted(
            end for end in self._tallies if end < watermark_ms
        ):  # told at their end, not before
            tallies = self._tallies.pop(end)
            for tenant in in_order(tallies):
                self._saved_tallies.drop(_tally_name(end, tenant))
                known = self._tenants.setdefault(tenant, Tenant())
                self._saved_tenants.change(tenant, known)
                for notices in close_tick(known, end - TICK_MS, tallies[tenant]):
                    yield tenant, notices, end

    def _restore_tenant(self, name: str, data: bytes) -> None:
        """Raises msgspec's `DecodeError`."""
        self._tenants[name] = msgspec.msgpack.decode(data, type=Tenant)

    def _restore_tally(self, name: str, data: bytes) -> None:
        """Raises msgspec's `DecodeError`, or `ValueError` for a bad name."""
        end, _, tenant = name.partition("|")
        self._tallies.setdefault(int(end), {})[tenant] = msgspec.msgpack.decode(data, type=Tally)


def _encode_tally(tally: Tally) -> bytes:
    """The tally as bytes: the same for the same counts, in whatever order shards reported them."""
    return msgspec.msgpack.encode(Tally(tally.rows, dict(sorted(tally.sources.items()))))


def _tally_name(end: int, tenant: str) -> str:
    return f"{end}|{tenant}"
