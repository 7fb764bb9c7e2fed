"""Sorts more than fits into memory: sorted runs in a file, and their merge.

It works in blocks of a few hundred items, encoded, read and sorted at once, so that an item's round trip to disk
costs about as much as encoding and decoding it.
"""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any, Generic, TypeVar

import msgspec

__all__ = ["Key", "RunFile", "SortedRun", "Sorter", "arrange", "blocks_of", "merged"]

T = TypeVar("T")

BLOCK_ITEMS = 512
BLOCK_BYTES = 131_072
"""Approximate maximum size of a block; a merge holds one block of every run."""

Key = Sequence[Callable[[Any], Any]]
"""The sort key: the first function, for equal values the second, and so on; each is more expensive."""


class SortedRun(msgspec.Struct, frozen=True, array_like=True):
    """The position of a sorted run of items in a file."""

    start: int
    end: int


def arrange(items: list[T], key: Key) -> None:
    """Sort a list by a key whose later functions are called only for ties of the earlier ones.

    >>> words = ["pear", "fig", "apple", "kiwi"]
    >>> arrange(words, (len, str.lower)); words
    ['fig', 'kiwi', 'pear', 'apple']
    """
    first = key[0]
    items.sort(key=first)
    if len(key) == 1:
        return
    values = list(map(first, items))
    start = 0
    for at in _equal_to_next(values):
        if at < start:
            continue
        end = at + 2
        while end < len(values) and values[end] == values[at]:
            end += 1
        part = items[at:end]
        arrange(part, key[1:])
        items[at:end] = part
        start = end


def _equal_to_next(values: list[Any]) -> list[int]:
    """The indices whose value equals the next one."""
    following = iter(values)
    next(following, None)
    return [at for at, (one, other) in enumerate(zip(values, following, strict=False)) if one == other]


class RunFile(Generic[T]):
    """Writes sorted runs to a file and reads them back, in this process or another that has the file."""

    def __init__(self, item: Any, key: Key) -> None:
        """`item` is the stored type, for msgspec."""
        self._key = key
        self._encode = msgspec.msgpack.Encoder().encode
        self._decoder: msgspec.msgpack.Decoder[list[T]] = msgspec.msgpack.Decoder(list[item])

    def write(self, items: list[T], file: IO[bytes]) -> SortedRun:
        """Sort items and append them to a file as a run."""
        arrange(items, self._key)
        start = file.tell()
        some = items[:: max(1, len(items) // 64)]
        step = max(1, min(BLOCK_ITEMS, BLOCK_BYTES * len(some) // len(self._encode(some))))
        for at in range(0, len(items), step):
            data = self._encode(items[at : at + step])
            file.write(len(data).to_bytes(4, "big"))
            file.write(data)
        file.flush()
        return SortedRun(start, file.tell())

    def blocks(self, descriptor: int, run: SortedRun) -> Iterator[list[T]]:
        """A run's items, block by block. Neither uses nor moves the file's position."""
        at = run.start
        while at < run.end:
            size = int.from_bytes(os.pread(descriptor, 4, at), "big")
            yield self._decoder.decode(os.pread(descriptor, size, at + 4))
            at += 4 + size

    def merged(self, runs: Iterable[Iterator[list[T]]]) -> Iterator[list[T]]:
        """All items of the sorted runs, in order, in lists of about a block."""
        return merged(runs, self._key)


class Sorter(Generic[T]):
    """Sorts more than fits into memory with a temporary file, which it closes at the end."""

    def __init__(self, item: Any, key: Key) -> None:
        """`item` is the sorted type, for msgspec."""
        self._store = RunFile[T](item, key)
        self._key = key
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when the sorter is
        self._runs: list[SortedRun] = []

    def __enter__(self) -> Sorter[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put_away(self, items: list[T]) -> None:
        """Move items out of memory to disk."""
        self._runs.append(self._store.write(items, self._file))

    def merged(self, items: list[T]) -> Iterator[list[T]]:
        """These items and all stored ones, in order, in lists."""
        arrange(items, self._key)
        if not self._runs:
            yield items
            return
        descriptor = self._file.fileno()
        runs = [self._store.blocks(descriptor, run) for run in self._runs]
        yield from merged([*runs, blocks_of(items)], self._key)


def blocks_of(items: list[T]) -> Iterator[list[T]]:
    """A sorted list as the blocks of a run."""
    return (items[at : at + BLOCK_ITEMS] for at in range(0, len(items), BLOCK_ITEMS))


class _Head(Generic[T]):
    """The part of a run that is read but not yet returned."""

    __slots__ = ("_blocks", "items", "last")

    def __init__(self, blocks: Iterator[list[T]]) -> None:
        self._blocks = blocks
        self.items: list[T] = []
        self.last: Any = None
        """The key of the last item."""

    def more(self, whole: Callable[[T], Any]) -> bool:
        """Load the next block, if there is one."""
        while not self.items:
            block = next(self._blocks, None)
            if block is None:
                return False
            self.items = block
            self.last = whole(block[-1]) if block else None
        return True


def merged(runs: Iterable[Iterator[list[T]]], key: Key) -> Iterator[list[T]]:
    """All items of the sorted runs, each given as its blocks, in order, in lists of about a block.

    It holds one block of each run. In each round it returns the items that are not beyond the end of any held
    block: it cuts the blocks there and joins the sorted pieces with one sort.
    """

    def whole(item: T) -> Any:
        return tuple([part(item) for part in key])

    first = key[0]
    heads = [_Head(blocks) for blocks in runs]
    while heads := [head for head in heads if head.more(whole)]:
        if len(heads) == 1:
            yield heads[0].items
            heads[0].items = []
            continue
        bound = min(head.last for head in heads)
        given: list[T] = []
        for head in heads:
            items = head.items
            if head.last <= bound:
                given += items
                head.items = []
            elif first(items[0]) <= bound[0]:
                cut = bisect_left(items, bound[0], key=first)
                end = bisect_right(items, bound[0], cut, key=first)
                if cut < end:
                    cut = bisect_right(items, bound, cut, end, key=whole)
                given += items[:cut]
                head.items = items[cut:]
        arrange(given, key)
        yield given
