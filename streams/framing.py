"""Where one record ends and the next begins: JSON in whatever layout, CSV with a header, or plain lines.

Memory stays constant. What is broken comes out too, as a `Frame` that will not decode, because a record that
is silently left out is a theft that nobody sees.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Protocol

import msgspec

__all__ = ["MAX_RECORD_BYTES", "Frame", "Readable", "frames"]

MAX_RECORD_BYTES = 1_000_000
"""A longer record is cut to one byte more than this, by which it can be told."""
MAX_ROW_LINES = 100
"""A CSV row spans at most this many lines; a quote that is open for longer was never closed."""
BLOCK_BYTES = 262_144
_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some programs put before UTF-8."""
USUAL_BYTES = 16_384
"""How far a line's end is looked for: an array without any must not be searched for every record."""


class Readable(Protocol):
    """An open file; read piece by piece, so that what lies before a damage is not lost with it."""

    def read1(self, size: int, /) -> bytes:
        """At most that many bytes, and none at the end."""
        ...


class Frame(msgspec.Struct, frozen=True):
    """A record within a file."""

    record: bytes
    line: int
    """The line, from 1, on which it begins."""
    fault: str = ""
    """What is already known to be wrong with it; empty for nothing."""


def frames(file: Readable) -> Iterator[Frame]:
    """The records in a file's bytes, whose layout its first character and line tell.

    JSON objects may stand one a line, in an array, or spread over many lines one after another. CSV is told
    by a header of two or more names, and its rows come out as JSON objects of strings; a row that has not its
    header's columns has the key ``""`` with both numbers besides. Anything else is taken line by line.

    A file that breaks off (a truncated archive, a failing disk) ends with an empty record that says so.
    """
    window = _Window(file)
    # A pipe may begin with a few bytes, which do not tell the layout.
    while len(window) < len(_MARK) and window.more():
        pass
    if window.data.startswith(_MARK):
        window.skip(len(_MARK))
    while len(window) < BLOCK_BYTES and not window.data[window.at :].strip() and window.more():
        pass
    if window.data[window.at :].lstrip()[:1] in (b"{", b"["):
        yield from _json(window)
    else:
        header = _header(window)
        yield from _csv(window, header) if header else _lines(window)
    if window.fault:
        yield Frame(b"", window.line, window.fault)


class _Window:
    """The part of a file that is being looked at; `at` is its beginning in `data`, on line `line`."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._ended = False
        self.data = b""
        self.at = 0
        self.line = 1
        self.fault = ""

    def __len__(self) -> int:
        return len(self.data) - self.at

    def more(self) -> bool:
        """Whether another block could be added; what lies before `at` is forgotten."""
        if self._ended:
            return False
        block = b""
        try:
            block = self._file.read1(BLOCK_BYTES)
        except Exception as error:  # noqa: BLE001 - decompressors' errors have no class in common
            self.fault = f"the file breaks off: {type(error).__name__}: {str(error)[:100]}"
        self._ended = not block
        self.data = self.data[self.at :] + block
        self.at = 0
        return not self._ended

    def skip(self, size: int) -> None:
        """Move the beginning on."""
        self.line += self.data.count(b"\n", self.at, self.at + size)
        self.at += size

    def take(self, size: int) -> Frame:
        """The next `size` bytes as a record, cut if it is too long."""
        record = self.data[self.at : self.at + min(size, MAX_RECORD_BYTES + 1)]
        frame = Frame(record, self.line)
        self.skip(size)
        return frame

    def take_line(self) -> Frame | None:
        """The next line without its end, cut if it is too long; ``None`` at the end."""
        searched = 0
        while (end := self.data.find(b"\n", self.at + searched)) < 0:
            searched = len(self)
            if searched > MAX_RECORD_BYTES:
                frame = self.take(searched)
                while (end := self.data.find(b"\n", self.at)) < 0:
                    self.skip(len(self))
                    if not self.more():
                        return frame
                self.skip(end + 1 - self.at)
                return frame
            if not self.more():
                return self.take(searched) if searched else None
        frame = self.take(end - self.at)
        self.skip(1)
        return frame


def _lines(window: _Window) -> Iterator[Frame]:
    while (frame := window.take_line()) is not None:
        record = frame.record.rstrip(b"\r")
        if record.strip():
            yield Frame(record, frame.line)


# --- JSON

_BETWEEN = re.compile(rb"[\s,\[\]]*+")
_IN_STRING = re.compile(rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+')
_TO_BRACE = re.compile(rb'(?:[^"{}\n]++|"%s")*+' % _IN_STRING.pattern)
_END = b" \t\r,]"
_one_value = msgspec.json.Decoder(msgspec.Raw)


def _is_object(line: bytes) -> bool:
    """Whether this is exactly one JSON object."""
    if line[:1] != b"{" or line[-1:] != b"}":
        return False
    try:
        _one_value.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _json(window: _Window) -> Iterator[Frame]:
    while True:
        between = _BETWEEN.match(window.data, window.at)
        window.skip(between.end() - window.at if between else 0)
        if not len(window):
            if not window.more():
                return
        elif window.data[window.at] != ord("{"):
            junk = window.take_line()
            if junk is not None:
                yield Frame(junk.record.rstrip(b"\r"), junk.line)
        else:
            # A record a line is the usual layout; msgspec tells it faster than looking for braces.
            end = window.data.find(b"\n", window.at, window.at + USUAL_BYTES)
            line = window.data[window.at : end].rstrip(_END) if end >= 0 else b""
            if _is_object(line):
                yield window.take(len(line))
            else:
                yield from _object(window)


def _object(window: _Window) -> Iterator[Frame]:
    """The object that begins here, or the pieces of a broken one."""
    done = 0  # how much of it has been looked at
    depth = 0
    while True:
        found = _TO_BRACE.match(window.data, window.at + done)
        done = (found.end() if found else window.at + done) - window.at
        stop = window.data[window.at + done : window.at + done + 1]
        if stop == b"{":
            depth += 1
            done += 1
            continue
        if stop == b"}":
            depth -= 1
            done += 1
            if depth == 0:
                yield window.take(done)
                return
            continue
        if stop == b"\n":
            if _record_follows(window, done):  # the object before it was never closed
                yield window.take(done)
                return
            done += 1
            continue
        if stop == b'"' and (cut := _string_cut(window, done)):
            yield window.take(cut)
            return
        if len(window) > MAX_RECORD_BYTES:
            yield from _too_long(window, done, depth)
            return
        if not window.more():
            yield from _pieces(window, len(window))
            return


def _record_follows(window: _Window, done: int) -> bool:
    """Whether the next line is a whole record from its first column on, as no pretty-printer puts one."""
    start = done + 1
    while len(window) <= start and window.more():
        pass
    if window.data[window.at + start : window.at + start + 1] != b"{":
        return False
    while (end := window.data.find(b"\n", window.at + start)) < 0:
        if len(window) - start > MAX_RECORD_BYTES or not window.more():
            break
    line = window.data[window.at + start : end if end >= 0 else len(window.data)].rstrip(_END)
    return len(line) > 2 and _is_object(line)


def _string_cut(window: _Window, done: int) -> int:
    """Where the string that begins here is cut off by the end of its line; 0 if that is not in sight."""
    found = _IN_STRING.match(window.data, window.at + done + 1)
    end = found.end() if found else len(window.data)
    if window.data[end : end + 1] == b"\\":
        end += 1
    return end - window.at if window.data[end : end + 1] == b"\n" else 0


def _pieces(window: _Window, size: int) -> Iterator[Frame]:
    """What a broken stretch falls into, if each line that begins with a brace begins a record."""
    while (end := window.data.find(b"\n{", window.at, window.at + size)) >= 0:
        length = end + 1 - window.at
        piece = window.take(length)
        yield Frame(piece.record.rstrip(), piece.line)
        size -= length
    if size:
        piece = window.take(size)
        yield Frame(piece.record.rstrip(), piece.line)


def _too_long(window: _Window, done: int, depth: int) -> Iterator[Frame]:
    last = window.data.rfind(b"\n{", window.at, window.at + done)
    if last >= 0:  # an object that was never closed has swallowed others
        yield from _pieces(window, last + 1 - window.at)
        return
    yield Frame(window.data[window.at : window.at + MAX_RECORD_BYTES + 1], window.line)
    window.skip(done)
    _discard(window, depth)


def _discard(window: _Window, depth: int) -> None:
    """Pass over what is left of an object, up to its closing brace or to a line that is a whole record."""
    in_string = False
    while True:
        found = (_IN_STRING if in_string else _TO_BRACE).match(window.data, window.at)
        window.skip(found.end() - window.at if found else 0)
        stop = window.data[window.at : window.at + 1]
        if not stop or (stop == b"\\" and len(window) == 1):
            if not window.more():
                return
            continue
        if in_string and stop == b"\n":
            in_string = False
            continue
        if not in_string and stop == b"\n" and _record_follows(window, 0):
            return
        window.skip(1)
        if stop == b'"':
            in_string = not in_string
        elif not in_string and stop in b"{}":
            depth += 1 if stop == b"{" else -1
            if depth == 0:
                return


# --- CSV

_NAME = re.compile(r"[A-Za-z_][\w .:/()#-]*")


def _row(text: bytes) -> list[str]:
    """The fields of one CSV row; raises ValueError (also for bad UTF-8) or `csv.Error`."""
    rows = list(csv.reader([text.decode("utf-8")], strict=True))
    return rows[0] if rows else []


def _header(window: _Window) -> list[str] | None:
    """The names in the first line, if it is a CSV header of at least two; it is passed over then."""
    while (end := window.data.find(b"\n", window.at)) < 0 and len(window) < BLOCK_BYTES and window.more():
        pass
    line = window.data[window.at : end if end >= 0 else len(window.data)].rstrip(b"\r")
    try:
        names = _row(line)
    except (ValueError, csv.Error):
        return None
    if len(names) < 2 or not all(_NAME.fullmatch(name) for name in names):
        return None
    window.take_line()
    return names


def _csv(window: _Window, header: list[str]) -> Iterator[Frame]:
    waiting: list[Frame] = []  # lines to be looked at again, the next one last
    while (first := waiting.pop() if waiting else window.take_line()) is not None:
        lines = [first]
        size = len(first.record)
        odd = first.record.count(b'"') % 2
        # Inside a quoted field a line may end: the row goes on until its quotes are even in number.
        while odd and size <= MAX_RECORD_BYTES and len(lines) < MAX_ROW_LINES:
            line = waiting.pop() if waiting else window.take_line()
            if line is None:
                break
            lines.append(line)
            size += len(line.record)
            odd = (odd + line.record.count(b'"')) % 2
        if size > MAX_RECORD_BYTES and len(lines) == 1:
            yield first
        elif odd:
            waiting.extend(reversed(lines[1:]))
            yield Frame(first.record, first.line, "a quote is never closed")
        else:
            text = b"\n".join(line.record for line in lines).rstrip(b"\r")
            row = _csv_row(text, first.line, header)
            if row.fault and len(lines) > 1:  # a stray quote has drawn in the lines after it
                waiting.extend(reversed(lines[1:]))
                row = Frame(first.record.rstrip(b"\r"), first.line, row.fault)
            if text.strip():
                yield row


def _csv_row(text: bytes, line: int, header: list[str]) -> Frame:
    try:
        fields = _row(text)
    except (ValueError, csv.Error) as error:
        return Frame(text, line, f"not a CSV row: {str(error)[:100]}")
    row: dict[str, object] = dict(zip(header, fields, strict=False))
    if len(fields) != len(header):
        row[""] = {"columns": len(fields), "expected": len(header)}
    return Frame(msgspec.json.encode(row), line)
