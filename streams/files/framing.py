"""Where one record ends and the next begins: JSON in whatever layout, CSV with a header, or plain lines.

Memory stays constant. What is broken comes out too, as a `Frame` that will not decode, because a record that
is silently left out is a theft that nobody sees.
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
"""How many bytes of records are taken at once."""
_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some programs put before UTF-8."""


def frames(file: Readable) -> Iterator[Frame]:
    """The records in a file's bytes, whose layout its first character and line tell.

    JSON objects may stand one a line, in an array, or spread over many lines one after another. CSV is told
    by a header of two or more names, and its rows come out as JSON objects of strings; a row that has not its
    header's columns has the key ``""`` with both numbers besides. Anything else is taken line by line.

    A file that breaks off (a truncated archive, a failing disk) ends with an empty record that says so.
    """
    for frame in _framed(file, Pace(0)):
        assert isinstance(frame, Frame)
        yield frame


def batches(file: Readable) -> Iterator[Frame | ObjectLines | CsvRows]:
    """The same records, most of them many at a time: what is laid out as usual is not looked at one by one.

    What is not as usual comes as a `Frame`, and so does the first object. A row of `CsvRows` is the record that
    `row_object` makes of it. Of `ObjectLines` the reader says how many of them, from the first on, are records (each
    is one JSON object); the next is then looked at closely, and comes again if it is one, too.
    """
    return _framed(file, Pace(BATCH_BYTES))


def _framed(file: Readable, pace: Pace) -> Iterator[Frame | ObjectLines | CsvRows]:
    window = Window(file)
    # A pipe may begin with a few bytes, which do not tell the layout.
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
