"""Splits bytes into records: JSON in any layout, CSV with a header, or plain lines.

Memory stays constant. Damaged records come out too, as a `Frame` that does not decode, because a silently skipped
record may hide a theft.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from streams.files.csv_rows import MAX_ROW_LINES, CsvRows, csv_frames, csv_table, row_object
from streams.files.csv_table import CsvTable
from streams.files.encoding import Transcoded, utf16_of, windows_text
from streams.files.json_objects import ObjectLines, is_object, json_frames, skip_between
from streams.files.pages import NO_PAGES, Pages, paged_frames
from streams.files.window import BLOCK_BYTES, MAX_RECORD_BYTES, ContentError, Frame, Pace, Readable, Window

__all__ = [
    "BLOCK_BYTES",
    "MAX_RECORD_BYTES",
    "MAX_ROW_LINES",
    "CsvRows",
    "CsvTable",
    "Frame",
    "Layout",
    "ObjectLines",
    "Readable",
    "batches",
    "frames",
    "is_object",
    "layout_of",
    "repeats_of",
    "row_object",
    "text_window",
]


BATCH_BYTES = 65_536
"""How many bytes of records are read at once."""
ENCODING_BYTES = 64
MAX_REPEATS = 100
"""A short piece that is no record and is repeated more often is counted instead."""
SHORT_BYTES = 40
_JSON = re.compile(rb"\s*+[{\[\x1e]")
_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some programs write before UTF-8."""


def frames(file: Readable, pages: Pages = NO_PAGES) -> Iterator[Frame]:
    """The records in a file's bytes; the first character and line determine the layout.

    JSON objects may be one per line, in an array, or spread over many lines; a file that begins with one of some
    `pages` gives the records in its pages. A header of two or more names marks CSV, whose rows come out as JSON
    objects of strings; another header opens another table; a row that does not match the header's columns also has
    the key ``""`` with both numbers. Anything else is split into lines. UTF-16 and lines in Windows-1252 come out
    in UTF-8.

    A file that ends early (a truncated archive, a failing disk) ends with an empty record that says so.
    """
    for frame in _framed(file, Pace(0), pages):
        assert isinstance(frame, Frame)
        yield frame


def batches(file: Readable, pages: Pages = NO_PAGES) -> Iterator[Frame | ObjectLines | CsvRows]:
    """The same records, most of them in groups: regular layout is not parsed record by record.

    Irregular records come as a `Frame`, and so does the first object. A row of `CsvRows` is the record that
    `row_object` makes of it. For `ObjectLines` the reader reports how many lines, from the first on, are records
    (each is one JSON object); the next line is then parsed closely, and comes again if it is a record, too.
    """
    return _framed(file, Pace(BATCH_BYTES), pages)


def _framed(file: Readable, pace: Pace, pages: Pages) -> Iterator[Frame | ObjectLines | CsvRows]:
    window = text_window(file)
    last, repeats = Frame(b"", 0), 0
    for frame in _laid_out(window, pace, pages):
        if not isinstance(frame, Frame):
            yield frame
            if isinstance(frame, ObjectLines) and not frame.taken:
                continue  # its first line comes again
            if repeats > MAX_REPEATS:
                yield _repeated(last, repeats)
            last, repeats = Frame(b"", 0), 0
            continue
        record = frame.record
        if record == last.record and _is_short(record):
            repeats += 1
            if repeats > MAX_REPEATS:
                continue
        else:
            if repeats > MAX_REPEATS:
                yield _repeated(last, repeats)
            last, repeats = frame, 0
        if not record.isascii() and len(record) <= MAX_RECORD_BYTES:
            yield Frame(windows_text(record), frame.line, frame.fault)
        else:
            yield frame
    if repeats > MAX_REPEATS:
        yield _repeated(last, repeats)
    if window.fault:
        yield Frame(b"", window.line, window.fault)


def _is_short(record: bytes) -> bool:
    """Whether this is too short for a line of a log, or an object with nothing in it."""
    return len(record) < SHORT_BYTES and (record[:1] != b"{" or len(record) < 5)


def _repeated(first: Frame, repeats: int) -> Frame:
    """Stands for the repetitions that did not come out."""
    return Frame(
        first.record, first.line, f"the same comes {repeats - MAX_REPEATS:,} more times after this line"
    )


class _OldLines:
    """A file whose lines end with carriage returns, with line feeds in their place."""

    def __init__(self, head: bytes, window: Window) -> None:
        self._head = head
        self._window = window

    def read1(self, size: int, /) -> bytes:
        """Some bytes, and none at the end."""
        head, self._head = self._head, b""
        if not head:
            self._window.at = len(self._window.data)
            if not self._window.more():
                if self._window.fault:
                    raise ContentError(self._window.fault)
                return b""
            head = self._window.data
        return head.replace(b"\r", b"\n")


def text_window(file: Readable) -> Window:
    """A window on a file's text in UTF-8, behind its mark and blank lines."""
    window = Window(file)
    # A pipe may start with a few bytes, too few to determine the encoding.
    while len(window) < ENCODING_BYTES and window.more():
        pass
    if encoding := utf16_of(window.data[:ENCODING_BYTES]):
        window = Window(Transcoded(window.data, file, encoding), encoding.upper())
        window.more()
    if b"\r" in window.data and b"\n" not in window.data[:-1]:  # old Macs' line ends, as far as can be seen
        while len(window) < BLOCK_BYTES and b"\n" not in window.data and window.more():
            pass
        if b"\n" not in window.data:
            window = Window(_OldLines(window.data, window), window.encoding)
            window.more()
    if window.data.startswith(_MARK):
        window.skip(len(_MARK))
    while len(window) < BLOCK_BYTES and not window.data[window.at :].strip() and window.more():
        pass
    return window


class Layout(StrEnum):
    """How records lie in a file that is no CSV table."""

    OBJECTS = "JSON objects"
    PAGES = "JSON pages"
    LINES = "lines of text"


def layout_of(window: Window, pages: Pages) -> Layout | CsvTable:
    """How records lie in a file; a table's header is skipped."""
    if _JSON.match(window.data, window.at):
        skip_between(window)
        is_page = window.data[window.at : window.at + 1] == b"{" and pages.is_page(window)
        return Layout.PAGES if is_page else Layout.OBJECTS
    return csv_table(window) or Layout.LINES


def _laid_out(window: Window, pace: Pace, pages: Pages) -> Iterator[Frame | ObjectLines | CsvRows]:
    layout = layout_of(window, pages)
    if isinstance(layout, CsvTable):
        yield from csv_frames(window, layout, pace)
    elif layout is Layout.LINES:
        yield from _lines(window)
    else:
        yield from paged_frames(window, pages) if layout is Layout.PAGES else json_frames(window, pace)


def _lines(window: Window) -> Iterator[Frame]:
    while (frame := window.take_line()) is not None:
        blank = _BLANK.match(window.data, window.at)  # many at once: there may be millions
        if blank is not None:
            window.skip(blank.end() - window.at)
        record = frame.record.rstrip(b"\r")
        if record.strip():
            yield Frame(record, frame.line)


def repeats_of(fault: str) -> int:
    """How many records a frame stands for, by its fault.

    >>> repeats_of(_repeated(Frame(b"x", 1), 1_500).fault), repeats_of("not a CSV row")
    (1400, 1)
    """
    found = _REPEATED.match(fault)
    return int(found[1].replace(",", "")) if found else 1


_BLANK = re.compile(rb"(?:[ \t\r]*+\n)++")
_REPEATED = re.compile(r"the same comes ([\d,]{1,20}) more times")
