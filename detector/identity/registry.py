"""The identity detectors' contract, and finding them: each module here with a `DETECTOR` is one."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, Protocol

import detector.identity as _package
from detector.event import AccessEvent
from detector.ledger import Counted
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

    def observe(
        self, state: Any, event: AccessEvent, counted: Counted, settings: DetectionSettings
    ) -> list[Signal] | None:
        """Take one event in and say what is surprising about it; called for every event, so cheap."""
        ...

    def close(self, state: Any, until_ms: int, settings: DetectionSettings) -> list[Signal]:
        """Learn what ended before `until_ms` (event time, lateness allowed for) and say what it was."""
        ...

    def next_close_ms(self, state: Any, settings: DetectionSettings) -> int | None:
        """The earliest `until_ms` for which `close` would do something, or ``None``."""
        ...


def _found() -> dict[str, IdentityDetector]:
    names = sorted(module.name for module in pkgutil.iter_modules(_package.__path__))
    modules = (
        importlib.import_module(f"{_package.__name__}.{name}")
        for name in names
        if name not in ("registry", "profile")
    )
    return {module.DETECTOR.name: module.DETECTOR for module in modules if hasattr(module, "DETECTOR")}


DETECTORS: dict[str, IdentityDetector] = _found()
"""Every identity detector by its name."""
