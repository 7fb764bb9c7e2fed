"""Which records an act reads, by their numbers within their kind."""

from __future__ import annotations

from detector.event import Operation
from detector.simulation.actions import SimulatedAction
from detector.simulation.company import RECORDS

__all__ = ["MANY", "record_numbers"]

MANY = 4_000
"""How many records a kind has that `RECORDS` does not name."""
_SINGLE = frozenset({Operation.RECORD_VIEW, Operation.FILE_DOWNLOAD})


def record_numbers(act: SimulatedAction) -> list[int]:
    """The numbers of the records whose rows left by an act, each once; none for a refused one or a count.

    A page of a query or a part of a job continues where the one before it ended; past a kind's last record comes its
    first.
    """
    if not act.rows or act.status:
        return []
    if act.operation in _SINGLE:
        return [act.record]
    many = RECORDS.get(act.kind, MANY)
    first = (act.job or act.time_ms) * 7919
    if act.job:
        first += act.total - act.rows
    return [1 + (first + row) % many for row in range(min(act.rows, many))]
