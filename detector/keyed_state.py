"""A step's saved state: values of several kinds as bytes by key, in a mapping that the caller keeps.

A key is a prefix, which says the kind, and the value's name. A save may hold 100,000 values, so it is made and noted in
slices, each the work of a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec

from detector.errors import CrmwatchError

__all__ = [
    "SLICE_BYTES",
    "SLICE_VALUES",
    "Changes",
    "Key",
    "KeyedState",
    "KeyedStates",
    "Prefix",
    "StoredValueError",
    "apply_changes",
    "reading",
    "slices",
]

Changes = dict[bytes, bytes | None]
"""Encoded values by key, ``None`` for one that is gone."""
SLICE_VALUES = 500
SLICE_BYTES = 1 << 18
"""A slice of changes ends with so many values, or with the value that makes it this large."""
SHOWN_KEY = 200
"""How many characters of a key are shown."""


class StoredValueError(CrmwatchError, ValueError):
    """A stored value that cannot be read."""

    def __init__(self, key: bytes, reason: str) -> None:
        self.key = key.decode("utf-8", "replace")[:SHOWN_KEY]
        """The key, for a person."""
        self.reason = reason
        super().__init__(f"{self.key}: {reason}")


@contextmanager
def reading(key: bytes) -> Iterator[None]:
    """Name the key whose value cannot be read within the block. Raises `StoredValueError`."""
    try:
        yield
    except (msgspec.DecodeError, ValueError) as error:
        raise StoredValueError(key, str(error)) from error


class Prefix(bytes, Enum):
    """What the key of each kind of value in triage's store begins with."""

    CELL = b"d"
    """A day's figures of one cell of a population: ``day|length of tenant|tenant|cell`` (`detector.fleet.cell`)."""
    FOREST = b"f"
    """What is learned of the mixtures of one group of peers: ``tenant|peers`` (`detector.fleet.mixture`)."""
    NETWORK = b"o"
    """A network and who has newly turned up on it: ``tenant|network`` (`detector.fleet.origin`)."""
    NEWCOMER = b"p"
    """An identity that waits for the end of a tick: ``end|tenant|network|actor`` (`detector.triage.networks`)."""
    STATE = b"s"
    """An identity's, network's or source's open incident and open days: its name (`detector.triage.state`)."""
    TENANT = b"t"
    """A tenant's volume and the health of its sources: ``tenant`` (`detector.fleet.tenant`)."""
    VECTOR = b"v"
    """A day that waits to be learned: ``day|tenant|peers``, ``\\x1f``, ``actor`` (`detector.fleet.mixture`)."""
    TALLY = b"y"
    """What a tenant did in a tick that is still open: ``end|tenant`` (`detector.signal.Tally`)."""


class Key(bytes, Enum):
    """The keys in the detect step's store that are no identity's; the profile of each identity is under its name."""

    TALLIES = b"\x00tallies"
    """What the shard has counted in ticks that are still open."""
    WATERMARKS = b"\x00watermarks"
    """How far each input partition is."""
    STATE_SET = b"\x00plugins"
    """The detectors and plug-ins that the profiles were written with."""


T = TypeVar("T")


class KeyedState(Generic[T]):
    """Which values of one kind have changed, or gone, since the last save.

    The values themselves stay with their owner, who reports each change, and whose `restore` takes a saved value up
    by its name.

    >>> texts: dict[str, str] = {}
    >>> state = KeyedState(Prefix.TENANT, str.encode, lambda name, data: texts.update({name: data.decode()}))
    >>> state.change("a", "1")
    >>> state.drop("b")
    >>> (changes,) = state.changes()
    >>> changes, state.dirty
    ({b'tb': None, b'ta': b'1'}, 2)
    >>> state.saved(changes)
    >>> list(state.changes())
    []
    """

    def __init__(
        self, prefix: bytes, encode: Callable[[T], bytes], restore: Callable[[str, bytes], object]
    ) -> None:
        self.prefix = prefix
        self.restore = restore
        self._encode = encode
        self._changed: dict[str, T] = {}
        self._packed: dict[str, bytes] = {}
        self._gone: dict[str, None] = {}

    def change(self, name: str, value: T) -> None:
        """Note that a value is new or about to change; it is encoded when `changes` are asked for."""
        self._changed[name] = value
        if self._packed:
            self._packed.pop(name, None)
        if self._gone:
            self._gone.pop(name, None)

    def pack(self, name: str) -> None:
        """Encode a value that has changed, if it has: its owner gives it up and takes it from `packed` again."""
        value = self._changed.pop(name, None)
        if value is not None:
            self._packed[name] = self._encode(value)

    def packed(self, name: str) -> bytes | None:
        """A value that `pack` has encoded, if the store does not hold it yet."""
        return self._packed.get(name)

    def drop(self, name: str) -> None:
        """Note that a value is gone."""
        self._changed.pop(name, None)
        self._packed.pop(name, None)
        self._gone[name] = None

    def __contains__(self, name: str) -> bool:
        """Whether a value has changed since the last save, and not gone."""
        return name in self._changed or name in self._packed

    def gone(self, name: str) -> bool:
        """Whether a value that the store may still hold is gone."""
        return name in self._gone

    def changes(self) -> Iterator[Changes]:
        """What the store lacks, in slices; nothing may change until all have been taken."""
        return slices((self.prefix + name.encode(), value) for name, value in self._unsaved())

    def saved(self, keys: Iterable[bytes]) -> None:
        """Note that the store holds what `changes` said of these keys, a slice's or all."""
        start = len(self.prefix)
        for key in keys:
            name = key[start:].decode()
            self._changed.pop(name, None)
            self._packed.pop(name, None)
            self._gone.pop(name, None)

    @property
    def dirty(self) -> int:
        """How many values have changed or gone since the last save."""
        return len(self._changed) + len(self._packed) + len(self._gone)

    def _unsaved(self) -> Iterator[tuple[str, bytes | None]]:
        for name in list(self._gone):
            yield name, None
        for name in list(self._packed):
            yield name, self._packed[name]
        for name in list(self._changed):
            yield name, self._encode(self._changed[name])


class KeyedStates:
    """Several kinds of values in one store, each under a prefix of one byte."""

    def __init__(self, *states: KeyedState[Any]) -> None:
        self._states = {state.prefix: state for state in states}

    def restore(self, key: bytes, data: bytes) -> None:
        """Hand a saved value to its owner.

        Raises `ValueError` for a key of no kind, and what the owner raises for a value that it cannot read.
        """
        state = self._states.get(key[:1])
        if state is None:
            raise ValueError("a key of no known kind")
        state.restore(key[1:].decode("utf-8", "replace"), data)

    def changes(self) -> Iterator[Changes]:
        """What the store lacks, in slices; nothing may change until all have been taken."""
        for state in self._states.values():
            yield from state.changes()

    def saved(self, keys: Iterable[bytes]) -> None:
        """Note that the store holds what `changes` said of these keys, a slice's or all."""
        for key in keys:
            self._states[key[:1]].saved((key,))

    @property
    def dirty(self) -> int:
        """How many values have changed or gone since the last save."""
        return sum(state.dirty for state in self._states.values())


def slices(values: Iterable[tuple[bytes, bytes | None]]) -> Iterator[Changes]:
    """Values by key, so many at a time that any work on them is short."""
    part: Changes = {}
    size = 0
    for key, value in values:
        part[key] = value
        size += len(value or b"")
        if len(part) >= SLICE_VALUES or size >= SLICE_BYTES:
            yield part
            part, size = {}, 0
    if part:
        yield part


def apply_changes(store: MutableMapping[bytes, bytes], changes: Mapping[bytes, bytes | None]) -> None:
    """Enter changes that are durable; ``None`` takes a key out.

    >>> store = {b"a": b"1", b"b": b"2"}
    >>> apply_changes(store, {b"a": None, b"c": b"3"})
    >>> store
    {b'b': b'2', b'c': b'3'}
    """
    for key, value in changes.items():
        if value is None:
            store.pop(key, None)
        else:
            store[key] = value
