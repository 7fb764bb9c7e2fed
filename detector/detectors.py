"""The set of detectors that one process runs: the built-in ones, and those that plug-ins bring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from detector.explanation import Explanations
from detector.fleet.registry import FLEET_DETECTORS
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.detectors.registry import DETECTORS

__all__ = ["BUILT_IN", "DetectorSet", "with_plugins"]


class DetectorSet(msgspec.Struct, frozen=True):
    """Detectors by name, handed in wherever detectors run or are described."""

    identity: Mapping[str, IdentityDetector]
    explanations: Explanations
    """Of all of them, those of the fleet included."""


def with_plugins(plugins: Iterable[IdentityDetector] = ()) -> DetectorSet:
    """The built-in detectors and further ones. Raises `DetectorNameError` if two bear one name."""
    identity = [*DETECTORS.values(), *plugins]
    explanations = Explanations([*(detector.explanation for detector in identity), *FLEET_DETECTORS.values()])
    return DetectorSet({detector.name: detector for detector in identity}, explanations)


BUILT_IN = with_plugins()
"""What crmwatch comes with."""
