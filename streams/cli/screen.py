"""What the commands show: alerts and sentences. Log text is somebody else's, and is shown as text only."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from detector.alert import Activity, Alert
from detector.triage.risk import Severity
from streams.config import Config, ConfigError, load

__all__ = ["COLOURS", "alert_panel", "errors", "fail", "out", "plain", "settings", "utc"]

COLOURS = {
    Severity.INFORMATIONAL: "dim",
    Severity.LOW: "blue",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold white on red",
}
_VERBS = {Activity.CREATE: "new", Activity.UPDATE: "grows", Activity.CLOSE: "closed"}


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


def settings(file: Path | None, environment: dict[str, str], flags: dict[str, object]) -> Config:
    """The settings, or exit with what is wrong with them."""
    try:
        return load(file, environment, flags)
    except ConfigError as error:
        fail(str(error))


def plain(text: str) -> str:
    """Text without what a terminal would obey: control and format characters are shown as a replacement.

    >>> plain("a\\x1b[31mb\\u202ec")
    'a�[31mb�c'
    """
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in ("Cc", "Cf", "Cs") else letter
        for letter in text
    )


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


def panel_of(alert: Alert, points: int) -> Panel:
    """An alert of the engine's as it is shown."""
    return alert_panel(alert.severity, alert.activity, alert.time_ms, points, alert.sentence)
