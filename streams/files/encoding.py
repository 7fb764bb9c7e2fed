"""Text in other encodings as UTF-8: UTF-16 and UTF-32 by file, Windows-1252 by line, each by content."""

from __future__ import annotations

import codecs
import re

from streams.files.window import ContentError, Readable

__all__ = ["Transcoded", "utf16_of", "windows_text"]

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PATTERNS = (
    (re.compile(rb"(?:[\t\n\r\x1e -~]\x00){4}"), "utf-16-le"),
    (re.compile(rb"(?:\x00[\t\n\r\x1e -~]){4}"), "utf-16-be"),
    (re.compile(rb"(?:[\t\n\r\x1e -~]\x00\x00\x00){4}"), "utf-32-le"),
    (re.compile(rb"(?:\x00\x00\x00[\t\n\r\x1e -~]){4}"), "utf-32-be"),
)
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


def utf16_of(head: bytes) -> str:
    """The encoding of a file that begins so if it is UTF-16 or UTF-32, by its mark or its NULs; else empty.

    >>> utf16_of("{}".encode("utf-16")), utf16_of("EVENT_TYPE,".encode("utf-16-be")), utf16_of(b"EVENT_TYPE")
    ('utf-16-le', 'utf-16-be', '')
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    return next((name for pattern, name in _PATTERNS if pattern.match(head)), "")


def windows_text(line: bytes) -> bytes:
    """A line in UTF-8: one that is not, but is text in Windows-1252, is transcoded; any other comes back as it is.

    A line that also holds a character of several bytes is damaged UTF-8 and no Windows-1252.

    >>> windows_text(b"Jos\\xe9").decode(), windows_text("José".encode()).decode()
    ('José', 'José')
    >>> windows_text("José".encode() + b"\\xe9")
    b'Jos\\xc3\\xa9\\xe9'
    """
    if line.isascii():
        return line
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return line
    if _MULTIBYTE.search(line) or _CONTROL.search(line):
        return line
    try:
        return line.decode("cp1252").encode("utf-8")
    except UnicodeDecodeError:
        return line


class Transcoded:
    """A file of UTF-16 or UTF-32 as UTF-8; half a pair becomes the replacement character."""

    def __init__(self, head: bytes, file: Readable, encoding: str) -> None:
        """`head` are the bytes that have been read of it."""
        self._head = head
        self._file = file
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def read1(self, size: int, /) -> bytes:
        """Some bytes, and none at the end. Raises `ContentError` if the file ends within a character."""
        while block := self._head or self._file.read1(size // 2):
            self._head = b""
            if text := self._decoder.decode(block):
                return text.encode("utf-8")
        if self._decoder.getstate()[0]:
            raise ContentError(f"the file breaks off within a character of {self._encoding.upper()}")
        return b""
