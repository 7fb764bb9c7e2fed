"""The pages of an API's answers: records inside ``{"results": [{…}, {…}]}``, at whatever depth an API puts them."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import msgspec

from detector.adapters import ADAPTERS, Adapter
from streams.files.encoding import windows_text
from streams.files.json_objects import junk_line, skip_between, value_end, whole_object
from streams.files.window import MAX_RECORD_BYTES, Frame, Window

__all__ = ["NO_PAGES", "PAGE_HEAD_BYTES", "Pages", "paged_frames"]

PAGE_HEAD_BYTES = 65_536
"""A page shows within so many bytes that it is one, and has no more between and after its lists of records."""
MAX_DEPTH = 6
_USUAL_KEYS = ("hits", "logEvents")
_BUILT_IN_KEYS = (
    "data",
    "result",
    "items",
    "Events",
    "entries",
    "documents",
    "docs",
    "logs",
    "messages",
    "rows",
)
"""Further lists of records; not where an operator's own mapping may describe a record with such a list."""
_ENVELOPES = frozenset(
    ("result", "data", "response", "hits", "body", "d", "tables", "Tables", "_embedded", "return")
)
"""Keys of what an API puts around the list."""
_COLUMNS = ("columns", "Columns", "fields", "schema")
_ROWS = ("rows", "Rows")

_TOKEN = re.compile(rb'[\s:,]*+(?:([{}\[\]])|"((?:[^"\\]++|\\.)*+)"|([^\s{}\[\],:"]++))', re.DOTALL)
_COLON = re.compile(rb"\s*+:")
_FIRST = re.compile(rb"\s*+(.?)", re.DOTALL)


class _Level(NamedTuple):
    """An object or a list that the walk is in."""

    is_list: bool
    opened: bool
    """Whether a list of records may be in it: everything around it belongs to a page."""
    key: str


class _List(NamedTuple):
    """Where a list of records begins, behind its bracket."""

    at: int
    columns: tuple[str, ...] = ()
    """The names of its rows' values, for a list of lists."""


class Pages:
    """Finds the lists of records in pages, by the adapters' `page_keys` and by what APIs usually put around them."""

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        own = [adapter for adapter in adapters if ADAPTERS.get(adapter.name) is not adapter]
        keys = {key for adapter in adapters for key in adapter.page_keys}
        if keys:
            keys.update(_USUAL_KEYS)
            if not own:
                keys.update(_BUILT_IN_KEYS)
        self._own = own
        self._keys = frozenset(keys)

    def is_page(self, window: Window) -> bool:
        """Whether the object with which a window starts is a page; a file that begins with one holds pages."""
        _fill(window)
        data, at = window.data, window.at
        found = _Walk(self._keys).step(data, at) if self._keys else None
        return isinstance(found, _List) and not self._describes(data, at, found.at)

    def _describes(self, data: bytes, at: int, first_at: int) -> bool:
        """Whether an operator's own adapter knows the object at a place, but not what is in its list."""
        end = value_end(data, at, at + PAGE_HEAD_BYTES) if self._own else 0
        first = data[first_at : value_end(data, first_at, at + PAGE_HEAD_BYTES)].strip()
        return bool(end) and any(
            adapter.recognises(data[at:end]) and not adapter.recognises(first) for adapter in self._own
        )

    def records(self, window: Window) -> Iterator[Frame]:
        """The records in the object with which a window starts; an object that is no page is a record itself."""
        _fill(window)
        walk = _Walk(self._keys)
        found = walk.step(window.data, window.at)
        if not isinstance(found, _List):
            if found is None or not walk.had_empty:
                yield from whole_object(window)
            else:
                window.skip(found - window.at)
            return
        while isinstance(found, _List):
            window.skip(found.at - window.at)
            if not (yield from _elements(window, found.columns)):
                return
            _fill(window)
            found = walk.step(window.data, window.at)
        if found is None:
            yield Frame(b"", window.line, "the page breaks off, or has more than its records behind them")
            window.skip(min(len(window), PAGE_HEAD_BYTES))
            return
        window.skip(found - window.at)


NO_PAGES = Pages(())


def _fill(window: Window) -> None:
    while len(window) < PAGE_HEAD_BYTES and window.more():
        pass


class _Walk:
    """Walks through a page from bracket to bracket, and stops behind the one that opens a list of records."""

    def __init__(self, keys: frozenset[str]) -> None:
        self._keys = keys
        self._levels: list[_Level] = []
        self._key = ""
        self._columns: tuple[str, ...] = ()
        self.had_empty = False
        """Whether there was an empty list where the records would be."""

    def step(self, data: bytes, at: int) -> _List | int | None:
        """The next list, the end of the object, or ``None`` if neither is in view."""
        end = at + PAGE_HEAD_BYTES
        while found := _TOKEN.match(data, at, end):
            at = found.end()
            bracket, text = found[1], found[2]
            if bracket in (b"{", b"["):
                listed = self._enter(bracket == b"[", data, at)
                if listed is not None:
                    return listed
            elif bracket:
                if not self._levels:
                    return None
                self._levels.pop()
                if not self._levels:
                    return at
            elif text is not None and _COLON.match(data, at):
                self._key = text.decode("utf-8", "replace")
        return None

    def _enter(self, is_list: bool, data: bytes, at: int) -> _List | None:
        key, above = self._key, self._levels[-1] if self._levels else None
        self._key = ""
        opened = above is None or (
            above.opened and len(self._levels) < MAX_DEPTH and (above.is_list or key in _ENVELOPES)
        )
        self._levels.append(_Level(is_list, opened, key))
        if not is_list or above is None or above.is_list or not above.opened:
            return None
        found = _FIRST.match(data, at)
        first = found[1] if found else b""
        if key in _COLUMNS:
            self._columns = _names(data, at - 1)
        elif key in _ROWS and self._columns and first == b"[":
            return _List(at, self._columns)
        elif key in self._keys:
            if first == b"{":
                return _List(at)
            self.had_empty |= first == b"]"
        return None


class _Column(msgspec.Struct):
    name: str = ""
    ColumnName: str = ""


_column_decoder = msgspec.json.Decoder(list[_Column | str])


def _names(data: bytes, at: int) -> tuple[str, ...]:
    """The names in the list of columns that starts here."""
    end = value_end(data, at, at + PAGE_HEAD_BYTES)
    try:
        columns = _column_decoder.decode(windows_text(data[at:end]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
    return tuple(
        column if isinstance(column, str) else column.name or column.ColumnName for column in columns
    )


def paged_frames(window: Window, pages: Pages) -> Iterator[Frame]:
    """The records in a file of pages, and the damaged pieces between them."""
    while skip_between(window):
        if window.data[window.at] == ord("{"):
            yield from pages.records(window)
        else:
            yield junk_line(window)


_BETWEEN = re.compile(rb"[\s,]*+")


def _elements(window: Window, columns: tuple[str, ...]) -> Generator[Frame, None, bool]:
    """The elements of a list up to its end; returns whether it ended as a list does."""
    while True:
        between = _BETWEEN.match(window.data, window.at)
        window.skip(between.end() - window.at if between else 0)
        if not len(window):
            if not window.more():
                yield Frame(b"", window.line, "the page breaks off within its list of records")
                return False
            continue
        sign = window.data[window.at : window.at + 1]
        if sign == b"]":
            return True
        if sign == b"{" and not columns:
            yield from whole_object(window)
        elif sign == b"[" and columns:
            yield _row(window, columns)
        else:
            junk = junk_line(window)
            yield Frame(junk.record, junk.line, "it is no record of the page's list")
            return False


_row_decoder = msgspec.json.Decoder(list[object])


def _row(window: Window, columns: tuple[str, ...]) -> Frame:
    """A row as an object of its columns' names."""
    line = window.line
    while (end := value_end(window.data, window.at, len(window.data))) == 0:
        if len(window) > MAX_RECORD_BYTES or not window.more():
            end = len(window.data)
            break
    record = window.data[window.at : end]
    window.skip(end - window.at)
    if len(record) > MAX_RECORD_BYTES:
        return Frame(record[: MAX_RECORD_BYTES + 1], line)
    try:
        values = _row_decoder.decode(windows_text(record))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Frame(record, line, "it is no row of the page's table")
    if len(values) != len(columns):
        return Frame(record, line, f"it has {len(values)} values for {len(columns)} columns")
    row = {name: value for name, value in zip(columns, values, strict=True) if value is not None}
    return Frame(msgspec.json.encode(row), line)
