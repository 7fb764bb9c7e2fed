"""Where the records of a topic lie now that were read from another topic of the same name.

Profiles, events on their way and published positions name records by source and offset. A topic that is created
again begins at 0, so a restore moves them: records that were not read yet are put into the new topic, and get its
offsets; those read before lie in front of them, below the offset that is read first, and no longer exist.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

import msgspec

from detector.identity.profile import with_moved_sources
from streams.kafka import messages as wire
from streams.worker.ordering import with_moved_position

__all__ = ["Shift", "SourceShift"]

_positions = msgspec.json.Decoder(dict[str, str])


class SourceShift:
    """Old offset → new offset of one partition.

    >>> shift = SourceShift(number=0, next_offset=100, place=0)
    >>> shift.found(100, 0); shift.found(102, 1)  # 101 is a transaction's mark
    >>> [shift.new(offset) for offset in (40, 100, 102)]
    [-60, 0, 1]
    """

    def __init__(self, number: int, next_offset: int, place: int) -> None:
        """`number` is what the source is called now, `place` is where the first record that is unread lies now."""
        self.number = number
        self._from = [next_offset]
        self._by = [place - next_offset]

    def found(self, old: int, new: int) -> None:
        """Note where an unread record lies now; records come in their order."""
        if new - old != self._by[-1]:  # offsets are missing between the last one and this
            self._from.append(old)
            self._by.append(new - old)

    def new(self, offset: int) -> int:
        """The new offset of a record; of one that was read, an offset below the unread ones, in the same order."""
        return offset + self._by[max(0, bisect_right(self._from, offset) - 1)]

    def exists(self, offset: int) -> bool:
        """Whether a record is in the new topic."""
        return offset >= self._from[0] or self.same

    @property
    def same(self) -> bool:
        """Whether the records lie where they lay: it is the same topic."""
        return self._by == [0]


class Shift:
    """The shifts of all sources, by their old numbers and by topic and partition."""

    def __init__(
        self, by_number: Mapping[int, SourceShift], by_place: Mapping[tuple[str, int], SourceShift]
    ) -> None:
        self._by_number = by_number
        self._by_place = by_place

    def profile(self, data: bytes) -> bytes:
        """A stored profile. Raises `ProfileError`."""
        if all(shift.same and shift.number == number for number, shift in self._by_number.items()):
            return data
        return with_moved_sources(data, self._moved)

    def watermarks(self, data: bytes, log: SourceShift) -> bytes:
        """Saved watermarks, which name a place in their shard's `log` of events. Raises msgspec's `DecodeError`."""
        return data if log.same else with_moved_position(data, log.new)

    def events(self, data: bytes, log: SourceShift) -> bytes:
        """A packed message of events, which may name an earlier place in its `log`. Raises `WireError`."""
        message = wire.decode_events_message(data)
        source = message.source
        if message.complete >= 0:
            message.complete = log.new(message.complete)
        message.source = self._moved(source, 0)[0]
        message.events = [(self._moved(source, offset)[1], event) for offset, event in message.events]
        return wire.encode(message)

    def positions(self, data: bytes) -> bytes:
        """The positions of the records that an alert quotes, as the header holds them.

        One that no longer exists gets a name that nothing takes for a record of the topic.
        """
        try:
            found = _positions.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return data
        return msgspec.json.encode({event: self._position(position) for event, position in found.items()})

    def _moved(self, source: int, offset: int) -> tuple[int, int]:
        shift = self._by_number.get(source)
        return (source, offset) if shift is None else (shift.number, shift.new(offset))

    def _position(self, position: str) -> str:
        front, _, place = position.rpartition(" ")
        topic, _, rest = place.partition("/")
        partition, _, offset = rest.partition("/")
        if not (partition.isdecimal() and offset.isdecimal()):
            return position
        shift = self._by_place.get((topic, int(partition)))
        if shift is None or shift.same:
            return position
        if shift.exists(int(offset)):
            return f"{front} {topic}/{partition}/{shift.new(int(offset))}".lstrip()
        return f"{position} (before the restore)"
