"""What is true of one attack, gathered from its acts and from the records that these leave in the log.

Names are spelled as the adapter makes them, because each record is read by it: what the format does not show is
missing here too. Only `ObjectLabel.records` and `persons` know more than the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from detector.event import AccessEvent, Operation
from detector.simulation.actions import JobState, SimulatedAction
from detector.simulation.labels import ObjectLabel, OriginLabel, ReconnaissanceLabel
from detector.simulation.read_records import record_numbers
from detector.simulation.scene import FIRST_FOREIGN_APP

__all__ = ["AttackTruth"]

_PERSONS = frozenset({"Contact", "Lead"})
_DOWNLOADS = frozenset({Operation.FILE_DOWNLOAD, Operation.REPORT_EXPORT})


class _Object:
    """What is known of one kind of record."""

    def __init__(self) -> None:
        self.name = ""
        self.rows = 0
        self.read: set[int] = set()
        self.downloaded: set[int] = set()
        self.ids: dict[str, None] = {}
        self.fields: dict[str, None] = {}


class AttackTruth:
    """Gathers an attack's truth, act by act in the order of their times."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = frozenset(networks)
        """The attacker's own addresses."""
        self.agents: dict[str, None] = {}
        self.apps: dict[str, None] = {}
        self.sessions: dict[str, None] = {}
        self._objects: dict[str, _Object] = {}
        self._jobs: dict[int, set[int]] = {}
        self._scouted: tuple[int, int] | None = None
        self._scouts: dict[str, None] = {}
        self._first: AccessEvent | None = None
        self._touched: dict[str, None] = {}

    def add(self, act: SimulatedAction, rows: int, events: Sequence[AccessEvent]) -> None:
        """Take in one act: how many of its rows the log shows, and the events that its records become."""
        own_app = act.app is not None and act.app.number >= FIRST_FOREIGN_APP
        for event in events:
            for names, name in (
                (self.agents, event.user_agent),
                (self.apps, event.app),
                (self.sessions, event.session),
            ):
                if name:
                    names[name] = None
            if event.ip in self._networks or (own_app and event.app):
                self._first = self._first or event
                self._touched[event.identity] = None
            if act.scouting:
                first_ms, last_ms = self._scouted or (event.time_ms, event.time_ms)
                self._scouted = min(first_ms, event.time_ms), max(last_ms, event.time_ms)
                if event.ip:
                    self._scouts[event.ip] = None
        if act.kind:
            self._read(act, rows, events)

    def _read(self, act: SimulatedAction, rows: int, events: Sequence[AccessEvent]) -> None:
        found = self._objects.get(act.kind)
        if found is None:
            found = self._objects[act.kind] = _Object()
        found.rows += rows
        numbers = record_numbers(act)
        found.read.update(numbers)
        if act.operation is Operation.BULK_EXPORT:
            self._jobs.setdefault(act.job, set()).update(numbers)
        if events and act.operation in _DOWNLOADS:
            found.downloaded.update(numbers)
        elif events and act.state is JobState.FETCHED:
            found.downloaded.update(self._jobs.get(act.job, ()))
        for event in events:
            found.name = found.name or next(iter(event.objects), "")
            found.ids.update(dict.fromkeys(event.record_ids if numbers else ()))
            found.fields.update(dict.fromkeys(event.fields or () if numbers else ()))

    def objects(self) -> tuple[ObjectLabel, ...]:
        """What was read, by kind of record; a kind of which nothing was read is left out."""
        return tuple(
            ObjectLabel(
                object=one.name,
                rows=one.rows,
                records=len(one.read),
                downloaded=len(one.downloaded),
                ids=len(one.ids),
                fields=tuple(one.fields),
            )
            for one in self._objects.values()
            if one.read
        )

    def persons(self) -> int | None:
        """Distinct contacts and leads read, if nothing else was read."""
        read = {kind: len(one.read) for kind, one in self._objects.items() if one.read}
        return sum(read.values()) if read and read.keys() <= _PERSONS else None

    def reconnaissance(self) -> ReconnaissanceLabel | None:
        """The first and the last record of looking around, if the log shows any."""
        if self._scouted is None:
            return None
        return ReconnaissanceLabel(
            first_ms=self._scouted[0], last_ms=self._scouted[1], networks=tuple(self._scouts)
        )

    def origin(self) -> OriginLabel | None:
        """The first record from the attacker's own networks or apps, and whom they touched."""
        if self._first is None:
            return None
        return OriginLabel(
            first_ms=self._first.time_ms,
            identity=self._first.identity,
            network=self._first.ip or "",
            identities=tuple(self._touched),
        )

    def record_ids(self) -> Iterator[tuple[str, str]]:
        """(object, record id) of all ids that the log shows, each once."""
        for one in self._objects.values():
            for record in one.ids:
                yield one.name, record
