"""Which events count as the intruder's."""

from __future__ import annotations

import msgspec

from detector.alert.finding import Finding
from detector.event import AccessEvent

__all__ = ["Selection", "of_finding"]


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Events that meet every criterion given; a criterion without values is met by all.

    >>> Selection(identities=frozenset({"t/u"})).empty, Selection(since_ms=0).empty
    (False, True)
    """

    identities: frozenset[str] = frozenset()
    """``tenant/actor``."""
    addresses: frozenset[str] = frozenset()
    apps: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    since_ms: int | None = None
    until_ms: int | None = None
    """The first millisecond that no longer counts."""

    @property
    def empty(self) -> bool:
        """Whether it names nobody: then everybody's events would be an intruder's."""
        return not (self.identities or self.addresses or self.apps or self.sessions)

    def spans(self, time_ms: int) -> bool:
        """Whether a time is within the span."""
        return (self.since_ms is None or time_ms >= self.since_ms) and (
            self.until_ms is None or time_ms < self.until_ms
        )

    def matches(self, event: AccessEvent) -> bool:
        """Whether an event is the intruder's."""
        return (
            self.spans(event.time_ms)
            and (not self.identities or event.identity in self.identities)
            and (not self.addresses or event.ip in self.addresses)
            and (not self.apps or event.app in self.apps)
            and (not self.sessions or event.session in self.sessions)
        )


def of_finding(finding: Finding) -> Selection:
    """An incident's identities, or, if it names none, its addresses, from its first to its last event."""
    identities = frozenset(finding.identities)
    return Selection(
        identities=identities,
        addresses=frozenset() if identities else finding.addresses,
        since_ms=finding.start_ms,
        until_ms=finding.end_ms + 1,
    )
