"""The identity detectors' contract, and finding them: each module here with a `DETECTOR` is one."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, Protocol

import detector.identity.detectors as _package
from detector.event import Operation
from detector.identity.observation import ClosedDay, Observation
from detector.settings import DetectionSettings
from detector.signal import Signal

__all__ = ["DETECTORS", "IdentityDetector"]


class IdentityDetector(Protocol):
    """What looks at one identity alone.

    A detector holds nothing itself: all it knows of an identity is in a state of its own type, a
    `msgspec.Struct` whose fields all have defaults, bounded in size. What it says depends only on that state
    and the identity's events in their order, so that a replay says the same.
    """

    name: str
    """Short and stable: it names the detector in alerts and metrics, and its state within a profile."""
    State: type[Any]
    operations: frozenset[Operation] | None
    """Which operations it looks at; ``None`` for all of them."""

    def observe(self, state: Any, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
        """Take one event in and say what is surprising about it; called for every event of its
        operations, so cheap.
        """
        ...

    def close(self, state: Any, day: ClosedDay, settings: DetectionSettings) -> list[Signal]:
        """Learn a day on which the identity was active and that is over, add to `day` what triage is to learn
        from it, and say what the day as a whole shows.
        """
        ...

    def drop(self, state: Any, day: int) -> None:
        """Forget a day that was reopened by late events: it has been learned before."""
        ...

    def shrink(self, state: Any) -> bool:
        """Give up a part of what is known, what is needed least; whether there was anything to give up.

        Called when an identity's profile has grown too large. What a state grows by is noted in `Observation.grown`.
        """
        ...


def _found() -> dict[str, IdentityDetector]:
    names = sorted(module.name for module in pkgutil.iter_modules(_package.__path__))
    modules = (importlib.import_module(f"{_package.__name__}.{name}") for name in names if name != "registry")
    return {module.DETECTOR.name: module.DETECTOR for module in modules if hasattr(module, "DETECTOR")}


DETECTORS: dict[str, IdentityDetector] = _found()
"""Every identity detector by its name."""
