"""Mutes and expectations: the decisions that keep alerts from being published, cut to the longest allowed, and from
when until when each holds.
"""

from __future__ import annotations

import msgspec

from detector.decision import Decision, ExpectedUntil, Kind, MutedUntil
from detector.decision_index import NEVER_MS, DecisionIndex
from detector.units import DAY_MS

__all__ = ["MUTING", "Mute", "cut", "mutes", "subjects_of"]

MUTING = frozenset((Kind.MUTE, Kind.EXPECTED))
"""The newest of these replaces those before it."""

_Subject = tuple[Kind, str, str]


class Mute(msgspec.Struct, frozen=True):
    """A mute or an expectation, with the event times between which it holds, in milliseconds since 1970 UTC."""

    decision: Decision
    from_ms: int
    until_ms: int

    def holds_at(self, time_ms: int) -> bool:
        """Whether it holds at an event time."""
        return self.from_ms <= time_ms < self.until_ms


def cut(decision: Decision, longest_days: int) -> Decision:
    """The decision, with a mute or an expectation that lasts longer cut to so many days after it was taken.

    >>> from detector.decision import DecisionSubject
    >>> long = Decision(kind=Kind.MUTE, subject=DecisionSubject(identity="t/u"), time_ms=0, payload=MutedUntil(1 << 50))
    >>> cut(long, 30).until_ms == 30 * DAY_MS, cut(long, 30).id == long.id
    (True, True)
    """
    latest_ms = decision.time_ms + longest_days * DAY_MS
    if decision.kind not in MUTING or (decision.until_ms or 0) <= latest_ms:
        return decision
    shape = MutedUntil if decision.kind is Kind.MUTE else ExpectedUntil
    return msgspec.structs.replace(decision, payload=shape(latest_ms))


def mutes(index: DecisionIndex) -> list[Mute]:
    """Each mute and expectation, by time: it holds until it ends, is withdrawn or is replaced, if that is later."""
    following: dict[_Subject, int] = {}
    found = []
    for decision in reversed(list(index)):
        if decision.kind not in MUTING or decision.withdraws:
            continue
        subjects = subjects_of(decision)
        replaced_ms = max((following.get(subject, NEVER_MS) for subject in subjects), default=NEVER_MS)
        following.update(dict.fromkeys(subjects, decision.effective_ms))
        found.append(Mute(decision, decision.effective_ms, min(index.end_ms(decision), replaced_ms)))
    return found[::-1]


def subjects_of(decision: Decision) -> list[_Subject]:
    """What it replaces others about. An incident's volume is not expected apart from its identity's."""
    subject = decision.subject
    names = [("identity", subject.identity)]
    if decision.kind is Kind.MUTE:
        names.append(("incident", subject.incident))
    return [(decision.kind, what, name) for what, name in names if name]
