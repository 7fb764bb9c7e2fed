"""The console's own words, in English and French. What logs and alerts say stays as it is.

A message is its English text; the French is looked up by it (`streams.console.i18n.french`). What stands in braces is
filled in, and is text: pages escape it like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from streams.console.i18n.french import FRENCH
from streams.console.i18n.labels import LABELS

__all__ = ["Language", "Translator", "accepted"]

NARROW_SPACE = "\u202f"


class Language(StrEnum):
    """What the console speaks."""

    ENGLISH = "en"
    FRENCH = "fr"


class Translator(msgspec.Struct, frozen=True):
    """How to say things in a language.

    >>> Translator(Language.FRENCH)("Board"), Translator(Language.FRENCH).number(12345)
    ('Tableau', '12\\u202f345')
    """

    language: Language = Language.ENGLISH

    def __call__(self, message: str, **values: object) -> str:
        """A message with its values."""
        text = FRENCH[message] if self.language is Language.FRENCH else message
        return text.format(**values) if values else text

    def many(self, count: int, one: str, more: str, **values: object) -> str:
        """The message for one, or for several; ``{n}`` is the number. In French none is one."""
        single = count == 1 or (count == 0 and self.language is Language.FRENCH)
        return self(one if single else more, n=self.number(count), **values)

    def word(self, code: object) -> str:
        """One of our closed words, such as an operation; what is none is shown as it is."""
        message = LABELS.get(str(code))
        return str(code) if message is None else self(message)

    def number(self, count: float | None) -> str:
        """A whole number; a dash for one that nobody knows."""
        if count is None:
            return "–"
        text = f"{round(count):,}"
        return text.replace(",", NARROW_SPACE) if self.language is Language.FRENCH else text

    def percent(self, share: float) -> str:
        """A share of one, in percent."""
        return f"{round(100 * share)}{NARROW_SPACE if self.language is Language.FRENCH else ''}%"

    def duration(self, span_ms: int) -> str:
        """How long, in one or two units.

        >>> Translator().duration(5_400_000), Translator(Language.FRENCH).duration(604_800_000)
        ('1 h 30 min', '7 j')
        """
        minutes = max(0, span_ms) // 60_000
        day = self("d")
        if minutes < 60:
            return f"{minutes} min"
        if minutes <= 72 * 60:
            return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
        return f"{minutes // 1440} {day}"

    def joined(self, parts: Sequence[str]) -> str:
        """Words as a list in a sentence."""
        if len(parts) < 2:
            return "".join(parts)
        return f"{', '.join(parts[:-1])} {self('and')} {parts[-1]}"


def accepted(header: str) -> Language:
    """The language that a browser asks for first of those that are spoken.

    >>> accepted("de, fr-CA;q=0.8, en;q=0.7").value
    'fr'
    """
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(header.split(",")[:20]):
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        wanted.append((-weight, place, name[:2].lower()))
    for _, _, name in sorted(wanted):
        if name in set(Language):
            return Language(name)
    return Language.ENGLISH
