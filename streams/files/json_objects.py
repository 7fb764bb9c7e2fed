"""Splits JSON in any layout into objects, including damaged ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from streams.files.encoding import windows_text
from streams.files.window import MAX_RECORD_BYTES, USUAL_BYTES, Frame, Pace, Window

__all__ = [
    "ObjectLines",
    "is_object",
    "json_frames",
    "junk_line",
    "skip_between",
    "value_end",
    "whole_object",
]


class ObjectLines(msgspec.Struct):
    """Lines that each look like a JSON object, not yet parsed."""

    records: list[bytes]
    line: int
    """The line of the first object."""
    taken: int = 0
    """How many are complete objects. The reader sets it; the line after them is then parsed closely."""


_BETWEEN = re.compile(rb"(?:[\s,\[\]\x1e]|\xef\xbb\xbf)*+")
_IN_STRING = re.compile(rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+')
_TO_BRACE = re.compile(rb'(?:[^"{}\n]++|"%s")*+' % _IN_STRING.pattern)
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_BRACKETS = (b"{", b"}", b"[", b"]")
_END = b" \t\r,]"
_one_value = msgspec.json.Decoder(msgspec.Raw)


def is_object(line: bytes) -> bool:
    """Whether this is exactly one JSON object."""
    if line[:1] != b"{" or line[-1:] != b"}":
        return False
    try:
        _one_value.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def json_frames(window: Window, pace: Pace) -> Iterator[Frame | ObjectLines]:
    """The objects and the damaged pieces between them; the first object comes alone."""
    pace.wait()
    while skip_between(window):
        if pace.ready() and (found := _object_lines(window, pace.size)):
            records, joint = found
            lines = ObjectLines(records, window.line)
            yield lines
            size = sum(map(len, records[: lines.taken])) + lines.taken * len(joint)
            pace.tried(size, whole=lines.taken == len(records))
            window.at += size
            window.line += lines.taken
            if size:
                continue
        if window.data[window.at] != ord("{"):
            yield junk_line(window)
        else:
            yield from whole_object(window)


def skip_between(window: Window) -> bool:
    """Skip what may stand between objects; returns whether anything follows."""
    while True:
        between = _BETWEEN.match(window.data, window.at)
        window.skip(between.end() - window.at if between else 0)
        if len(window):
            return True
        if not window.more():
            return False


_STRING = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_text_decoder = msgspec.json.Decoder(str)


def junk_line(window: Window) -> Frame:
    """The next line, where no object starts; an object that is written as a string is that object."""
    if window.data[window.at] == ord('"'):
        while (string := _STRING.match(window.data, window.at)) is None and len(window) <= MAX_RECORD_BYTES:
            if not window.more():
                break
        text = _object_text(string[0]) if string else b""
        if string and text:
            frame = Frame(text, window.line)
            window.skip(string.end() - window.at)
            return frame
    junk = window.take_line() or Frame(b"", window.line)
    return Frame(junk.record.rstrip(b"\r"), junk.line)


def _object_text(string: bytes) -> bytes:
    """The text of a JSON string that holds an object, else nothing."""
    try:
        text = _text_decoder.decode(windows_text(string)).strip().encode("utf-8")
    except (msgspec.MsgspecError, UnicodeError):
        return b""
    return text if is_object(text) else b""


def value_end(data: bytes, at: int, limit: int) -> int:
    """Where the object or list that starts here ends, or 0 if that is not before the limit."""
    depth = 0
    while found := _TO_BRACKET.match(data, at, limit):
        at = found.end()
        sign = data[at : at + 1]
        if at >= limit or sign not in _BRACKETS:
            return 0
        depth += 1 if sign in b"[{" else -1
        at += 1
        if depth == 0:
            return at
    return 0


def _object_lines(window: Window, size: int) -> tuple[list[bytes], bytes] | None:
    """Lines of about `size` bytes that may be one object each, and their separator; ``None`` otherwise."""
    data, at = window.data, window.at
    end = data.find(b"\n", at, at + USUAL_BYTES)
    if end < 0 or data[at] != ord("{"):
        return None
    before = data[max(at, end - 2) : end]
    comma = b"," if before.rstrip(b"\r")[-1:] == b"," else b""
    joint = comma + (b"\r\n" if before[-1:] == b"\r" else b"\n")
    last = data.rfind(joint, at, max(at + size, end + 1))
    if last < 0:
        return None
    block = data[at:last]
    records = block.split(joint)
    # A blank line in between would shift the line numbers.
    return (records, joint) if len(joint) == 1 or block.count(b"\n") == len(records) - 1 else None


def whole_object(window: Window) -> Iterator[Frame]:
    """The object that starts here, or the pieces of a damaged one."""
    # One record per line is the usual layout; msgspec recognises it faster than a search for braces.
    end = window.data.find(b"\n", window.at, window.at + USUAL_BYTES)
    line = window.data[window.at : end].rstrip(_END) if end >= 0 else b""
    if is_object(line):
        yield window.take(len(line))
    else:
        yield from _object(window)


def _object(window: Window) -> Iterator[Frame]:
    """The object that starts here, or the pieces of a damaged one."""
    done = 0  # how much of it has been scanned
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
            if _record_follows(window, done):  # the previous object was never closed
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


def _record_follows(window: Window, done: int) -> bool:
    """Whether the next line is a complete record from its first column on, unlike pretty-printed JSON."""
    start = done + 1
    while len(window) <= start and window.more():
        pass
    if window.data[window.at + start : window.at + start + 1] != b"{":
        return False
    while (end := window.data.find(b"\n", window.at + start)) < 0:
        if len(window) - start > MAX_RECORD_BYTES or not window.more():
            break
    line = window.data[window.at + start : end if end >= 0 else len(window.data)].rstrip(_END)
    return len(line) > 2 and is_object(line)


def _string_cut(window: Window, done: int) -> int:
    """Where the end of the line cuts off the string that starts here; 0 if it is not in view."""
    found = _IN_STRING.match(window.data, window.at + done + 1)
    end = found.end() if found else len(window.data)
    if window.data[end : end + 1] == b"\\":
        end += 1
    return end - window.at if window.data[end : end + 1] == b"\n" else 0


def _pieces(window: Window, size: int) -> Iterator[Frame]:
    """The pieces of a damaged stretch, if each line that starts with a brace starts a record."""
    while (end := window.data.find(b"\n{", window.at, window.at + size)) >= 0:
        length = end + 1 - window.at
        piece = window.take(length)
        yield Frame(piece.record.rstrip(), piece.line)
        size -= length
    if size:
        piece = window.take(size)
        yield Frame(piece.record.rstrip(), piece.line)


def _too_long(window: Window, done: int, depth: int) -> Iterator[Frame]:
    last = window.data.rfind(b"\n{", window.at, window.at + done)
    if last >= 0:  # an unclosed object has swallowed others
        yield from _pieces(window, last + 1 - window.at)
        return
    yield Frame(window.data[window.at : window.at + MAX_RECORD_BYTES + 1], window.line)
    window.skip(done)
    _discard(window, depth)


def _discard(window: Window, depth: int) -> None:
    """Skip the rest of an object, up to its closing brace or to a line that is a complete record."""
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
