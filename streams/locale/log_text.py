"""Text from a log on a page: nothing in it is hidden, and long text is cut."""

from __future__ import annotations

import unicodedata

from markupsafe import Markup

__all__ = ["MAX_SHOWN", "clipped", "visible"]

MAX_SHOWN = 4_000
"""How many characters of one text a page shows; longer text is cut, and says so."""
MAX_COMBINING = 3
"""More combining marks than this on one letter run over other lines; they are spelt out."""
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_BLANK = frozenset("\u2800\u3164\u115f\u1160\uffa0")


def visible(value: object) -> object:
    """The value as a page may show it: characters that cannot be seen become their code points.

    Spells out control, format (direction, joiners), private and unassigned characters, halves of surrogates, blanks
    that are letters, and combining marks beyond three in a row. Markup and numbers pass.

    >>> visible("a\\x1b[31mb\\u202ec")
    'a⟨U+001B⟩[31mb⟨U+202E⟩c'
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = clipped(str(value), MAX_SHOWN)
    if text.isascii() and text.isprintable():
        return text
    shown = []
    marks = 0
    for letter in text:
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if kind in _HIDDEN or letter in _BLANK or marks > MAX_COMBINING:
            shown.append(f"⟨U+{ord(letter):04X}⟩")
        else:
            shown.append(letter)
    return "".join(shown)


def clipped(text: str, most: int) -> str:
    """The text, or its beginning and how many characters follow.

    >>> clipped("abcdef", 3)
    'abc … (+3)'
    """
    return text if len(text) <= most else f"{text[:most]} … (+{len(text) - most})"
