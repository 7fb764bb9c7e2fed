"""The contract for a detector of one identity: what its file defines as `DETECTOR`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from detector.event import AccessEvent, Operation
from detector.explanation import Explanation
from detector.identity.observation import ClosedDay, Observation
from detector.settings import DetectionSettings
from detector.signal import Signal

__all__ = ["IdentityDetector"]


def _learn_nothing(state: Any, day: ClosedDay, settings: DetectionSettings) -> list[Signal]:
    return []


def _keep_nothing(state: Any, day: int) -> None:
    """No day is kept apart."""


def _give_nothing(state: Any) -> bool:
    return False


class IdentityDetector(msgspec.Struct, frozen=True, kw_only=True):
    """What looks at one identity alone.

    A detector holds nothing itself. All that it knows of an identity is in a `State` of its own: a `msgspec.Struct`
    whose fields all have defaults, bounded in size. What it reports depends only on that state and on the identity's
    events in their order, so that a replay reports the same.
    """

    explanation: Explanation
    """Its name, and how its anomalies are weighed and told."""
    State: type[Any]
    observe: Callable[[Any, Observation, DetectionSettings], list[Signal] | None]
    """Takes one event in and returns what is surprising about it; called for every event of its operations: cheap."""
    refused: Callable[[Any, AccessEvent], None] | None = None
    """Notes an event in the identity's name that was refused (`AccessEvent.refused`). Anybody can cause one, so nothing
    may become known by it; it may only be mentioned later."""
    operations: frozenset[Operation] | None = None
    """Which operations it looks at; ``None`` for all of them."""
    close: Callable[[Any, ClosedDay, DetectionSettings], list[Signal]] = _learn_nothing
    """Learns a day that is over, adds to the `ClosedDay` what triage is to learn from it, and returns what the day as
    a whole shows."""
    drop: Callable[[Any, int], None] = _keep_nothing
    """Forgets a day that late events reopened: it has been learned before."""
    shrink: Callable[[Any], bool] = _give_nothing
    """Gives up what is needed least, for a profile that has grown too large; returns whether there was anything.
    What a state grows by is noted in `Observation.grown`."""

    @property
    def name(self) -> str:
        """Short and stable: it names the detector in alerts and metrics, and its state within a profile."""
        return self.explanation.name
