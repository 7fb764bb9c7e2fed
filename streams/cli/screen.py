"""What commands show: alerts and sentences. Log text is untrusted and shown as text only."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from detector.alert.alert import Alert
from detector.alert.ocsf import Activity
from detector.triage.risk import Severity
from streams.config import Config, ConfigError, load
from streams.plugins import PluginError, Plugins, adapter_names, discover

__all__ = [
    "COLOURS",
    "alert_line",
    "alert_panel",
    "counted_records",
    "errors",
    "fail",
    "lead",
    "line_of",
    "nothing_read",
    "out",
    "panel_of",
    "plain",
    "plugins",
    "printable",
    "settings",
    "show_line",
    "utc",
]

COLOURS = {
    Severity.INFORMATIONAL: "dim",
    Severity.LOW: "blue",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold white on red",
}
_VERBS = {Activity.CREATE: "new", Activity.UPDATE: "grows", Activity.CLOSE: "closed"}
_NAME_WIDTH = max(len(severity.name) for severity in Severity)
_VERB_WIDTH = max(map(len, _VERBS.values()))


def out() -> Console:
    """The console for results."""
    return Console(highlight=False)


def errors() -> Console:
    """The console for errors and progress."""
    return Console(stderr=True, highlight=False)


def fail(sentence: str, code: int = 2) -> NoReturn:
    """Say in one sentence what is wrong, and exit."""
    errors().print(Text(plain(sentence)), soft_wrap=True)
    raise typer.Exit(code)


def nothing_read(unread: int) -> str:
    """That logs hold no event, for `fail`: nothing may be concluded from them. `unread` records could not be read.

    >>> nothing_read(0)
    'There were no records: is this the right path?'
    """
    if not unread:
        return "There were no records: is this the right path?"
    return f"None of the {unread:,} records could be read, so nothing can be said: crmwatch check says why"


def settings(file: Path | None, environment: dict[str, str], flags: dict[str, object]) -> Config:
    """The settings, or exit with what is wrong with them."""
    try:
        return load(file, environment, flags, adapter_names())
    except ConfigError as error:
        fail(str(error))


def plugins() -> Plugins:
    """The plug-ins, or exit with what is wrong with one of them."""
    try:
        installed = discover()
    except PluginError as error:
        fail(str(error))
    return installed


_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")
_RAW = re.compile("[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def printable(data: bytes) -> bytes:
    """JSON or TOML without what a terminal would obey: such characters are escaped, and mean the same.

    >>> printable('{"a": "\x9b31mb\u202ec é"}'.encode()).decode()
    '{"a": "\\\\u009b31mb\\\\u202ec é"}'
    """
    if data.isascii():
        return data
    text = data.decode("utf-8", "replace")
    return _RAW.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode("utf-8")


def plain(text: str) -> str:
    """Text without what a terminal would obey: control and format characters are shown as a replacement.

    >>> plain("a\\x1b[31mb\\u202ec")
    'a�[31mb�c'
    """
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in _OBEYED else letter for letter in text
    )


def counted_records(number: int) -> str:
    """A number of records.

    >>> counted_records(1), counted_records(1200)
    ('1 record', '1,200 records')
    """
    return f"{number:,} record{'' if number == 1 else 's'}"


def utc(time_ms: int | None) -> str:
    """Event time for people."""
    if time_ms is None:
        return "-"
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def alert_panel(severity: Severity, activity: Activity, time_ms: int, points: int, sentence: str) -> Panel:
    """An alert as it is shown."""
    title = Text.assemble(
        (f" {severity.name} ", COLOURS[severity]), f" risk {points} · {_VERBS[activity]} · {utc(time_ms)}"
    )
    return Panel(
        Text(plain(sentence)),
        title=title,
        title_align="left",
        border_style="red" if severity is Severity.CRITICAL else COLOURS[severity],
    )


def alert_line(severity: Severity, activity: Activity, time_ms: int, points: int, sentence: str) -> Text:
    """An alert on one line, for `show_line`; lines stand well below one another."""
    name = severity.name
    return Text.assemble(
        (f" {name} ", COLOURS[severity]),
        " " * (_NAME_WIDTH - len(name)),
        f"risk {points:>3} · {_VERBS[activity]:<{_VERB_WIDTH}} · {utc(time_ms)} · {plain(lead(sentence))}",
    )


def show_line(screen: Console, line: Text) -> None:
    """Print a line, cut where the terminal ends."""
    screen.print(line, no_wrap=True, overflow="ellipsis")


def lead(sentence: str) -> str:
    """The first of an alert's sentences, which says what happened. What stands in quotes is from a log.

    >>> lead("It took 9 rows with “x. Y”, from 192.0.2.7. About 1 is usual. Next: ask.")
    'It took 9 rows with “x. Y”, from 192.0.2.7.'
    """
    end = 0
    while (end := sentence.find(". ", end) + 1) and sentence.count("“", 0, end) > sentence.count("”", 0, end):
        pass
    return sentence[:end] if end else sentence


def line_of(alert: Alert, points: int) -> Text:
    """An alert of the engine's on one line."""
    return alert_line(alert.severity, alert.activity, alert.time_ms, points, alert.sentence)


def panel_of(alert: Alert, points: int) -> Panel:
    """An alert of the engine's as it is shown."""
    return alert_panel(alert.severity, alert.activity, alert.time_ms, points, alert.sentence)
