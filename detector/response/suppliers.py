"""Every app that reads the CRM, from its logs: what it takes, from where, as whom, and what about it is a weak link.

A log does not say which rights an app has, whether a token still exists, or who owns it. An app that never appears
in the logs is not here. Memory is bounded: beyond the limits, values are counted and not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from detector.catalogue import Category, category, gravest
from detector.event import READING, AccessEvent, ActorKind, Operation
from detector.identity.ledger import Ledger, count
from detector.response.suppliers_names import Lookalike, lookalikes
from detector.trait import agent_family, network
from detector.units import DAY_MS

__all__ = ["DORMANT_DAYS", "SupplierApp", "Suppliers"]

DORMANT_DAYS = 45
RECENT_DAYS = 30
BEFORE_DAYS = 90
"""Drift compares the last 30 days with the 90 before."""
RARE_SHARE = 0.01
"""A category that an app reads in fewer of its reads is one that it hardly needs."""
LEAST_READS = 200
MOST_APPS = 2_000
MOST_VALUES = 200
MOST_LEDGERS = 50_000
_SORTS = ("network", "agent", "account", "object")


class SupplierApp(msgspec.Struct, frozen=True, kw_only=True):
    """An app as the logs show it."""

    name: str
    """The app, or the account and the agent where the log names no app."""
    named: bool
    """Whether the log names the app."""
    first_ms: int
    last_ms: int
    reads: int
    rows: int
    recent_rows: int
    """Rows in the last 30 days of the logs."""
    earlier_rows: int
    """Rows in the 90 days before."""
    rows_by_category: dict[Category, int]
    networks: tuple[str, ...]
    agents: tuple[str, ...]
    accounts: tuple[str, ...]
    dropped: int
    """How many networks, agents, accounts and objects were beyond the limit, counted each time."""
    dormant: bool
    """No use for 45 days before the logs end: its tokens may still work."""
    hardly_used: tuple[Category, ...]
    """Personal data that less than a hundredth of its reads touch."""
    drifted: dict[str, tuple[str, ...]]
    """What it showed in the last 30 days and never before: networks, agents, accounts and objects."""
    lookalikes: tuple[Lookalike, ...]
    """Other names that this one may be mistaken for."""


class _Seen(msgspec.Struct):
    named: bool
    first_ms: int
    last_ms: int
    reads: int = 0
    rows: int = 0
    days: Counter[int] = msgspec.field(default_factory=Counter)
    rows_by: Counter[Category] = msgspec.field(default_factory=Counter)
    reads_by: Counter[Category] = msgspec.field(default_factory=Counter)
    values: dict[str, dict[str, list[int]]] = msgspec.field(
        default_factory=lambda: {sort: {} for sort in _SORTS}
    )
    dropped: int = 0


class Suppliers:
    """Collects apps from events in the order of their time."""

    def __init__(self) -> None:
        self._apps: dict[str, _Seen] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._last_ms: int | None = None
        self.dropped_apps = 0
        """Events of apps beyond the limit."""

    def observe(self, event: AccessEvent) -> None:
        """Enter an event; what no program did without a named app is passed over."""
        self._last_ms = max(event.time_ms, self._last_ms or event.time_ms)
        name = event.app
        if not name:
            if event.actor_kind is not ActorKind.INTEGRATION:
                return
            agent = agent_family(event.user_agent) if event.user_agent else "?"
            name = f"{event.actor_name or event.actor} · {agent}"
        seen = self._apps.get(name)
        if seen is None:
            if len(self._apps) >= MOST_APPS:
                self.dropped_apps += 1
                return
            seen = self._apps[name] = _Seen(bool(event.app), event.time_ms, event.time_ms)
        seen.last_ms = max(seen.last_ms, event.time_ms)
        self._values(seen, event)
        if event.operation in READING or event.operation is Operation.OTHER:
            self._rows(seen, event)

    def found(self) -> Iterator[SupplierApp]:
        """Every app, the one that took the most rows first."""
        end_ms = self._last_ms or 0
        alike = lookalikes(name for name, seen in self._apps.items() if seen.named)
        for name, seen in sorted(self._apps.items(), key=lambda item: (-item[1].rows, item[0])):
            since = (end_ms - RECENT_DAYS * DAY_MS) // DAY_MS
            before = since - BEFORE_DAYS
            # An app that is new altogether has not drifted.
            old = seen.first_ms < since * DAY_MS
            fresh = {
                sort: tuple(sorted(value for value, (first, _) in values.items() if first >= since * DAY_MS))
                for sort, values in seen.values.items()
            }
            yield SupplierApp(
                name=name,
                named=seen.named,
                first_ms=seen.first_ms,
                last_ms=seen.last_ms,
                reads=seen.reads,
                rows=seen.rows,
                recent_rows=sum(rows for day, rows in seen.days.items() if day >= since),
                earlier_rows=sum(rows for day, rows in seen.days.items() if before <= day < since),
                rows_by_category=dict(seen.rows_by.most_common()),
                networks=tuple(sorted(seen.values["network"])),
                agents=tuple(sorted(seen.values["agent"])),
                accounts=tuple(sorted(seen.values["account"])),
                dropped=seen.dropped,
                dormant=end_ms - seen.last_ms >= DORMANT_DAYS * DAY_MS,
                hardly_used=_hardly_used(seen),
                drifted={sort: values for sort, values in fresh.items() if values} if old else {},
                lookalikes=alike.get(name, ()),
            )

    def _values(self, seen: _Seen, event: AccessEvent) -> None:
        given: Iterable[tuple[str, str | None]] = (
            ("network", network(event.ip) if event.ip else None),
            ("agent", agent_family(event.user_agent) if event.user_agent else None),
            ("account", event.actor),
            *(("object", name) for name in event.objects),
        )
        for sort, value in given:
            if not value:
                continue
            known = seen.values[sort]
            if value in known:
                known[value][1] = event.time_ms
            elif len(known) < MOST_VALUES:
                known[value] = [event.time_ms, event.time_ms]
            else:
                seen.dropped += 1

    def _rows(self, seen: _Seen, event: AccessEvent) -> None:
        ledger = self._ledgers.get(event.identity)
        if ledger is None:
            if len(self._ledgers) >= MOST_LEDGERS:
                del self._ledgers[next(iter(self._ledgers))]
            ledger = self._ledgers[event.identity] = Ledger()
        counted = count(ledger, event)
        if counted is None:
            return
        of = category(gravest(event.objects))
        seen.reads += 1
        seen.reads_by[of] += 1
        seen.rows += counted.rows
        seen.rows_by[of] += counted.rows
        seen.days[event.time_ms // DAY_MS] += counted.rows


def _hardly_used(seen: _Seen) -> tuple[Category, ...]:
    if seen.reads < LEAST_READS:
        return ()
    harmless = (Category.INTERNAL, Category.UNCLASSIFIED)
    return tuple(
        sorted(
            of
            for of, reads in seen.reads_by.items()
            if of not in harmless and reads < RARE_SHARE * seen.reads
        )
    )
