"""Splits CSV into rows, including fields with line breaks, damaged rows and further headers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from operator import itemgetter

import msgspec

from streams.files.csv_table import (
    CsvTable,
    is_header,
    is_remark,
    is_remark_between_rows,
    may_be_header,
    separator_of,
    split_row,
    table_of,
    w3c_table,
)
from streams.files.encoding import windows_text
from streams.files.window import BLOCK_BYTES, MAX_RECORD_BYTES, Frame, Pace, Window

__all__ = ["MAX_ROW_LINES", "CsvRows", "csv_frames", "csv_table", "row_object"]

MAX_ROW_LINES = 100
"""A CSV row spans at most this many lines; a quote open for longer was never closed."""
MAX_REMARKS = 50
"""How many lines may stand before a header."""
ROWS_BYTES = 65_536
"""How many bytes of rows are read at once: no field is longer than `csv` allows."""
KNOWN_FIRSTS = 4_096
"""How many first fields are remembered that are not the beginning of a header."""


class CsvRows(msgspec.Struct):
    """Complete CSV rows, one per line, with as many fields as the header has names."""

    header: list[str]
    fields: list[list[str]]
    line: int
    """The line of the first row."""
    size_bytes: int


def csv_table(window: Window) -> CsvTable | None:
    """The table that a file opens with; skips the header then, with the remarks before it."""
    at = window.at
    delimiter = ""
    table: CsvTable | None = None
    for _ in range(MAX_REMARKS):
        while (end := window.data.find(b"\n", at)) < 0 and len(window) < BLOCK_BYTES:
            before = window.at
            if not window.more():
                break
            at -= before - window.at
        line = window.data[at : end if end >= 0 else len(window.data)].rstrip(b"\r")
        at = end + 1 if end >= 0 else len(window.data)
        line = windows_text(line)
        table = w3c_table(line, window.data[at : at + BLOCK_BYTES].partition(b"\n")[0]) or table_of(
            line, delimiter
        )
        table = table or _only_column(line, window.data[at : at + 3])
        if table is not None or end < 0 or not is_remark(line):
            break
        delimiter = separator_of(line) or delimiter
    if table is None:
        return None
    window.skip(at - window.at)
    return msgspec.structs.replace(table)


_RECORD_COLUMNS = (b"AuditData", b"RawEventData", b"_raw", b"message")


def _only_column(line: bytes, row: bytes) -> CsvTable | None:
    """The table of a header with one name, if that holds whole records."""
    name = line.removeprefix(b"\xef\xbb\xbf").strip(b'"')
    return CsvTable([name.decode()], 1) if name in _RECORD_COLUMNS and row.startswith(b'"{') else None


class _Reading:
    """What the rows so far have shown."""

    def __init__(self, table: CsvTable) -> None:
        self.table = table
        self._firsts: set[str] = set()

    def header_at(self, rows: list[list[str]]) -> int | None:
        """Which of some rows is another header, if one is."""
        firsts = self._firsts
        new = set(map(itemgetter(0), rows)) - firsts
        if not new:
            return None
        found = {first for first in new if not first[:1].isdecimal()}
        for number, row in enumerate(rows) if found else ():
            if row[0] in found and is_header(row, self.table):
                return number
        if len(firsts) > KNOWN_FIRSTS:
            firsts.clear()
        firsts |= new.difference(self.table.names)
        return None

    def opens(self, line: bytes) -> CsvTable | None:
        """The table that a line among the rows opens, if it is another header."""
        if not may_be_header(line):
            return None
        line = windows_text(line)
        table = w3c_table(line)
        if table is None:
            own = table_of(line, self.table.delimiter)
            table = own if own and is_header(own.names, self.table) else None
            if table is None and self.table.delimiter not in line.decode("latin-1"):
                other = table_of(line)
                table = other if other and is_header(other.names, self.table) else None
        return None if table is None else msgspec.structs.replace(table)


def csv_frames(window: Window, table: CsvTable, pace: Pace) -> Iterator[Frame | CsvRows]:
    """The rows under a header, as objects of strings; another header opens another table."""
    waiting: list[Frame] = []  # lines to parse again, the next one last
    reading = _Reading(table)
    while True:
        while not waiting and pace.ready():
            table = reading.table
            found = _whole_rows(window, table, min(pace.size, ROWS_BYTES))
            pace.tried(found[1] if found else 0, whole=bool(found))
            if found is None:
                break
            rows, size = found
            cut = reading.header_at(rows)
            if cut is not None:
                rows, size = rows[:cut], _size_of(window, cut)
                pace.wait()
            if rows:
                yield CsvRows(table.names, rows, window.line, size)
            window.at += size
            window.line += len(rows)
        first = waiting.pop() if waiting else window.take_line()
        if first is None:
            return
        if (opened := reading.opens(first.record)) is not None:
            reading = _Reading(opened)
        elif not is_remark_between_rows(first.record, reading.table):
            row = _careful_row(window, reading.table, first, waiting)
            if row is not None:
                yield row


def _size_of(window: Window, lines: int) -> int:
    """How many bytes some lines take, their ends included."""
    at = window.at
    for _ in range(lines):
        at = window.data.find(b"\n", at) + 1
    return at - window.at


def _whole_rows(window: Window, table: CsvTable, most: int) -> tuple[list[list[str]], int] | None:
    """The next rows and their size in bytes, if each is one line with as many fields as the table is wide."""
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
    rows = (table.quoted and _quoted_rows(text, table, lines)) or _any_rows(text, table, lines)
    if not rows:
        return None
    names = len(table.names)
    if names < table.width:
        if any(any(row[names:]) for row in rows):
            return None
        rows = [row[:names] for row in rows]
    return rows, len(block) + 1


def _quoted_rows(text: str, table: CsvTable, lines: int) -> list[list[str]] | None:
    """The rows of a text in which each field is quoted, as the vendors write it, and contains no quote.

    If the text has no more quotes than that needs, there is nothing else in or between the fields. Splitting the
    text at the quotes is much faster than parsing it.
    """
    if text[:1] != '"' or text[-1:] != '"' or text.count('"') != 2 * table.width * lines:
        return None
    joint = f'"{table.delimiter}"'
    return _fitting([row.split(joint) for row in text[1:-1].split('"\n"')], table.width, lines)


def _any_rows(text: str, table: CsvTable, lines: int) -> list[list[str]] | None:
    """The rows of a text with quoted or unquoted fields."""
    try:
        rows = csv.reader(
            text.split("\n"),
            delimiter=table.delimiter,
            quoting=csv.QUOTE_MINIMAL if table.quoted else csv.QUOTE_NONE,
            skipinitialspace=table.spaced,
            strict=True,
        )
        return _fitting(list(rows), table.width, lines)
    except csv.Error:
        return None


def _fitting(rows: list[list[str]], width: int, lines: int) -> list[list[str]] | None:
    """The rows, if each is one line with as many fields as the table is wide."""
    return rows if len(rows) == lines and set(map(len, rows)) == {width} else None


def _careful_row(window: Window, table: CsvTable, first: Frame, waiting: list[Frame]) -> Frame | None:
    """The row that starts with a line; ``None`` for a blank one. Unused following lines go to `waiting`."""
    lines = [first]
    size = len(first.record)
    odd = table.quoted and first.record.count(b'"') % 2
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
    row = _csv_row(text, first.line, table)
    if row.fault and len(lines) > 1:  # a stray quote has swallowed the following lines
        waiting.extend(reversed(lines[1:]))
        row = Frame(first.record.rstrip(b"\r"), first.line, row.fault)
    return row if text.strip() else None


def _csv_row(text: bytes, line: int, table: CsvTable) -> Frame:
    try:
        fields = split_row(windows_text(text), table)
    except (ValueError, csv.Error) as error:
        escaped = _backslashed(text, table)
        if escaped is None:
            return Frame(text, line, f"not a CSV row: {str(error)[:100]}")
        fields = escaped
    names = len(table.names)
    if len(fields) > names and not any(fields[names:]):  # trailing delimiters, which the header may lack
        table.width = len(fields)
        fields = fields[:names]
    elif len(fields) == names:
        table.width = names
    return Frame(row_object(table.names, fields), line)


def _backslashed(text: bytes, table: CsvTable) -> list[str] | None:
    """The fields of a row whose quotes are escaped with backslashes, as some databases and lakes write them."""
    if b'\\"' not in text:
        return None
    try:
        fields = split_row(windows_text(text), table, backslashes=True)
    except (ValueError, csv.Error):
        return None
    return fields if len(fields) in (len(table.names), table.width) else None


def row_object(header: list[str], fields: list[str]) -> bytes:
    """A row as a JSON object of strings, marked if its fields do not match the header in number."""
    row: dict[str, object] = dict(zip(header, fields, strict=False))
    if len(fields) != len(header):
        row[""] = {"columns": len(fields), "expected": len(header)}
    return msgspec.json.encode(row)
