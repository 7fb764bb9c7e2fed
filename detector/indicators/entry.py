"""What each entry of a list comes to: a lookup value with its indicator, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from detector.errors import CrmwatchError
from detector.indicators.value import ValueRefusedError, lookup_values
from detector.settings import Indicator

__all__ = [
    "ALWAYS",
    "DEFAULT_SCORE",
    "Entry",
    "IndicatorsError",
    "PassedOver",
    "entries",
    "is_off",
    "score_of",
    "times",
]

DEFAULT_SCORE = 3.0
LEAST_SCORE, MOST_SCORE = 1.0, 4.0
"""The scores of a source's confidence of 0 and of 100, in -log10 of a probability."""
NEVER_MS = 1 << 53
ALWAYS = (0, NEVER_MS)
"""The period of an indicator that gives none."""
_FALSE = {"0", "false", "no", "n", "off"}


class IndicatorsError(CrmwatchError, ValueError):
    """A file without indicators in a known format; the message is one sentence for a person."""


class PassedOver(msgspec.Struct, frozen=True):
    """An entry that cannot be looked up."""

    what: str
    """What it is, in few words; entries are counted by it."""
    sentence: str
    """Which entry, and why."""


Entry = tuple[str, Indicator] | PassedOver
"""The lookup value and its indicator, or why the entry has none."""


def entries(
    value: str, kind: str | None, name: str, score: float, window: tuple[int, int], where: str
) -> Iterator[Entry]:
    """A value's entries; `kind` is what the source calls it, ``None`` if the source does not say."""
    try:
        indicator = msgspec.convert(
            {"name": name[:200], "score": score, "from_ms": window[0], "until_ms": window[1]}, Indicator
        )
        for found in lookup_values(value, kind):
            yield found, indicator
    except ValueRefusedError as error:
        yield PassedOver(error.what, f"{where}: {error}")
    except msgspec.ValidationError as error:
        yield PassedOver("a bad score or period", f"{where}: {error}")


def times(since: Any, until: Any) -> tuple[int, int]:
    """When an indicator begins and ends to hold. Raises `ValueError`."""
    return _ms(since, 0), _ms(until, NEVER_MS)


def _ms(value: Any, default: int) -> int:
    if value in (None, ""):
        return default
    text = value if isinstance(value, str) else ""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{str(value)[:40]!r} is not a time") from None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def score_of(confidence: Any) -> float:
    """The score of a source's confidence, from 0 to 100.

    >>> score_of(50), score_of(None)
    (2.5, 3.0)
    """
    if isinstance(confidence, bool) or not isinstance(confidence, int):
        return DEFAULT_SCORE
    return LEAST_SCORE + (MOST_SCORE - LEAST_SCORE) * min(100, max(0, confidence)) / 100


def is_off(flag: Any) -> bool:
    """Whether a flag is given and is false, in any of the spellings of JSON and CSV.

    >>> is_off(False), is_off("0"), is_off(0), is_off("1"), is_off(None)
    (True, True, True, False, False)
    """
    if isinstance(flag, str):
        return flag.strip().lower() in _FALSE
    return flag is not None and isinstance(flag, bool | int | float) and not flag
