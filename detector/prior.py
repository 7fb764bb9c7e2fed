"""What is expected of an identity's quantities before anything is known of it."""

from __future__ import annotations

from math import log1p

from detector.settings import DetectionSettings
from detector.signal import Span

__all__ = ["FLOOR_VARIANCE", "prior_mean"]

FLOOR_VARIANCE = 0.04
"""No identity is so regular that a fifth more rows would be news."""


def prior_mean(span: Span, settings: DetectionSettings) -> float:
    """The mean of ``log1p(value)`` expected of an unknown identity."""
    return log1p(settings.prior_rows_day if span in (Span.DAY, Span.WEEK) else settings.prior_rows_hour)
