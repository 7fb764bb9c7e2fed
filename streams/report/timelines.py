"""What happened in incidents, counted again from the events themselves.

An alert quotes some events; the account is taken of all of them, in a second pass over the logs.
"""

from __future__ import annotations

from collections.abc import Iterable

from detector.alert.finding import Finding
from detector.event import AccessEvent
from detector.identity.ledger import count
from detector.trait import network
from streams.report.findings import FindingHistory
from streams.report.identity_history import IdentityHistory
from streams.report.timeline import Timeline
from streams.report.timeline_builder import MOST_NEIGHBOURS, TimelineBuilder

__all__ = ["Timelines"]

MOST_ADDRESSES = 100_000


class Timelines:
    """Builds the timelines of incidents from events in the order of their time.

    All events are to be shown to it, not only those of the incidents' identities: who else was at an address
    is a part of the account.
    """

    def __init__(self, incidents: Iterable[FindingHistory]) -> None:
        self._drafts = {incident.finding.uid: TimelineBuilder(incident) for incident in incidents}
        self._of: dict[str, list[TimelineBuilder]] = {}
        for draft in self._drafts.values():
            for identity in draft.incident.identities:
                self._of.setdefault(identity, []).append(draft)
        self._past: dict[str, IdentityHistory] = {}
        self._at: dict[str, tuple[str, ...]] = {}

    @property
    def until_ms(self) -> int | None:
        """Event time after which nothing matters to any incident; ``None`` without incidents."""
        return max((draft.until_ms for draft in self._drafts.values()), default=None)

    def observe(self, event: AccessEvent) -> None:
        """Enter an event."""
        identity = event.identity
        ip = event.ip
        if ip is not None:
            seen = self._at.get(ip)
            if seen is None:
                if len(self._at) < MOST_ADDRESSES:
                    self._at[ip] = (identity,)
            elif len(seen) <= MOST_NEIGHBOURS and identity not in seen:
                self._at[ip] = (*seen, identity)
        drafts = self._of.get(identity)
        if drafts is None:
            return
        past = self._past.get(identity)
        if past is None:
            past = self._past[identity] = IdentityHistory(event.time_ms)
        counted = count(past.ledger, event)
        if counted is None:
            return
        where = network(ip) if ip is not None else ""
        for draft in drafts:
            draft.observe(event, counted.rows, where, past)
        past.enter(event, where)

    def account(self, incident: Finding) -> Timeline | None:
        """The incident's timeline; ``None`` if none of its events was seen."""
        draft = self._drafts[incident.uid]
        pasts = [self._past[name] for name in incident.identities if name in self._past]
        if not draft.events:
            return None
        return draft.account(pasts, self._at)
