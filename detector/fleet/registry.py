"""Finds the built-in detectors of the fleet: each module here with a `DETECTOR` is one.

What such a detector keeps differs from one to the other, and triage runs each at its own moment; their contract is how
their anomalies are weighed and told.
"""

from __future__ import annotations

import importlib
import pkgutil

import detector.fleet as _package
from detector.explanation import Explanation

__all__ = ["FLEET_DETECTORS"]


def _found() -> dict[str, Explanation]:
    names = sorted(module.name for module in pkgutil.iter_modules(_package.__path__))
    modules = (importlib.import_module(f"{_package.__name__}.{name}") for name in names if name != "registry")
    return {module.DETECTOR.name: module.DETECTOR for module in modules if hasattr(module, "DETECTOR")}


FLEET_DETECTORS: dict[str, Explanation] = _found()
"""Every fleet detector by its name."""
