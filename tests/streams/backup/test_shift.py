from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.identity.profile import PROFILES, ProfileError
from detector.settings import Settings
from streams.backup.shift import Shift, SourceShift
from streams.kafka import messages as wire
from streams.kafka.messages import EventsMessage
from tests.detector.make import event


def moved(*sources: SourceShift) -> Shift:
    """The shift of the partitions of ``crm.access``, in their order."""
    by_place = {("crm.access", number): source for number, source in enumerate(sources)}
    return Shift(dict(enumerate(sources)), by_place)


def message(source: int, offsets: list[int]) -> bytes:
    """A packed message of the same event at some offsets."""
    events = [(offset, msgspec.Raw(wire.encode_event(event()))) for offset in offsets]
    return wire.encode(EventsMessage(source=source, watermark_ms=5, idle=True, events=events))


def test_an_unread_record_gets_the_offset_where_it_lies_now() -> None:
    """Unread records follow one another without the gaps that transactions leave; those that were read lie in front."""
    shift = SourceShift(0, 100, 10)
    for new, old in enumerate((100, 101, 103, 104, 110), 10):
        shift.found(old, new)
    assert [shift.new(old) for old in (100, 101, 103, 104, 110)] == [10, 11, 12, 13, 14]
    assert [shift.new(old) for old in (99, 0)] == [9, -90]
    assert [shift.exists(old) for old in (99, 100, 110)] == [False, True, True]


def test_a_profile_is_as_before_but_for_its_positions() -> None:
    """A profile's sources get their new numbers and offsets; nothing else of it changes."""
    profile = PROFILES.new(event())
    PROFILES.observe(profile, event(), Settings().detection)
    profile.applied = {0: 95, 1: 7}
    shift = moved(SourceShift(2, 100, 0), SourceShift(3, 7, 5))
    after = PROFILES.decode(shift.profile(PROFILES.encode(profile)))
    assert after.applied == {2: -5, 3: 5}
    after.applied = profile.applied
    assert PROFILES.encode(after) == PROFILES.encode(profile)


def test_nothing_changes_where_the_topic_is_the_same() -> None:
    """Without a move a profile and the positions of an alert are the same bytes, and even a broken profile passes."""
    shift = moved(SourceShift(0, 100, 100), SourceShift(1, 3, 3))
    assert shift.profile(b"anything") == b"anything"
    assert shift.positions(b'{"e":"elf crm.access/0/4"}') == b'{"e":"elf crm.access/0/4"}'


@pytest.mark.parametrize("data", [b"", b"\x90", b"\x91\x02", b"\xc1", b"\x91\x63"])
def test_what_is_no_profile_of_this_release_is_refused(data: bytes) -> None:
    """Bytes that are no profile, and one of another version, raise an error of their own."""
    with pytest.raises(ProfileError):
        moved(SourceShift(1, 1, 0)).profile(data)


def test_a_message_on_its_way_is_moved() -> None:
    """Its source and its events' offsets are the new ones; watermark and events stay."""
    shift = moved(SourceShift(1, 100, 0))
    data = shift.events(message(0, [99, 100]))
    after, events = wire.decode_events(data)
    assert (after.source, after.watermark_ms, after.idle) == (1, 5, True)
    assert events == [(-1, event()), (0, event())]


def test_a_position_never_names_another_record() -> None:
    """What an alert quotes is named where it lies now; what is in no topic any more gets a name that none has."""
    shift = moved(SourceShift(0, 100, 0), SourceShift(1, 0, 0))
    said = {
        "read": "elf crm.access/0/99",
        "unread": "elf crm.access/0/100",
        "unmoved": "elf crm.access/1/3",
        "file": "elf logs/x.csv:7",
        "other": "elf elsewhere/0/1",
        "huge": "elf crm.access/0/" + "9" * 18,
    }
    assert _positions(shift, said) == said | {
        "read": "elf crm.access/0/99 (before the restore)",
        "unread": "elf crm.access/0/0",
        "huge": "elf crm.access/0/" + str(10**18 - 101),
    }


def test_positions_that_cannot_be_read_pass() -> None:
    """A header that holds no positions is left as it is."""
    assert moved(SourceShift(0, 9, 0)).positions(b"\xff[") == b"\xff["


def _positions(shift: Shift, said: dict[str, str]) -> Any:
    return msgspec.json.decode(shift.positions(msgspec.json.encode(said)))
