"""Indicators in the formats in which they are exchanged."""

from __future__ import annotations

from detector.indicators.entry import IndicatorsError
from detector.indicators.parse import MAX_BYTES, ParsedIndicators, parse
from detector.indicators.value import MAX_ENTRIES

__all__ = ["MAX_BYTES", "MAX_ENTRIES", "IndicatorsError", "ParsedIndicators", "parse"]
