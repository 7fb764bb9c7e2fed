"""The records that could not be read, by adapter and reason, with a few examples of each."""

from __future__ import annotations

import msgspec

from streams.replay.replay import DeadLetter

__all__ = ["DeadLetters", "Example", "Group"]

SHOWN_EXAMPLES = 3
SHOWN_BYTES = 160
"""How much of a record an example quotes."""


class Example(msgspec.Struct, frozen=True):
    """One record that could not be read."""

    position: str
    detail: str
    record: str
    """Its beginning as text; what is no text in it is replaced."""
    record_bytes: int


class Group(msgspec.Struct):
    """What one adapter could not read for one reason."""

    adapter: str
    """Empty if none recognised the record."""
    reason: str
    records: int = 0
    examples: list[Example] = []


class DeadLetters:
    """Counts dead letters and keeps the first few of each adapter and reason."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Group] = {}

    def observe(self, letter: DeadLetter) -> None:
        """Enter a dead letter."""
        key = (letter.adapter, letter.reason)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(*key)
        group.records += letter.records
        if len(group.examples) < SHOWN_EXAMPLES and letter.records == 1:
            text = letter.record[:SHOWN_BYTES].decode("utf-8", "replace")
            group.examples.append(Example(letter.position, letter.detail, text, letter.record_bytes))

    def groups(self) -> list[Group]:
        """Those with the most records first."""
        return sorted(self._groups.values(), key=lambda group: (-group.records, group.adapter, group.reason))

    @property
    def records(self) -> int:
        """How many records could not be read."""
        return sum(group.records for group in self._groups.values())
