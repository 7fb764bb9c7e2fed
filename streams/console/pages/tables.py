"""Tables: what a page shows as rows can be had as CSV and JSON, too."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from detector.message import Message

__all__ = ["Column", "ColumnKind", "Table", "as_csv", "as_json", "inert"]

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "＝", "＋", "－", "＠")
_AFTER_A_SEPARATOR = re.compile(r"([;,\t|\r\n][\s\"'\u00a0\ufeff\x00]*+)([=+\-@＝＋－＠])")
_LAST_MS = 253_402_300_799_000  # 9999-12-31


class ColumnKind(StrEnum):
    """What stands in a column, and so how it is shown."""

    TEXT = "text"
    """What a log said, or a person."""
    CODE = "code"
    """The same, where each letter counts."""
    NUMBER = "number"
    TIME = "time"
    """Milliseconds since 1970 UTC."""
    WORD = "word"
    """One of our own closed words."""
    SEVERITY = "severity"
    ALERT = "alert"
    """What an alert says, as messages; or what a person said about it."""


class Column(msgspec.Struct, frozen=True):
    """A column; its title is a message."""

    key: str
    title: str
    kind: ColumnKind = ColumnKind.TEXT
    page: str = ""
    """Where a cell leads: ``incident``, ``identity`` or a kind of search."""
    by: str = ""
    """The column that says to which; by default this one."""
    hidden: bool = False
    """Whether only files have it."""


class Table(msgspec.Struct, frozen=True):
    """Rows under columns."""

    name: str
    caption: str
    """A message."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: int = 0
    """How many further rows there are."""

    def dicts(self) -> Iterator[dict[str, Any]]:
        """The rows by column."""
        keys = [column.key for column in self.columns]
        for row in self.rows:
            yield dict(zip(keys, row, strict=True))


def as_json(table: Table) -> bytes:
    """A list of objects; times in milliseconds since 1970 UTC, what is unknown null."""
    rows = [{key: _plain(value) for key, value in row.items()} for row in table.dicts()]
    return msgspec.json.encode({"table": table.name, "rows": rows, "more": table.more})


def as_csv(table: Table) -> str:
    """Comma-separated, in quotes, times as UTC; no cell is a formula to a spreadsheet."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([column.key for column in table.columns])
    for row in table.rows:
        writer.writerow([_cell(column, value) for column, value in zip(table.columns, row, strict=True)])
    return file.getvalue()


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula, whichever separator it reads by: an apostrophe is put before what
    would begin one, at the start or after a semicolon, comma, tab, bar or line break.

    >>> inert("=HYPERLINK(1)"), inert(" \\t+1"), inert("a=b")
    ("'=HYPERLINK(1)", "' \\t'+1", 'a=b')
    >>> inert("a;=1+1;b"), inert("x, @y")
    ("a;'=1+1;b", "x, '@y")
    """
    bare = text.lstrip(" \u00a0\ufeff\x00")
    text = f"'{text}" if bare.startswith(_BEGINS_A_FORMULA) else text
    return _AFTER_A_SEPARATOR.sub(r"\1'\2", text)


def _plain(value: Any) -> Any:
    """The value as a file has it: an alert's messages in English."""
    if isinstance(value, Message):
        return value.text
    if isinstance(value, tuple) and any(isinstance(item, Message) for item in value):
        return " ".join(str(_plain(item)) for item in value)
    return value


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return ""
    if column.kind is ColumnKind.TIME and isinstance(value, int):
        return datetime.fromtimestamp(min(max(value, 0), _LAST_MS) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    value = _plain(value)
    if isinstance(value, (list, tuple)):
        value = " ".join(str(item) for item in value)
    return inert(
        "".join(letter if letter.isprintable() or letter in "\t\n" else "\ufffd" for letter in str(value))
    )
