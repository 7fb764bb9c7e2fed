"""Networks on which identities turn up that were never there before, tick by tick.

Who turns up waits for the end of the tick, to be seen together with others of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from detector.event import ActorKind
from detector.fleet import origin
from detector.fleet.origin import NetworkNewcomers, Newcomer
from detector.fleet.population import Population
from detector.fleet.rarity import strangeness
from detector.identity.baseline import DAY_MS
from detector.settings import TriageSettings
from detector.signal import Evidence, NewValue, Signal, SignalKind
from detector.trait import network as network_of

__all__ = ["ORIGIN", "PENDING", "Networks", "signal_of"]

ORIGIN = b"o"
PENDING = b"p"
"""What the keys of stored values begin with."""
KNOWN_DAYS = 2
"""How long a network is remembered on which nobody has newly turned up."""
SAMPLE_ROWS = 300
"""How many rows a newcomer's strangeness is judged for, whatever it has taken by then."""


class _Pending(msgspec.Struct, array_like=True):
    """Somebody who turned up on a network, to be entered when the tick closes."""

    tenant: str
    network: str
    actor: str
    newcomer: Newcomer
    evidence: Evidence | None


class Networks:
    """The networks of one desk's tenants."""

    def __init__(self, population: Population, settings: TriageSettings) -> None:
        self._population = population
        self._settings = settings
        self._origins: dict[str, NetworkNewcomers] = {}
        self._pending: dict[int, dict[str, _Pending]] = {}  # end of a tick → by tenant, network and actor
        self._dirty: set[str] = set()
        self._dirty_pending: set[bytes] = set()
        self._gone: set[bytes] = set()

    def restore(self, key: bytes, data: bytes) -> None:
        """Take up a stored value. Raises msgspec's `DecodeError`, or `ValueError` for a bad key."""
        name = key[1:].decode("utf-8", "replace")
        if key[:1] == ORIGIN:
            self._origins[name] = origin.decode(data)
        else:
            end, _, about = name.partition("|")
            self._pending.setdefault(int(end), {})[about] = msgspec.msgpack.decode(data, type=_Pending)

    def enter(self, signal: Signal, news: list[NewValue], watermark_ms: int) -> None:
        """Let an identity that is new on a network wait for the tick's end, to be seen with others."""
        if signal.actor_kind is ActorKind.GUEST:
            return
        for new in news:
            if new.what != "network":
                continue
            fresh = msgspec.structs.replace(new, age_days=0.0)
            one = msgspec.structs.replace(signal, news=[fresh], rows=SAMPLE_ROWS)
            strange, _ = strangeness(self._population, one, self._settings.own_networks)
            if strange <= 0:
                continue
            end = origin.tick_end(max(signal.time_ms, watermark_ms))
            about = f"{signal.tenant}|{new.value}|{signal.actor}"
            newcomer = Newcomer(
                signal.time_ms - round(new.age_days * DAY_MS), new.rows, strange, signal.day, signal.objects
            )
            event = signal.evidence
            waiting = self._pending.setdefault(end, {})
            known = waiting.get(about)
            if known is not None and event is None:
                event = known.evidence
            waiting[about] = _Pending(signal.tenant, new.value, signal.actor, newcomer, event)
            self._dirty_pending.add(_pending_key(end, about))

    def close(self, watermark_ms: int) -> Iterator[tuple[str, NetworkNewcomers, float, int]]:
        """Enter who waited in ticks that are over: tenant, network, how suspicious it is now, and the tick's end."""
        for end in sorted(end for end in self._pending if end <= watermark_ms):
            changed: set[tuple[str, str]] = set()
            for about, waiting in sorted(self._pending.pop(end).items()):
                name = f"{waiting.tenant}|{waiting.network}"
                found = self._origins.setdefault(name, NetworkNewcomers(waiting.network))
                event = waiting.evidence
                if event is not None and (event.ip is None or network_of(event.ip) != waiting.network):
                    event = None
                origin.enter(found, waiting.actor, waiting.newcomer, event)
                found.changed_ms = end
                changed.add((waiting.tenant, waiting.network))
                key = _pending_key(end, about)
                self._dirty_pending.discard(key)
                self._gone.add(key)
            for tenant, network in sorted(changed):
                name = f"{tenant}|{network}"
                found = self._origins[name]
                self._dirty.add(name)
                origin.forget(found, end)
                yield tenant, found, origin.score(self._population, tenant, found, end), end

    def forget(self, now_ms: int) -> None:
        """Forget networks on which nobody has newly turned up for days."""
        before_ms = now_ms - KNOWN_DAYS * DAY_MS
        for name in [name for name, found in self._origins.items() if found.changed_ms < before_ms]:
            del self._origins[name]
            self._dirty.discard(name)
            self._gone.add(ORIGIN + name.encode())

    def changes(self) -> dict[bytes, bytes | None]:
        """The values changed since `saved`, encoded; ``None`` for one that is gone."""
        changed: dict[bytes, bytes | None] = dict.fromkeys(sorted(self._gone))
        for name in sorted(self._dirty):
            changed[ORIGIN + name.encode()] = origin.encode(self._origins[name])
        for key in sorted(self._dirty_pending):
            end, _, about = key[1:].decode().partition("|")
            changed[key] = msgspec.msgpack.encode(self._pending[int(end)][about])
        return changed

    def saved(self) -> None:
        """What `changes` gave is durable."""
        self._gone.clear()
        self._dirty.clear()
        self._dirty_pending.clear()

    @property
    def dirty(self) -> int:
        """How many values have changed since they were saved."""
        return len(self._dirty) + len(self._dirty_pending) + len(self._gone)


def signal_of(tenant: str, found: NetworkNewcomers, now_ms: int) -> Signal:
    """What a network's newcomers have done, as one signal."""
    objects: dict[str, int] = {}
    for _, newcomer in sorted(found.newcomers.items()):
        for name, rows in newcomer.objects.items():
            objects[name] = objects.get(name, 0) + rows
    rows = sum(newcomer.rows for newcomer in found.newcomers.values())
    first_ms = min(newcomer.time_ms for newcomer in found.newcomers.values())
    return Signal(
        kind=SignalKind.CROSSED,
        detector="origin",
        time_ms=now_ms,
        day=now_ms // DAY_MS,
        first_ms=first_ms,
        last_ms=now_ms,
        channel="all",
        rows=rows,
        objects=objects,
        tenant=tenant,
        actor="",
    )


def _pending_key(end: int, about: str) -> bytes:
    return PENDING + f"{end}|{about}".encode()
