"""One operation too large: the largest of a day by kind of operation, against that of the identity's other days."""

from __future__ import annotations

import msgspec

from detector import phrase
from detector.anomaly import Anomaly
from detector.event import Operation
from detector.explanation import Explanation
from detector.identity.baseline import Baseline, bound, familiarity, learn, measure
from detector.identity.detectors.amount import amount_reason
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.objects import MAX_OBJECT_NAME
from detector.identity.observation import ClosedDay, Observation
from detector.message import Message, message
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind, Span, evidence

__all__ = ["DETECTOR", "ExportState", "Largest"]

NAME = "export"

OPERATIONS = frozenset(
    {
        Operation.QUERY,
        Operation.BULK_EXPORT,
        Operation.REPORT,
        Operation.REPORT_EXPORT,
        Operation.LIST_VIEW,
        Operation.SEARCH,
        Operation.FILE_DOWNLOAD,
    }
)
"""A record view is one row, always."""


class Largest(msgspec.Struct, array_like=True, gc=False):
    """The level of one kind of operation, and the largest of each day that is not over."""

    level: Baseline = msgspec.field(default_factory=Baseline)
    open: dict[int, int] = {}
    said: int = 0
    """The rows when a signal was last sent, on whatever day."""
    said_day: int = -1
    left: dict[int, int] = {}
    """Rows that left by such operations on each day that is not over: a part of one may have left the day before."""


class ExportState(msgspec.Struct, gc=False):
    """By kind of operation."""

    operations: dict[str, Largest] = {}


def _observe(state: ExportState, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
    """Hold the operation's rows so far against the largest of other days."""
    if not access.rows or not access.personal:
        return None
    operation = access.event.operation
    largest = state.operations.get(operation)
    if largest is None:
        largest = state.operations[operation] = Largest()
        access.grown += 2
    rows = access.operation_rows
    left = largest.left[access.day] = largest.left.get(access.day, 0) + access.rows
    before = largest.open.get(access.day)
    if before is None:
        largest.level.bound = bound(largest.level, Span.OPERATION, settings)
        largest.open[access.day] = rows
        access.grown += 1
    elif rows > before:
        largest.open[access.day] = rows
    else:
        return None
    if rows <= largest.level.bound:
        return None
    if largest.said_day == access.day and rows < largest.said * settings.growth:
        return None
    largest.said, largest.said_day = rows, access.day
    familiar = familiarity(largest.level.days, access.known_days, settings)
    return [
        Signal(
            kind=SignalKind.CROSSED,
            detector=NAME,
            time_ms=access.event.time_ms,
            day=access.day,
            first_ms=access.event.time_ms,
            last_ms=access.event.time_ms,
            channel=operation,
            rows=min(rows, left),
            objects={access.object[:MAX_OBJECT_NAME]: min(rows, left)},
            measures=[measure(NAME, operation, Span.OPERATION, rows, largest.level, familiar)],
            evidence=evidence(access.event, access.rows),
        )
    ]


def _close(state: ExportState, day: ClosedDay, settings: DetectionSettings) -> list[Signal]:
    """Learn the day."""
    for operation, largest in state.operations.items():
        rows = largest.open.pop(day.day, None)
        largest.left.pop(day.day, None)
        if rows is None:
            continue
        familiar = familiarity(largest.level.days, day.known_days, settings)
        day.measures.append(measure(NAME, operation, Span.OPERATION, rows, largest.level, familiar))
        largest.level.bound = bound(largest.level, Span.OPERATION, settings)
        learn(largest.level, rows, Span.OPERATION, settings)
    return []


def _drop(state: ExportState, day: int) -> None:
    """Forget the day."""
    for largest in state.operations.values():
        largest.open.pop(day, None)
        largest.left.pop(day, None)


def _shrink(state: ExportState) -> bool:
    """Give up the kind of operation that has been used least."""
    operations = state.operations
    least = min(operations, key=lambda name: (operations[name].level.days, name), default=None)
    if least is None:
        return False
    del operations[least]
    return True


def _title(anomaly: Anomaly, who: str) -> Message:
    operation = phrase.operation(anomaly.channel.partition(":")[0])
    return message("title.export", "Unusually large {operation} by {who}", operation=operation, who=who)


EXPLANATION = Explanation(
    name=NAME, title=_title, reason=amount_reason, kind="amount", silenced_by_expected=True, by_channel=True
)

DETECTOR = IdentityDetector(
    explanation=EXPLANATION,
    State=ExportState,
    operations=OPERATIONS,
    observe=_observe,
    close=_close,
    drop=_drop,
    shrink=_shrink,
)
