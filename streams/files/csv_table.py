"""Recognises the header of a CSV table, in the dialects that programs write, wherever in a file it stands."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

__all__ = [
    "CsvTable",
    "is_header",
    "is_remark",
    "is_remark_between_rows",
    "may_be_header",
    "separator_of",
    "split_row",
    "table_of",
    "w3c_table",
]

DELIMITERS = ",;\t|"
"""What may separate columns, the usual one first."""
MAX_NAME = 100

_NAME = re.compile(r"[@#$]?[^\W\d][\w .:/()#\[\]@$?%&+*'-]*")
_TIME = re.compile(r"\d{4}|\d:\d\d")
_TIME_BYTES = re.compile(rb"\d{4}|\d:\d\d")
_DIGITS = re.compile(r"\d\d")
_MARK = "\ufeff"
_REMARK = re.compile(rb'(?:\xef\xbb\xbf)?"?(?:sep=[^\r\n]|#.*)?"?\s*', re.IGNORECASE)
_SEP = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=([^\r\n])"?\s*', re.IGNORECASE)
_TYPE = re.compile(rb'(?:\xef\xbb\xbf)?"?#TYPE\s[^,;\t|]*', re.IGNORECASE)
_W3C = re.compile(rb"(?:\xef\xbb\xbf)?#Fields:\s+(.+)", re.IGNORECASE)


class CsvTable(msgspec.Struct):
    """The names of a table's columns, and how its rows are written."""

    names: list[str]
    width: int
    """How many fields a row has: as many as there are names, and the blank ones after trailing delimiters."""
    delimiter: str = ","
    quoted: bool = True
    """Whether quotes enclose fields."""
    spaced: bool = False
    """Whether blanks follow the delimiters."""


def split_row(text: bytes, table: CsvTable, *, backslashes: bool = False) -> list[str]:
    """The fields of one row; raises ValueError (also for bad UTF-8) or `csv.Error`."""
    return _split(text.decode("utf-8"), table.delimiter, table.quoted, table.spaced, backslashes)


def _split(
    text: str, delimiter: str, quoted: bool = True, spaced: bool = False, backslashes: bool = False
) -> list[str]:
    rows = list(
        csv.reader(
            [text],
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            skipinitialspace=spaced,
            doublequote=not backslashes,
            escapechar="\\" if backslashes else None,
            strict=True,
        )
    )
    return rows[0] if rows else []


@lru_cache(maxsize=64)
def table_of(line: bytes, delimiter: str = "") -> CsvTable | None:
    """The table that a header line opens, if it has at least two names; cached: many files share few headers.

    The delimiter that gives most names is the table's, unless one is given. Trailing delimiters count as none.

    >>> table_of(b"Id;Name;").names, table_of(b"Id;Name;").width
    (['Id', 'Name'], 3)
    >>> table_of(b"plain text") is None
    True
    """
    try:
        text = line.decode("utf-8").removeprefix(_MARK).rstrip("\r\n")
    except UnicodeDecodeError:
        return None
    found = [table for sign in delimiter or DELIMITERS if sign in text and (table := _table(text, sign))]
    return max(found, key=lambda table: len(table.names), default=None)


def _table(text: str, delimiter: str) -> CsvTable | None:
    try:
        fields = _split(text, delimiter)
        spaced = (
            delimiter != " " and len(fields) > 1 and all(not field or field[0] == " " for field in fields[1:])
        )
        if spaced:
            fields = _split(text, delimiter, spaced=True)
    except csv.Error:
        return None
    names = _names(fields)
    if names is None:
        return None
    return CsvTable(names, len(fields), delimiter, spaced=spaced)


def _names(fields: Sequence[str]) -> list[str] | None:
    """The names in a header's fields; a nameless first column is numbered, as data frames write their index."""
    names = [field.strip() for field in fields]
    while names and not names[-1]:
        names.pop()
    if len(names) > 2 and not names[0]:
        names[0] = "column_0"
    if len(names) < 2 or not all(len(name) <= MAX_NAME and _NAME.fullmatch(name) for name in names):
        return None
    return None if any(_TIME.search(name) for name in names) else names


def w3c_table(line: bytes, row: bytes = b"") -> CsvTable | None:
    """The table that a ``#Fields:`` line opens, as IIS and other servers of the W3C's extended format write it.

    >>> w3c_table(b"#Fields: date time c-ip").names
    ['date', 'time', 'c-ip']
    """
    found = _W3C.fullmatch(line.rstrip(b"\r\n"))
    if found is None:
        return None
    names = found[1].decode("utf-8", "replace").split()
    return (
        CsvTable(names, len(names), "\t" if b"\t" in row else " ", quoted=False) if len(names) > 1 else None
    )


def separator_of(line: bytes) -> str:
    """The delimiter that a ``sep=;`` line names, or an empty text."""
    found = _SEP.fullmatch(line)
    return found[1].decode("latin-1") if found and found[1].isascii() and not found[1].isalnum() else ""


def is_remark(line: bytes) -> bool:
    """Whether a line may stand before a header: blank, a comment, ``#TYPE …`` of a cmdlet, ``sep=;`` of Excel."""
    return _REMARK.fullmatch(line) is not None


def is_remark_between_rows(line: bytes, table: CsvTable) -> bool:
    """Whether a line among a table's rows belongs to the beginning of a file that follows; a row may start with #.

    >>> table = table_of(b"Id,Name")
    >>> is_remark_between_rows(b"#TYPE Selected.User", table), is_remark_between_rows(b"#1,Mia", table)
    (True, False)
    """
    if line[:1] == b"#" and not table.quoted:
        return True
    return bool(_TYPE.fullmatch(line) or _SEP.fullmatch(line))


def may_be_header(line: bytes) -> bool:
    """Whether a line among the rows is worth a closer look."""
    return _TIME_BYTES.search(line) is None and len(line) < 20_000


def is_header(fields: Sequence[str], table: CsvTable) -> bool:
    """Whether fields among a table's rows are another header.

    They are names, no two alike. Either half of them are the table's own, or there are three without a gap and
    none has two digits together: a record says when it was, and a header does not.
    """
    if any(map(_TIME.search, fields[:3])):
        return False
    names = _names([fields[0].removeprefix(_MARK).strip('"'), *fields[1:]]) if fields else None
    if names is None or len(set(names)) != len(names):
        return False
    if 2 * len(set(names).intersection(table.names)) >= len(names):
        return True
    return len(names) > 2 and len(names) == len(fields) and not any(map(_DIGITS.search, names))
