"""Parts of a sentence: numbers, times, lists, and text from a log, which is the attacker's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = [
    "SHOWN_CHARACTERS", "about", "clean", "counted", "day_and_minute", "listed", "name", "quoted", "truncated", "usual",
]  # fmt: skip

SHOWN_CHARACTERS = 60
"""How much of one log field a sentence quotes."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:@+-/")


def about(number: float) -> str:
    """Two digits: more would claim more than is known.

    >>> about(1267.0)
    '1,300'
    """
    return f"{float(f'{number:.2g}'):,.0f}"


def truncated(number: float) -> int:
    """Two digits, never rounded up: what is said to lie above a bound does so as shown, too."""
    whole = max(0, int(number))
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number of things.

    >>> counted(1, "row"), counted(1200, "row"), counted(2, "address", "addresses")
    ('1 row', '1,200 rows', '2 addresses')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def usual(typical: float, each: str = "") -> str:
    """What is usual.

    >>> usual(0.2), usual(1.0), usual(1267.0, " a day")
    ('hardly any are usual', 'about 1 is usual', 'about 1,300 a day are usual')
    """
    whole = max(0, round(typical))
    if not whole:
        return "hardly any are usual"
    return f"about {about(whole)}{each} {'is' if whole == 1 else 'are'} usual"


def listed(things: list[str]) -> str:
    """Several things, one after the other.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    if len(things) < 2:
        return "".join(things)
    return f"{', '.join(things[:-1])} and {things[-1]}"


def day_and_minute(time_ms: int) -> tuple[str, str]:
    """The day and the minute, UTC; what lies outside the calendar is shown as its end."""
    seconds = max(-62_135_596_800, min(time_ms // 1000, 253_402_300_799))
    day, minute = (_EPOCH + timedelta(seconds=seconds)).isoformat(" ", "minutes")[:16].split()
    return day, minute


def quoted(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """Free text of a log, between quotes that it cannot close."""
    return f"“{clean(text, most)}”"


def name(text: str) -> str:
    """An id, an address or a name: bare if it is plainly one, otherwise quoted."""
    plain = text and len(text) <= SHOWN_CHARACTERS and text.isascii() and not set(text) - _PLAIN
    return text if plain else quoted(text)


def clean(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """Printable, short and without our quotes; what it may mean to a terminal or a page is up to those."""
    letters = "".join(
        letter if letter.isprintable() and letter not in "“”" else _REPLACED for letter in text[: most + 1]
    )
    return letters if len(letters) <= most else letters[: most - 1] + "…"
