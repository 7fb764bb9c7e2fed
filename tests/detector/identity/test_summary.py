from __future__ import annotations

import pytest

from detector.event import ActorKind, Operation
from detector.identity.summary import summary
from detector.published import IdentityRecord, NewTrait, UsualVolume, decode_identity, encode
from detector.settings import DetectionSettings
from detector.trait import checksum
from detector.units import DAY_MS
from tests.detector.identity.life import Life
from tests.detector.make import START_DAY, START_MS, world


def published(life: Life) -> IdentityRecord:
    """The record of an identity."""
    assert life.profile is not None
    return summary(life.profile)


def test_a_new_identity_is_published_without_habits() -> None:
    """After its first event it has a name, a kind and times, an open day, and nothing that was learned."""
    life = Life(DetectionSettings())
    life.do(0.5, rows=7, actor_name="Ada", ip="203.0.113.9")
    assert published(life) == IdentityRecord(
        id="t/u",
        tenant="t",
        actor="u",
        name="Ada",
        kind=ActorKind.HUMAN,
        first_ms=START_MS + DAY_MS // 2,
        last_ms=START_MS + DAY_MS // 2,
        known_days=0,
        active_hours=(),
        weekdays=((None, None),) * 7,
        usual=tuple(
            UsualVolume(
                channel=channel,
                counted="rows",
                days=0,
                most_hour=usual.most_hour,
                most_day=usual.most_day,
                newest_day=START_DAY,
                newest_amount=7,
                newest_objects={"Case": 7},
            )
            for channel, usual in zip(("query", "all"), published(life).usual, strict=True)
        ),
        new=(),
        last_used={"network": {checksum(0, "203.0.113.0/24"): START_DAY}, "agent": {}, "app": {}},
    )


def test_what_was_learned_is_published() -> None:
    """Its hours, its rows by weekday of the last two weeks, and what is usual and the most expected."""
    life = Life(DetectionSettings(), ip="203.0.113.9", app="sync")
    life.work(10, rows=100, hour=9.5)
    life.do(4 + 7 + 0.4, rows=100)
    known = published(life)
    assert known.known_days == 10
    assert known.last_ms == START_MS + round(11.4 * DAY_MS)
    assert len(known.active_hours) == 48
    assert {hour: days for hour, days in enumerate(known.active_hours) if days} == {9: 8, 24 + 9: 2}
    assert [last for last, _ in known.weekdays] == [98, 98, 98, 98, 98, 98, 98]
    assert [before for _, before in known.weekdays] == [98, 98, 98, None, None, None, None]
    [query, everything] = known.usual
    assert (query.channel, everything.channel) == ("query", "all")
    assert (query.days, query.usual_hour, query.usual_day) == (10, 100, 100)
    assert query.most_hour is not None
    assert query.most_day is not None
    assert 100 < query.most_hour <= query.most_day < 1000
    assert (query.newest_day, query.newest_amount) == (START_DAY + 11, 100)
    assert known.last_used["network"] == {checksum(0, "203.0.113.0/24"): START_DAY + 11}
    assert known.last_used["app"] == {checksum(2, "sync"): START_DAY + 11}


def test_only_what_is_new_is_published_by_its_text() -> None:
    """A new network has its text, its first and last day and its rows; after some days only its checksum is left."""
    life = Life(DetectionSettings(), ip="203.0.113.9")
    life.work(10)
    life.do(10.4, rows=30, ip="192.0.2.7")
    new = NewTrait(
        what="network",
        value="192.0.2.0/24",
        first_ms=START_MS + round(10.4 * DAY_MS),
        last_day=START_DAY + 10,
        rows=30,
    )
    assert published(life).new == (new,)
    life.work(8, first=11)
    known = published(life)
    assert known.new == ()
    assert known.last_used["network"][checksum(0, "192.0.2.0/24")] == START_DAY + 10


def test_what_a_channel_counts_is_named() -> None:
    """Rows of personal data, the company's own rows, and calls and kilobytes where a log tells no rows."""
    life = Life(DetectionSettings())
    life.do(0.1, rows=5)
    life.do(0.2, rows=5, objects=("User",))
    life.do(0.3, rows=None, operation=Operation.SEARCH)
    life.do(0.4, rows=None, operation=Operation.FILE_DOWNLOAD, bytes_out=2048)
    assert {(usual.channel, usual.counted): usual.newest_amount for usual in published(life).usual} == {
        ("query", "rows"): 5,
        ("all", "rows"): 5,
        ("query", "internal"): 5,
        ("search", "calls"): 1,
        ("file_download", "kilobytes"): 2,
    }


@pytest.mark.slow
def test_every_record_of_a_company_is_read_as_it_was_written() -> None:
    """The record of each identity of a simulated company comes back equal from its JSON, and is a few KB at most."""
    lives: dict[str, Life] = {}
    for one in world(3, 24 * 8):
        life = lives.setdefault(one.identity, Life(DetectionSettings()))
        life.do(
            (one.time_ms - START_MS) / DAY_MS, **{name: getattr(one, name) for name in one.__struct_fields__}
        )
    assert len(lives) > 40
    for life in lives.values():
        data = encode(published(life))
        assert decode_identity(data) == published(life)
        assert len(data) < 8_192
