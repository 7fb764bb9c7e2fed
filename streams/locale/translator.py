"""Messages, numbers, lists and durations as a language writes them.

Times are not translated: pages show them as logs do, ISO 8601 and UTC (`streams.locale.times`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import Literal

import msgspec
from babel import Locale, negotiate_locale
from babel.dates import get_day_names
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from streams.locale.catalogue import translations

__all__ = ["Language", "Translator", "gettext_noop", "negotiate", "ngettext_noop"]

MAX_LANGUAGES = 20
"""How many entries of an Accept-Language header are read."""


class Language(StrEnum):
    """The languages that pages and reports speak."""

    ENGLISH = "en"
    FRENCH = "fr"

    @property
    def name_in_itself(self) -> str:
        """``English``, ``Français``."""
        return (Locale.parse(self.value).get_language_name(self.value) or self.value).capitalize()


class Translator(msgspec.Struct, frozen=True):
    """Text in one language. Braces in a message are filled in.

    >>> french = Translator(Language.FRENCH)
    >>> french.gettext("Board"), french.number(12345), french.ngettext("{n} row", "{n} rows", 0)
    ('Tableau', '12\\u202f345', '0 ligne')
    """

    language: Language = Language.ENGLISH

    def gettext(self, message: str, **values: object) -> str:
        """A message with its values."""
        text = translations(self.language.value, "screens").gettext(message) if message else ""
        return text.format(**values) if values else text

    def ngettext(self, one: str, many: str, n: int, **values: object) -> str:
        """The message for one thing, or for several; ``{n}`` is the number."""
        text = translations(self.language.value, "screens").ngettext(one, many, n)
        return text.format(n=self.number(n), **values)

    def number(self, count: float | None) -> str:
        """A whole number; a dash for one that is unknown."""
        return "–" if count is None else format_decimal(round(count), locale=_locale(self.language))

    def percent(self, share: float, digits: int = 0) -> str:
        """A share of one, in percent.

        >>> Translator().percent(0.5), Translator().percent(0.9712, 1)
        ('50%', '97.1%')
        """
        places = f".{'#' * digits}" if digits else ""
        pattern = f"#,##0{places}\u202f%" if self.language is Language.FRENCH else f"#,##0{places}%"
        return format_percent(share, pattern if digits else None, locale=_locale(self.language))

    def listed(self, things: Sequence[str], join: Literal["and", "or"] = "and") -> str:
        """Several things, one after the other.

        >>> Translator().listed(["a", "b", "c"]), Translator(Language.FRENCH).listed(["a", "b"], "or")
        ('a, b and c', 'a ou b')
        """
        return format_list(list(things), "or" if join == "or" else "standard", locale=_locale(self.language))

    def duration(self, span_ms: int) -> str:
        """A length of time in one or two units; the longer it is, the coarser.

        >>> [Translator().duration(1000 * seconds) for seconds in (40, 222, 5400, 72 * 3600, 15 * 86400)]
        ['40s', '3m 42s', '1h 30m', '72h', '15 days']
        """
        seconds = max(0, span_ms) // 1000
        if seconds < 60:
            return self._units(seconds, "second")
        if seconds < 600:
            return self._units(seconds // 60, "minute", seconds % 60, "second")
        minutes = seconds // 60
        if minutes < 60:
            return self._units(minutes, "minute")
        if minutes <= 72 * 60:
            return self._units(minutes // 60, "hour", minutes % 60, "minute")
        return format_unit(minutes // 1440, "duration-day", "short", locale=_locale(self.language))

    def weekdays(self) -> list[str]:
        """The short names of the days, from Monday."""
        names = get_day_names("abbreviated", locale=_locale(self.language))
        return [names[day] for day in range(7)]

    def _units(self, count: int, unit: str, rest: int = 0, finer: str = "") -> str:
        locale = _locale(self.language)
        text = format_unit(count, f"duration-{unit}", "narrow", locale=locale)
        return f"{text} {format_unit(rest, f'duration-{finer}', 'narrow', locale=locale)}" if rest else text


def negotiate(accept_language: str) -> Language:
    """The language to answer in, by the Accept-Language header of a browser.

    >>> negotiate("de, fr-CA;q=0.8, en;q=0.7").value
    'fr'
    """
    wanted: list[tuple[float, str]] = []
    for entry in accept_language.split(",")[:MAX_LANGUAGES]:
        name, _, quality = entry.strip().partition(";q=")
        try:
            wanted.append((-float(quality or 1), name))
        except ValueError:
            continue
    preferred = [name for _, name in sorted(wanted, key=lambda item: item[0])]
    return Language(negotiate_locale(preferred, list(Language), sep="-") or Language.ENGLISH)


def gettext_noop(message: str) -> str:
    """Mark a constant as a message; it is translated where it is shown."""
    return message


def ngettext_noop(one: str, many: str) -> tuple[str, str]:
    """Mark a constant as a message for one thing and for several."""
    return one, many


@cache
def _locale(language: Language) -> Locale:
    return Locale.parse("en_GB" if language is Language.ENGLISH else language.value)
