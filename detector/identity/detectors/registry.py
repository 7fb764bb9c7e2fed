"""Finds the built-in detectors of one identity: each module here with a `DETECTOR` is one."""

from __future__ import annotations

import importlib
import pkgutil

import detector.identity.detectors as _package
from detector.identity.detectors.contract import IdentityDetector

__all__ = ["DETECTORS", "IdentityDetector"]


def _found() -> dict[str, IdentityDetector]:
    names = sorted(module.name for module in pkgutil.iter_modules(_package.__path__))
    modules = (importlib.import_module(f"{_package.__name__}.{name}") for name in names if name != "registry")
    return {module.DETECTOR.name: module.DETECTOR for module in modules if hasattr(module, "DETECTOR")}


DETECTORS: dict[str, IdentityDetector] = _found()
"""Every identity detector by its name."""
