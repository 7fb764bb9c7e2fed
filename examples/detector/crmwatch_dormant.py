"""Reports an account that reads data again after weeks of silence.

Accounts of people who left, and tokens of forgotten integrations, are silent; a thief who finds one is not. The
longer the silence, the higher the score. It looks at gaps between active days, so holidays stay below the bound.
"""

from __future__ import annotations

import msgspec

from detector.event import Operation
from detector.identity.observation import ClosedDay, Observation
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind, evidence

SILENT_DAYS = 45
"""A shorter silence is a holiday."""
MOST_SCORE = 4.0


class DormantState(msgspec.Struct, array_like=True):
    """All that the detector remembers of an identity; every field has a default, so old state stays readable."""

    last_day: int = 0
    """The last day with rows, since 1970; 0 for none."""
    woke_day: int = 0
    """The day on which the silence ended."""
    silent_days: int = 0
    rows: int = 0
    """Rows taken on `woke_day`."""
    reported_rows: int = 0


class Dormant:
    """Compares the day of an event with the last day on which the identity took rows."""

    name = "dormant"
    State = DormantState
    operations: frozenset[Operation] | None = None

    def observe(
        self, state: DormantState, access: Observation, settings: DetectionSettings
    ) -> list[Signal] | None:
        """Report the first rows after a long silence, and again each time that they have doubled that day."""
        if not access.rows:
            return None
        if access.day > state.last_day:
            silent = access.day - state.last_day if state.last_day else 0
            state.woke_day = access.day if silent > SILENT_DAYS else 0
            state.silent_days = silent
            state.rows = state.reported_rows = 0
            state.last_day = access.day
        if access.day != state.woke_day:
            return None
        state.rows += access.rows
        if state.rows < 2 * state.reported_rows:
            return None
        state.reported_rows = state.rows
        return [
            Signal(
                kind=SignalKind.CROSSED,
                detector=self.name,
                time_ms=access.event.time_ms,
                day=access.day,
                first_ms=access.event.time_ms,
                last_ms=access.event.time_ms,
                channel=access.event.operation,
                rows=state.rows,
                objects={access.object: state.rows},
                score=min(MOST_SCORE, 1.0 + state.silent_days / SILENT_DAYS),
                facts={"silent_days": float(state.silent_days)},
                evidence=evidence(access.event, access.rows),
            )
        ]

    def close(self, state: DormantState, day: ClosedDay, settings: DetectionSettings) -> list[Signal]:
        """Learn nothing: the last day is known already."""
        return []

    def drop(self, state: DormantState, day: int) -> None:
        """Forget nothing: no day is kept."""

    def shrink(self, state: DormantState) -> bool:
        """Give up nothing: five numbers are all there is."""
        return False


DETECTOR = Dormant()
