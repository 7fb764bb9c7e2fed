"""Everything an operator may set for the detector, in one frozen value, with its default and its unit.

The file, the environment and the flags are read at the edge (`streams.config`); here is only what they may
say.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["DetectionSettings", "Settings", "TriageSettings"]


Seconds = Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Rows = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Surprise = Annotated[float, msgspec.Meta(ge=0, le=100)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Factor = Annotated[float, msgspec.Meta(gt=1, le=1e6)]
Weight = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
Deviations = Annotated[float, msgspec.Meta(ge=0, le=100)]
Deviation = Annotated[float, msgspec.Meta(gt=0, le=10)]
Risk = Annotated[int, msgspec.Meta(ge=0, le=100)]


class DetectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides whether something is unusual for one identity."""

    late_seconds: Seconds = 3600
    """How long a window stays open for late events after it ended. Learning waits as long; alerts do not."""
    bound_deviations: Deviations = 2.0
    """How many deviations above its own level an identity must be before a signal is raised."""
    growth: Factor = 1.5
    """A window that was reported is reported again when it has grown by this factor."""
    fading: Share = 0.03
    """The weight of the newest window in an identity's level once it is warm (1/fading windows)."""
    warm_windows: Count = 8
    """How many windows of its own an identity needs before its own level is called warm."""
    prior_weight: Weight = 4.0
    """How many windows of its own the prior counts for."""
    prior_rows_hour: Rows = 40.0
    """The rows an hour expected of an identity that nothing is known of."""
    prior_rows_day: Rows = 160.0
    """The rows a day expected of an identity that nothing is known of."""
    prior_deviation: Deviation = 1.2
    """The deviation, in natural logarithms of rows, expected of an identity that nothing is known of."""


class TriageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides whether a signal is worth a human."""

    alert_risk: Risk = 45
    """The risk (0-100) from which an incident is raised."""
    alert_surprise: Surprise = 3.0
    """The evidence, in -log10 of its probability, below which nothing is raised, whatever the risk."""
    support_surprise: Surprise = 1.5
    """The surprise from which a further window joins an open incident."""
    quiet_seconds: Seconds = 36 * 3600
    """An incident closes after this much event time without anything new in it."""
    update_growth: Factor = 2.0
    """An incident is published again when its rows have grown by this factor, or its severity has risen."""
    population_days: Count = 28
    """How many closed days the population is remembered for."""
    evidence_events: Count = 10
    """How many events an incident keeps as evidence."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of the detector's settings."""

    detection: DetectionSettings = DetectionSettings()
    triage: TriageSettings = TriageSettings()
