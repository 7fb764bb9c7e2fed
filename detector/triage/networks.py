"""Networks on which identities turn up that were never there before, tick by tick.

Who turns up waits for the end of the tick, to be seen together with others of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from detector.directory import NOBODY, Directory
from detector.event import ActorKind
from detector.fleet import origin
from detector.fleet.origin import NetworkNewcomers, Newcomer
from detector.fleet.population import Population
from detector.fleet.rarity import strangeness
from detector.keyed_state import KeyedState, Prefix
from detector.name_order import in_order
from detector.settings import TriageSettings
from detector.signal import Evidence, NewValue, Signal, SignalKind
from detector.trait import network as network_of
from detector.triage.surprise import own_networks
from detector.units import DAY_MS

__all__ = ["Networks", "signal_of"]

KNOWN_DAYS = 2
"""How long a network is remembered on which nobody has newly turned up."""
STEP_FORGOTTEN = 100
"""How many networks a step of `Networks.forget` looks at."""
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

    def __init__(
        self, population: Population, settings: TriageSettings, directory: Directory = NOBODY
    ) -> None:
        self._population = population
        self._settings = settings
        self._directory = directory
        self._origins: dict[str, NetworkNewcomers] = {}
        self._pending: dict[int, dict[str, _Pending]] = {}  # end of a tick → by tenant, network and actor
        self._saved_origins = KeyedState(Prefix.NETWORK, origin.encode, self._restore_origin)
        self._saved_pending = KeyedState(Prefix.NEWCOMER, msgspec.msgpack.encode, self._restore_pending)
        self.states = self._saved_origins, self._saved_pending

    def enter(self, signal: Signal, news: list[NewValue], watermark_ms: int) -> None:
        """Let an identity that is new on a network wait for the tick's end, to be seen with others."""
        if signal.actor_kind is ActorKind.GUEST:
            return
        own = self._settings.own_networks + own_networks(self._directory, signal)
        for new in news:
            if new.what != "network":
                continue
            fresh = msgspec.structs.replace(new, age_days=0.0)
            one = msgspec.structs.replace(signal, news=[fresh], rows=SAMPLE_ROWS)
            strange, _ = strangeness(self._population, one, own)
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
            pending = waiting[about] = _Pending(signal.tenant, new.value, signal.actor, newcomer, event)
            self._saved_pending.change(_pending_name(end, about), pending)

    def close(self, watermark_ms: int) -> Iterator[tuple[str, NetworkNewcomers, float, int] | None]:
        """Enter who waited in ticks that are over: tenant, network, how suspicious it is now, and the tick's end.

        Yields ``None`` for each who was entered, too.
        """
        for end in sorted(end for end in self._pending if end <= watermark_ms):
            changed: set[tuple[str, str]] = set()
            pending = self._pending.pop(end)
            for about in in_order(pending):
                waiting = pending[about]
                name = f"{waiting.tenant}|{waiting.network}"
                found = self._origins.setdefault(name, NetworkNewcomers(waiting.network))
                event = waiting.evidence
                if event is not None and (event.ip is None or network_of(event.ip) != waiting.network):
                    event = None
                origin.enter(found, waiting.actor, waiting.newcomer, event)
                found.changed_ms = end
                changed.add((waiting.tenant, waiting.network))
                self._saved_pending.drop(_pending_name(end, about))
                yield None
            for tenant, network in in_order(changed):
                name = f"{tenant}|{network}"
                found = self._origins[name]
                self._saved_origins.change(name, found)
                origin.forget(found, end)
                yield tenant, found, origin.score(self._population, tenant, found, end), end

    def report(self, tenant: str, network: str, time_ms: int) -> None:
        """Note that an incident about a network is published at an event time."""
        name = f"{tenant}|{network}"
        found = self._origins[name]
        origin.report(found, time_ms)
        self._saved_origins.change(name, found)

    def is_reported(self, tenant: str, network: str, before_ms: int) -> bool:
        """Whether an incident about a network was published not long before an event time."""
        found = self._origins.get(f"{tenant}|{network}")
        return found is not None and origin.is_reported(found, before_ms)

    def forget(self, now_ms: int) -> Iterator[None]:
        """Forget networks on which nobody has newly turned up for days, in steps."""
        before_ms = now_ms - KNOWN_DAYS * DAY_MS
        for number, name in enumerate(list(self._origins), 1):
            if self._origins[name].changed_ms < before_ms:
                del self._origins[name]
                self._saved_origins.drop(name)
            if not number % STEP_FORGOTTEN:
                yield

    def _restore_origin(self, name: str, data: bytes) -> None:
        """Raises msgspec's `DecodeError`."""
        self._origins[name] = origin.decode(data)

    def _restore_pending(self, name: str, data: bytes) -> None:
        """Raises msgspec's `DecodeError`, or `ValueError` for a bad name."""
        end, _, about = name.partition("|")
        self._pending.setdefault(int(end), {})[about] = msgspec.msgpack.decode(data, type=_Pending)


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


def _pending_name(end: int, about: str) -> str:
    return f"{end}|{about}"
