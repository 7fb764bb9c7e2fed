"""Splits bytes into records: JSON in any layout, CSV with a header, or plain lines.

Memory stays constant. Damaged records come out too, as a `Frame` that does not decode, because a silently skipped
record may hide a theft.
"""

from __future__ import annotations

from collections.abc import Iterator

from streams.files.csv_rows import MAX_ROW_LINES, CsvRows, csv_frames, csv_header, row_object
from streams.files.json_objects import ObjectLines, is_object, json_frames
from streams.files.window import BLOCK_BYTES, MAX_RECORD_BYTES, Frame, Pace, Readable, Window

__all__ = [
    "BLOCK_BYTES",
    "MAX_RECORD_BYTES",
    "MAX_ROW_LINES",
    "CsvRows",
    "Frame",
    "ObjectLines",
    "Readable",
    "batches",
    "frames",
    "is_object",
    "row_object",
]


BATCH_BYTES = 65_536
"""How many bytes of records are read at once."""
_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some programs write before UTF-8."""


def frames(file: Readable) -> Iterator[Frame]:
    """The records in a file's bytes; the first character and line determine the layout.

    JSON objects may be one per line, in an array, or spread over many lines. A header of two or more names marks
    CSV, whose rows come out as JSON objects of strings; a row that does not match the header's columns also has
    the key ``""`` with both numbers. Anything else is split into lines.

    A file that ends early (a truncated archive, a failing disk) ends with an empty record that says so.
    """
    for frame in _framed(file, Pace(0)):
        assert isinstance(frame, Frame)
        yield frame


def batches(file: Readable) -> Iterator[Frame | ObjectLines | CsvRows]:
    """The same records, most of them in groups: regular layout is not parsed record by record.

    Irregular records come as a `Frame`, and so does the first object. A row of `CsvRows` is the record that
    `row_object` makes of it. For `ObjectLines` the reader reports how many lines, from the first on, are records
    (each is one JSON object); the next line is then parsed closely, and comes again if it is a record, too.
    """
    return _framed(file, Pace(BATCH_BYTES))


def _framed(file: Readable, pace: Pace) -> Iterator[Frame | ObjectLines | CsvRows]:
    window = Window(file)
    # A pipe may start with a few bytes, too few to determine the layout.
    while len(window) < len(_MARK) and window.more():
        pass
    if window.data.startswith(_MARK):
        window.skip(len(_MARK))
    while len(window) < BLOCK_BYTES and not window.data[window.at :].strip() and window.more():
        pass
    if window.data[window.at :].lstrip()[:1] in (b"{", b"["):
        yield from json_frames(window, pace)
    else:
        header = csv_header(window)
        yield from csv_frames(window, header, pace) if header else _lines(window)
    if window.fault:
        yield Frame(b"", window.line, window.fault)


def _lines(window: Window) -> Iterator[Frame]:
    while (frame := window.take_line()) is not None:
        record = frame.record.rstrip(b"\r")
        if record.strip():
            yield Frame(record, frame.line)
