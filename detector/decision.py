"""What operators decide about incidents and identities, and from when on it is honoured.

A decision is honoured from a minute of event time after it was given. By then every desk that may need it has got
it, so that a stream decides as a replay does that has known it from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

__all__ = ["EFFECTIVE_AFTER_MS", "NOTIFICATION_MS", "Decisions", "Feedback", "Verdict"]

EFFECTIVE_AFTER_MS = 60_000
EXPECTED_MS = 24 * 3_600_000
"""How long an identity's volume is expected if it was not said until when."""
NOTIFICATION_MS = 72 * 3_600_000
"""How long there is to notify the authority of a breach (GDPR, article 33): from when it is known, here confirmed."""
_ENDING = ("closed", "expected")


class Verdict(StrEnum):
    """What was decided."""

    ACKNOWLEDGED = "acknowledged"
    """Somebody has seen it; the detector goes on."""
    ASSIGNED = "assigned"
    """It is `Feedback.assignee`'s; the detector goes on."""
    EXPECTED = "expected"
    """It was meant to happen: the incident closes, and until then the identity's volume is neither alerted on nor
    learned."""
    MUTED = "muted"
    """It is known: nothing is published about it until then, while all is still counted and learned."""
    CONFIRMED = "confirmed"
    """It is a breach: the incident stays open, however quiet it is, until it is closed, and the time to notify the
    authority runs, until it is said to be notified."""
    NOTIFIED = "notified"
    """The authority has been told of the breach, or need not be, which the reason says; the detector goes on."""
    CLOSED = "closed"
    """It is over; what follows is another incident."""


class Feedback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One decision about an incident, an identity, or both.

    >>> Feedback(verdict=Verdict.CLOSED, time_ms=0, incident="crmwatch-1").effective_ms
    60000
    """

    verdict: Verdict
    time_ms: int
    """When it was decided, in milliseconds since 1970 UTC."""
    incident: str = ""
    """The incident's ``finding_info.uid``."""
    identity: str = ""
    """The identity's ``tenant/actor``; what is expected or muted by it holds for all of its incidents."""
    until_ms: int | None = None
    """Event time at which what is expected or muted ends."""
    by: str = ""
    """Who decided."""
    reason: str = ""
    assignee: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for a decision about nothing, or one that never holds."""
        if not self.incident and not self.identity:
            raise ValueError("feedback names an incident, an identity, or both")
        if self.verdict is Verdict.MUTED and self.until_ms is None:
            raise ValueError("what is muted needs an end: until_ms")
        if self.verdict in (Verdict.CONFIRMED, Verdict.NOTIFIED, Verdict.CLOSED) and not self.incident:
            raise ValueError(f"what is {self.verdict} is an incident")
        if self.until_ms is not None and self.until_ms <= self.time_ms:
            raise ValueError(f"until_ms must lie after time_ms, {self.until_ms} is not after {self.time_ms}")

    @property
    def effective_ms(self) -> int:
        """Event time from which it holds."""
        return self.time_ms + EFFECTIVE_AFTER_MS

    @property
    def words(self) -> str:
        """What was decided, and why: at most 400 characters."""
        return (f"{self.verdict}: {self.reason}" if self.reason else self.verdict.value)[:400]


class Decisions:
    """Feedback, to be looked up."""

    def __init__(self, feedback: Iterable[Feedback] = ()) -> None:
        self._words: dict[str, list[Feedback]] = {}
        ordered = sorted(feedback, key=lambda word: (word.time_ms, word.verdict, word.by, word.reason))
        for word in ordered:
            for about in {word.incident, word.identity} - {""}:
                self._words.setdefault(about, []).append(word)

    def __bool__(self) -> bool:
        return bool(self._words)

    def ending(self, incident: str) -> Feedback | None:
        """The first decision that ends an incident."""
        words = (word for word in self._words.get(incident, ()) if word.incident == incident)
        return next((word for word in words if word.verdict in _ENDING), None)

    def confirmation(self, incident: str) -> Feedback | None:
        """The first decision that an incident is a breach."""
        words = self._words.get(incident, ())
        return next((word for word in words if word.verdict is Verdict.CONFIRMED), None)

    def deadlines_ms(self) -> dict[str, int]:
        """Incident → by when the authority must be notified, of each breach of which it has not been, soonest first."""
        running = {}
        for incident, words in self._words.items():
            own = [word for word in words if word.incident == incident]
            confirmed = next((word for word in own if word.verdict is Verdict.CONFIRMED), None)
            if confirmed is not None and all(word.verdict is not Verdict.NOTIFIED for word in own):
                running[incident] = confirmed.time_ms + NOTIFICATION_MS
        return dict(sorted(running.items(), key=lambda item: (item[1], item[0])))

    def muted(self, about: str, time_ms: int) -> bool:
        """Whether nothing is to be published about an incident or an identity at an event time."""
        word = self._last(Verdict.MUTED, about, time_ms)
        return word is not None and time_ms < (word.until_ms or 0)

    def expected(self, identity: str, first_ms: int, last_ms: int) -> bool:
        """Whether an identity's volume was expected at any event time from the first to the last."""
        word = self._last(Verdict.EXPECTED, identity, last_ms)
        if word is None or word.identity != identity:
            return False
        return first_ms < (word.time_ms + EXPECTED_MS if word.until_ms is None else word.until_ms)

    def _last(self, verdict: Verdict, about: str, time_ms: int) -> Feedback | None:
        """The newest decision of a kind that is honoured by then: it takes the place of those before."""
        words = reversed(self._words.get(about, ()))
        return next(
            (word for word in words if word.verdict is verdict and word.effective_ms <= time_ms), None
        )
