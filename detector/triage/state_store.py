"""Where every identity and network of a desk stands: those with an open incident at hand, the others in the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from detector.triage import state as one
from detector.triage.state import TriageState

__all__ = ["STATE", "TriageStateStore"]

STATE = b"s"
"""What the keys of stored values begin with."""


class TriageStateStore:
    """Standings by name, encoded in a store that somebody else writes."""

    def __init__(self, store: Mapping[bytes, bytes]) -> None:
        self._store = store
        self._at_hand: dict[str, TriageState] = {}
        self._open: set[str] = set()
        self._dirty: set[str] = set()
        self._gone: set[bytes] = set()

    def __len__(self) -> int:
        """How many are at hand."""
        return len(self._at_hand)

    def __getitem__(self, name: str) -> TriageState:
        """Where somebody stands; whoever changes it says so with `change`. Raises `TriageStateError` for a bad value."""
        found = self._at_hand.get(name)
        if found is None:
            key = STATE + name.encode()
            data = None if key in self._gone else self._store.get(key)
            found = self._at_hand[name] = TriageState() if data is None else one.decode(name, data)
        return found

    def restore(self, key: bytes, data: bytes) -> tuple[str, TriageState]:
        """Take up a stored value: its name, and what it is. Raises `TriageStateError`."""
        name = key[1:].decode("utf-8", "replace")
        found = one.decode(name, data)
        if found.incident is not None:
            self._at_hand[name] = found
        return name, found

    def change(self, name: str) -> None:
        """It is about to be another."""
        self._dirty.add(name)

    def open(self, name: str) -> None:
        """It has an open incident from now on."""
        self._open.add(name)

    def close(self, name: str) -> None:
        """It has none any more."""
        self._open.discard(name)

    def forget(self, name: str) -> None:
        """Keep nothing of one that is at hand and has no open incident."""
        del self._at_hand[name]
        self._dirty.discard(name)
        self._gone.add(STATE + name.encode())

    def opened(self) -> Iterator[tuple[str, TriageState]]:
        """Those with an open incident, by name."""
        for name in sorted(self._open):
            yield name, self[name]

    def changes(self) -> dict[bytes, bytes | None]:
        """The values changed since `saved`, encoded; ``None`` for one that is gone."""
        changed: dict[bytes, bytes | None] = dict.fromkeys(sorted(self._gone))
        for name in sorted(self._dirty):
            changed[STATE + name.encode()] = msgspec.msgpack.encode(self._at_hand[name])
        return changed

    def saved(self) -> None:
        """What `changes` gave is durable."""
        self._at_hand = {name: self._at_hand[name] for name in self._open}  # the store has the others
        self._dirty.clear()
        self._gone.clear()

    @property
    def dirty(self) -> int:
        """How many values have changed since they were saved."""
        return len(self._dirty) + len(self._gone)
