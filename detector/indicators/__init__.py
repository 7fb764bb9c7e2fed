"""Indicators in the formats in which they are exchanged."""

from __future__ import annotations

from detector.indicators.entry import IndicatorsError
from detector.indicators.parse import MAX_BYTES, ParsedIndicators, parse

__all__ = ["MAX_BYTES", "IndicatorsError", "ParsedIndicators", "parse"]
