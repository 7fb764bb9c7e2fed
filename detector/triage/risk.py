"""How an incident stands: how likely it is a theft, how bad that would be, and how severe that makes it.

Incidents are ranked by log-odds in tenths. What people see is the probability, in percent, at the base rate of the
evidence model (`risk`), and beside it the `impact`; severity is looked up in a table of both.
"""

from __future__ import annotations

from enum import IntEnum
from math import exp, log, log10, sqrt

import msgspec

from detector.catalogue import sensitivity
from detector.settings import SEVERITIES, SeverityTable
from detector.triage.incident import Incident, objects_taken

__all__ = ["MOST_RANK", "Assessment", "Severity", "impact", "rank_of", "risk_of", "severity_of"]

FULL_ROWS = 10_000
"""From this many rows on, more of them do not make it worse: it is a breach."""
MOST_RANK = 99
"""Log-odds are held within ± so many tenths."""


class Severity(IntEnum):
    """OCSF's `severity_id`."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


class Assessment(msgspec.Struct, frozen=True):
    """How an incident stands at an event time."""

    rank: int
    """Its log-odds of being a theft, in tenths."""
    impact: int
    """How bad that would be, 0 to 100, by what was taken."""

    @property
    def risk(self) -> int:
        """The probability that it is a theft, in percent."""
        return risk_of(self.rank)


def impact(incident: Incident) -> int:
    """How bad it would be, 0 to 100: by the rows taken, and how sensitive they are."""
    most = 0.0
    rows_so_far = 0
    by_sensitivity = sorted(
        ((sensitivity((name,)), rows) for name, rows in objects_taken(incident).items()), reverse=True
    )
    for sensitive, rows in by_sensitivity:  # one contact among 10,000 products is not 10,000 contacts
        rows_so_far += rows
        most = max(most, sensitive * min(1.0, log10(1 + rows_so_far) / log10(1 + FULL_ROWS)))
    return round(100 * sqrt(most))


def risk_of(rank: int) -> int:
    """The probability, in percent, of a rank.

    >>> risk_of(0), risk_of(22), risk_of(-40), risk_of(99)
    (50, 90, 2, 100)
    """
    return round(100 / (1 + exp(-rank / 10)))


def rank_of(risk: int) -> int:
    """The lowest rank of a probability in percent.

    >>> rank_of(50), rank_of(90), rank_of(0), rank_of(100)
    (0, 22, -99, 99)
    """
    if risk <= 0 or risk >= 100:
        return -MOST_RANK if risk <= 0 else MOST_RANK
    return max(-MOST_RANK, min(MOST_RANK, round(10 * log(risk / (100 - risk)))))


def severity_of(risk: int, impact: int, table: SeverityTable) -> Severity:
    """The severity of a probability and an impact, both 0 to 100.

    >>> severity_of(95, 80, SeverityTable()).name, severity_of(95, 10, SeverityTable()).name
    ('CRITICAL', 'MEDIUM')
    """
    row = sum(risk >= least for least in table.risks)
    column = sum(impact >= least for least in table.impacts)
    return Severity(SEVERITIES.index(table.levels[row][column]) + 1)
