"""Which of the settings that name somebody mean anybody: in the logs, or in the directory.

A misspelt name would otherwise be taken silently and do nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from detector.actor_pattern import matches
from detector.directory import directory_of
from detector.event import AccessEvent
from detector.settings import Settings

__all__ = ["PatternUse"]

MOST_ACCOUNTS = 200_000
"""After so many accounts with so many names no further ones are looked at."""


class PatternUse:
    """The settings' patterns that have matched nobody so far.

    >>> from detector.settings import TriageSettings
    >>> PatternUse(Settings(triage=TriageSettings(expected_rows={"Newsletter Snyc": 50_000}))).unmatched()
    ['triage.expected_rows."Newsletter Snyc"']
    """

    def __init__(self, settings: Settings) -> None:
        self._directory = directory_of(settings.directory)
        self._waiting = {where: pattern for where, pattern in _patterns(settings) if pattern != "*"}
        self._identities = {
            f"triage.decisions[{number}].subject.identity": decision.subject.identity
            for number, decision in enumerate(settings.triage.decisions)
            if decision.subject.identity
        }
        for entry in self._directory:
            self._match((entry.id.rpartition("/")[2], *entry.terms))
        self._seen: set[tuple[str, str | None]] = set()

    def __bool__(self) -> bool:
        """Whether any setting is left that has matched nobody."""
        return bool(self._waiting or self._identities)

    def observe(self, event: AccessEvent) -> None:
        """Take note of who acted."""
        who = event.identity, event.actor_name
        if who in self._seen or len(self._seen) >= MOST_ACCOUNTS or not self:
            return
        self._seen.add(who)
        self._match(self._directory.known_as(event.actor, event.tenant, event.actor_name))
        self._identities = {
            where: identity for where, identity in self._identities.items() if identity != event.identity
        }

    def unmatched(self) -> list[str]:
        """The settings that mean nobody, by where they stand."""
        return [*self._waiting, *self._identities]

    def _match(self, terms: tuple[str, ...]) -> None:
        self._waiting = {
            where: pattern for where, pattern in self._waiting.items() if not matches(pattern, terms)
        }


def _patterns(settings: Settings) -> Iterator[tuple[str, str]]:
    """Where each pattern stands, and the pattern."""
    for group, patterns in settings.detection.peers.items():
        yield from ((f'detection.peers."{group}": "{pattern}"', pattern) for pattern in patterns)
    for pattern in settings.triage.expected_rows:
        yield f'triage.expected_rows."{pattern}"', pattern
    for number, window in enumerate(settings.triage.announced):
        for pattern in window.identities:
            yield f'triage.announced[{number}].identities: "{pattern}"', pattern
