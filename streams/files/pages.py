"""The pages of an API's answers: records inside ``{"results": [{…}, {…}]}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from detector.adapters import Adapter
from streams.files.framing import MAX_RECORD_BYTES, Frame

__all__ = ["Pages"]

PAGE_HEAD_BYTES = 1_000
"""A page shows within its first so many bytes that it is one."""
_page_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items_decoder = msgspec.json.Decoder(list[msgspec.Raw])


@lru_cache(maxsize=64)
def _head(keys: tuple[str, ...]) -> re.Pattern[bytes]:
    """The beginning of a page: scalars, then one of these keys with a list of objects."""
    return re.compile(
        rb'\s*+\{(?:\s*+"[\w@.]++"\s*+:\s*+(?:"[^"\\]*+"|[\w.+-]++)\s*+,)*+\s*+"(%b)"\s*+:\s*+\[\s*+\{'
        % (b"|".join(re.escape(key.encode()) for key in keys) or rb"(?!)")
    )


class Pages:
    """Takes the pages of some adapters' APIs apart, by the adapters' `page_keys`."""

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self._head = _head(tuple(sorted({key for adapter in adapters for key in adapter.page_keys})))

    def is_page(self, frame: Frame) -> bool:
        """Whether a record is a page; a file that begins with one holds pages."""
        return self._head.match(frame.record, 0, PAGE_HEAD_BYTES) is not None

    def records(self, frame: Frame) -> Iterator[Frame]:
        """The records in a page; a record that is no page is itself."""
        head = self._head.match(frame.record, 0, PAGE_HEAD_BYTES)
        if head is None or frame.fault or len(frame.record) > MAX_RECORD_BYTES:
            yield frame
            return
        try:
            items = _items_decoder.decode(_page_decoder.decode(frame.record)[head[1].decode()])
        except (msgspec.MsgspecError, RecursionError):
            yield frame
            return
        at = 0
        line = frame.line
        for item in map(bytes, items):
            start = frame.record.find(item, at)
            line += frame.record.count(b"\n", at, start)
            at = start
            yield Frame(item, line)
