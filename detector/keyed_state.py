"""A step's saved state: values of several kinds as bytes by key, in a mapping that the caller keeps.

A key is a prefix, which says the kind, and the value's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec

from detector.errors import CrmwatchError

__all__ = ["Key", "KeyedState", "KeyedStates", "Prefix", "StoredValueError", "apply_changes", "reading"]

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
    >>> state.changes(), state.dirty
    ({b'tb': None, b'ta': b'1'}, 2)
    >>> state.saved()
    >>> state.changes()
    {}
    """

    def __init__(
        self, prefix: bytes, encode: Callable[[T], bytes], restore: Callable[[str, bytes], object]
    ) -> None:
        self.prefix = prefix
        self.restore = restore
        self._encode = encode
        self._changed: dict[str, T] = {}
        self._gone: dict[str, None] = {}

    def change(self, name: str, value: T) -> None:
        """Note that a value is new or about to change; it is encoded when `changes` are asked for."""
        self._changed[name] = value
        if self._gone:
            self._gone.pop(name, None)

    def drop(self, name: str) -> None:
        """Note that a value is gone."""
        self._changed.pop(name, None)
        self._gone[name] = None

    def gone(self, name: str) -> bool:
        """Whether a value that the store may still hold is gone."""
        return name in self._gone

    def changes(self) -> dict[bytes, bytes | None]:
        """What the store lacks: encoded values by key, ``None`` for one that is gone."""
        changes: dict[bytes, bytes | None] = {self.prefix + name.encode(): None for name in self._gone}
        for name, value in self._changed.items():
            changes[self.prefix + name.encode()] = self._encode(value)
        return changes

    def saved(self) -> None:
        """Note that the store holds what `changes` returned."""
        self._changed.clear()
        self._gone.clear()

    @property
    def dirty(self) -> int:
        """How many values have changed or gone since the last save."""
        return len(self._changed) + len(self._gone)


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

    def changes(self) -> dict[bytes, bytes | None]:
        """What the store lacks: encoded values by key, ``None`` for one that is gone."""
        changes: dict[bytes, bytes | None] = {}
        for state in self._states.values():
            changes |= state.changes()
        return changes

    def saved(self) -> None:
        """Note that the store holds what `changes` returned."""
        for state in self._states.values():
            state.saved()

    @property
    def dirty(self) -> int:
        """How many values have changed or gone since the last save."""
        return sum(state.dirty for state in self._states.values())


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
