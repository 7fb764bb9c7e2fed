from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.identity.profile import PROFILES, ProfileError
from detector.settings import Settings
from streams.backup.shift import Shift, SourceShift
from streams.kafka import messages as wire
from streams.kafka.messages import EventsMessage
from streams.worker.ordering import Watermarks
from tests.detector.make import event


def moved(*sources: SourceShift) -> Shift:
    """The shift of the partitions of ``crm.access``, in their order."""
    by_place = {("crm.access", number): source for number, source in enumerate(sources)}
    return Shift(dict(enumerate(sources)), by_place)


def message(source: int, offsets: list[int], complete: int = -1) -> bytes:
    """A packed message of the same event at some offsets."""
    events = [(offset, msgspec.Raw(wire.encode_event(event()))) for offset in offsets]
    return wire.encode(
        EventsMessage(source=source, watermark_ms=5, idle=True, complete=complete, events=events)
    )


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
    """Its source, its events' offsets and the place up to which it is complete are the new ones; all else stays."""
    shift = moved(SourceShift(1, 100, 0))
    log = SourceShift(0, 1000, 0)
    after, events = wire.decode_events(shift.events(message(0, [99, 100], complete=990), log))
    assert (after.source, after.watermark_ms, after.idle, after.complete) == (1, 5, True, -10)
    assert events == [(-1, event()), (0, event())]
    assert wire.decode_events(shift.events(message(0, []), log))[0].complete == -1


def test_watermarks_name_their_place_in_the_new_log() -> None:
    """Reports that come after a restore count as new: the place of the last one before it lies below theirs."""
    marks = Watermarks()
    marks.update(0, 2, 70, position=4711)
    marks.update(1, 2, 50, position=4712, idle=True, complete=4711)
    shift = moved(SourceShift(0, 0, 0))
    saved = shift.watermarks(marks.encode(), SourceShift(0, 5000, 0))
    restored = Watermarks(saved, 2)
    assert restored.value == marks.value
    restored.update(1, 2, 50, position=0, idle=True, complete=0)
    restored.update(0, 2, 90, position=1)
    restored.update(1, 2, 50, position=2, idle=True, complete=2)
    assert restored.value == 90
    assert shift.watermarks(b"anything", SourceShift(0, 7, 7)) == b"anything"


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
