"""Splits CSV into rows, including fields with line breaks and damaged rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from streams.files.window import BLOCK_BYTES, MAX_RECORD_BYTES, Frame, Pace, Window

__all__ = ["MAX_ROW_LINES", "CsvRows", "csv_frames", "csv_header", "row_object"]

MAX_ROW_LINES = 100
"""A CSV row spans at most this many lines; a quote open for longer was never closed."""


class CsvRows(msgspec.Struct):
    """Complete CSV rows, one per line, with as many fields as the header has names."""

    header: list[str]
    fields: list[list[str]]
    line: int
    """The line of the first row."""
    size_bytes: int


_NAME = re.compile(r"[A-Za-z_][\w .:/()#-]*")


def _row(text: bytes) -> list[str]:
    """The fields of one CSV row; raises ValueError (also for bad UTF-8) or `csv.Error`."""
    rows = list(csv.reader([text.decode("utf-8")], strict=True))
    return rows[0] if rows else []


def csv_header(window: Window) -> list[str] | None:
    """The names in the first line, if it is a CSV header of at least two; skips the line then."""
    while (end := window.data.find(b"\n", window.at)) < 0 and len(window) < BLOCK_BYTES and window.more():
        pass
    names = _names(window.data[window.at : end if end >= 0 else len(window.data)].rstrip(b"\r"))
    if names is None:
        return None
    window.take_line()
    return list(names)


@lru_cache(maxsize=64)
def _names(line: bytes) -> tuple[str, ...] | None:
    """The names in a header line, cached: many files share few headers."""
    try:
        names = _row(line)
    except (ValueError, csv.Error):
        return None
    return tuple(names) if len(names) > 1 and all(_NAME.fullmatch(name) for name in names) else None


ROWS_BYTES = 65_536
"""How many bytes of rows are read at once: no field is longer than `csv` allows."""


def _whole_rows(window: Window, columns: int, most: int) -> tuple[list[list[str]], int] | None:
    """The next rows and their size in bytes, if each is one line with as many fields as columns."""
    if len(window) < most:
        window.more()
    end = window.data.rfind(b"\n", window.at, window.at + most)
    if end < 0:
        return None
    block = window.data[window.at : end]
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n").removesuffix("\r")
        if "\r" in text:
            return None
    lines = block.count(b"\n") + 1
    rows = _quoted_rows(text, columns, lines) or _any_rows(text, columns, lines)
    return (rows, len(block) + 1) if rows else None


def _quoted_rows(text: str, columns: int, lines: int) -> list[list[str]] | None:
    """The rows of a text in which each field is quoted, as the vendors write it, and contains no quote.

    If the text has no more quotes than that needs, there is nothing else in or between the fields. Splitting the
    text at the quotes is much faster than parsing it.
    """
    if text[:1] != '"' or text[-1:] != '"' or text.count('"') != 2 * columns * lines:
        return None
    return _fitting([row.split('","') for row in text[1:-1].split('"\n"')], columns, lines)


def _any_rows(text: str, columns: int, lines: int) -> list[list[str]] | None:
    """The rows of a text with quoted or unquoted fields."""
    try:
        return _fitting(list(csv.reader(text.split("\n"), strict=True)), columns, lines)
    except csv.Error:
        return None


def _fitting(rows: list[list[str]], columns: int, lines: int) -> list[list[str]] | None:
    """The rows, if each is one line with as many fields as the header."""
    return rows if len(rows) == lines and set(map(len, rows)) == {columns} else None


def csv_frames(window: Window, header: list[str], pace: Pace) -> Iterator[Frame | CsvRows]:
    """The rows under a header, as objects of strings."""
    waiting: list[Frame] = []  # lines to parse again, the next one last
    while True:
        while not waiting and pace.ready():
            found = _whole_rows(window, len(header), min(pace.size, ROWS_BYTES))
            pace.tried(found[1] if found else 0, whole=bool(found))
            if found is None:
                break
            rows, size = found
            yield CsvRows(header, rows, window.line, size)
            window.at += size
            window.line += len(rows)
        first = waiting.pop() if waiting else window.take_line()
        if first is None:
            return
        row = _careful_row(window, header, first, waiting)
        if row is not None:
            yield row


def _careful_row(window: Window, header: list[str], first: Frame, waiting: list[Frame]) -> Frame | None:
    """The row that starts with a line; ``None`` for a blank one. Unused following lines go to `waiting`."""
    lines = [first]
    size = len(first.record)
    odd = first.record.count(b'"') % 2
    # A quoted field may contain line breaks: the row continues until its number of quotes is even.
    while odd and size <= MAX_RECORD_BYTES and len(lines) < MAX_ROW_LINES:
        line = waiting.pop() if waiting else window.take_line()
        if line is None:
            break
        lines.append(line)
        size += len(line.record)
        odd = (odd + line.record.count(b'"')) % 2
    if size > MAX_RECORD_BYTES and len(lines) == 1:
        return first
    if odd:
        waiting.extend(reversed(lines[1:]))
        return Frame(first.record, first.line, "a quote is never closed")
    text = b"\n".join(line.record for line in lines).rstrip(b"\r")
    row = _csv_row(text, first.line, header)
    if row.fault and len(lines) > 1:  # a stray quote has swallowed the following lines
        waiting.extend(reversed(lines[1:]))
        row = Frame(first.record.rstrip(b"\r"), first.line, row.fault)
    return row if text.strip() else None


def _csv_row(text: bytes, line: int, header: list[str]) -> Frame:
    try:
        fields = _row(text)
    except (ValueError, csv.Error) as error:
        return Frame(text, line, f"not a CSV row: {str(error)[:100]}")
    return Frame(row_object(header, fields), line)


def row_object(header: list[str], fields: list[str]) -> bytes:
    """A row as a JSON object of strings, marked if its fields do not match the header in number."""
    row: dict[str, object] = dict(zip(header, fields, strict=False))
    if len(fields) != len(header):
        row[""] = {"columns": len(fields), "expected": len(header)}
    return msgspec.json.encode(row)
