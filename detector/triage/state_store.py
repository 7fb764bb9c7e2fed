"""The triage state of each identity and network: those with an open incident at hand, the others in the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from detector.keyed_state import KeyedState, Prefix
from detector.name_order import in_order
from detector.triage import state as states
from detector.triage.state import TriageState

__all__ = ["TriageStateStore"]


class TriageStateStore:
    """Triage states by name, encoded in a store that the caller writes."""

    def __init__(self, store: Mapping[bytes, bytes]) -> None:
        self._store = store
        self._at_hand: dict[str, TriageState] = {}
        self._open: set[str] = set()
        self.state = KeyedState(Prefix.STATE, msgspec.msgpack.encode, self._restore)

    def __len__(self) -> int:
        """How many are at hand."""
        return len(self._at_hand)

    def __getitem__(self, name: str) -> TriageState:
        """The state of that name; report a change to it by `change`. Raises `TriageStateError` for a bad value."""
        state = self._at_hand.get(name)
        if state is None:
            data = None if self.state.gone(name) else self._store.get(Prefix.STATE + name.encode())
            state = self._at_hand[name] = TriageState() if data is None else states.decode(data)
        return state

    def change(self, name: str) -> None:
        """Note that it is about to change."""
        self.state.change(name, self[name])

    def open(self, name: str) -> None:
        """Note that it has an open incident."""
        self._open.add(name)

    def close(self, name: str) -> None:
        """Note that its incident is closed."""
        self._open.discard(name)

    def forget(self, name: str) -> None:
        """Drop one that is at hand and has no open incident."""
        del self._at_hand[name]
        self.state.drop(name)

    def opened(self) -> Iterator[tuple[str, TriageState]]:
        """Those with an open incident, by name."""
        for name in in_order(self._open):
            yield name, self[name]

    def put_away(self, name: str) -> None:
        """Keep it at hand only if it has an open incident, or has changed: the store holds the others."""
        if name not in self._open and name not in self.state:
            self._at_hand.pop(name, None)

    def saved(self, keys: Iterable[bytes]) -> None:
        """Note that the store holds what has changed of these keys, among others'."""
        for key in keys:
            if key.startswith(Prefix.STATE):
                self.put_away(key[len(Prefix.STATE) :].decode())

    def _restore(self, name: str, data: bytes) -> None:
        """Raises `TriageStateError`."""
        state = states.decode(data)
        if state.incident is not None:
            self._at_hand[name] = state
            self._open.add(name)
