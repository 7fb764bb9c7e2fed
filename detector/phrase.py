"""Parts of a sentence: numbers, times, lists, and text from a log, which is the attacker's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from detector.event import Operation
from detector.message import Message, Template, message

__all__ = [
    "COUNTED", "SHOWN_CHARACTERS", "TEMPLATES", "about", "clean", "counted", "day_and_minute", "name", "operation",
    "operations", "quoted", "truncated", "usual", "way",
]  # fmt: skip

SHOWN_CHARACTERS = 60
"""How much of one log field a sentence quotes."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:@+-/")
_OTHER_OPERATION = "other"
COUNTED = {"calls": "call", "kilobytes": "kilobyte"}
"""What is counted in a channel that does not count rows."""

TEMPLATES: dict[str, Template] = {
    "count.row": ("{n} row", "{n} rows"),
    "count.kilobyte": ("{n} kilobyte", "{n} kilobytes"),
    "count.call": ("{n} call", "{n} calls"),
    "count.day": ("{n} day", "{n} days"),
    "count.attempt": ("{n} attempt", "{n} attempts"),
    "count.active_day": ("{n} active day", "{n} active days"),
    "count.action": ("{n} action", "{n} actions"),
    "count.account": ("{n} account", "{n} accounts"),
    "count.other_address": ("{n} other address", "{n} other addresses"),
    "count.finding": ("{n} finding", "{n} findings"),
    "count.query": ("{n} API query", "{n} API queries"),
    "count.bulk_export": ("{n} bulk export", "{n} bulk exports"),
    "count.report": ("{n} report", "{n} reports"),
    "count.report_export": ("{n} exported report", "{n} exported reports"),
    "count.list_view": ("{n} list view", "{n} list views"),
    "count.record_view": ("{n} record view", "{n} record views"),
    "count.file_download": ("{n} file download", "{n} file downloads"),
    "count.search": ("{n} search", "{n} searches"),
    "count.other": ("{n} operation", "{n} operations"),
    "operation.query": "API query",
    "operation.bulk_export": "bulk export",
    "operation.report": "report",
    "operation.report_export": "exported report",
    "operation.list_view": "list view",
    "operation.record_view": "record view",
    "operation.file_download": "file download",
    "operation.search": "search",
    "operation.other": "operation",
    "operations.query": "API queries",
    "operations.bulk_export": "bulk exports",
    "operations.report": "reports",
    "operations.report_export": "exported reports",
    "operations.list_view": "list views",
    "operations.record_view": "record views",
    "operations.file_download": "file downloads",
    "operations.search": "searches",
    "operations.other": "operations",
    "way.query": "by API query",
    "way.bulk_export": "by bulk export",
    "way.report": "in reports",
    "way.report_export": "by exporting reports",
    "way.list_view": "in list views",
    "way.record_view": "by opening records",
    "way.file_download": "by downloading files",
    "way.search": "by searching",
}
"""Messages by code that are made from a number or an operation."""
_CHANNELS = frozenset(
    operation.value
    for operation in Operation
    if f"operation.{operation.value}" in TEMPLATES and operation is not Operation.OTHER
)


def about(number: float) -> int:
    """Two digits: more would claim more than is known.

    >>> about(1267.0)
    1300
    """
    return round(float(f"{number:.2g}"))


def truncated(number: float) -> int:
    """Two digits, never rounded up: what is said to lie above a bound does so as shown, too."""
    digits = max(0, int(number))
    unit: int = 10 ** max(0, len(str(digits)) - 2)
    return digits // unit * unit


def counted(number: int, thing: str) -> Message:
    """A number of things.

    >>> counted(1, "row").text, counted(1200, "row").text
    ('1 row', '1,200 rows')
    """
    code = f"count.{thing}"
    return message(code, TEMPLATES[code], n=number)


def operation(channel: str) -> Message:
    """One operation of the kind that a channel counts."""
    code = f"operation.{_kind(channel)}"
    return message(code, TEMPLATES[code])


def operations(channel: str, number: int | None = None) -> Message:
    """Several of them, or so many."""
    if number is not None:
        return counted(number, _kind(channel))
    code = f"operations.{_kind(channel)}"
    return message(code, TEMPLATES[code])


def way(channel: str) -> Message | None:
    """How rows are taken by a channel's operation; ``None`` if it has no name of its own."""
    code = f"way.{channel}"
    return message(code, TEMPLATES[code]) if code in TEMPLATES else None


def usual(typical: float, *, daily: bool = False) -> Message:
    """What is usual.

    >>> usual(0.2).text, usual(1.0).text, usual(1267.0, daily=True).text
    ('hardly any are usual', 'about 1 is usual', 'about 1,300 a day are usual')
    """
    number = max(0, round(typical))
    if not number:
        return message("usual.none", "hardly any are usual")
    if daily:
        return message(
            "usual.daily", ("about {n} a day is usual", "about {n} a day are usual"), n=about(number)
        )
    return message("usual", ("about {n} is usual", "about {n} are usual"), n=about(number))


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


def _kind(channel: str) -> str:
    return channel if channel in _CHANNELS else _OTHER_OPERATION
