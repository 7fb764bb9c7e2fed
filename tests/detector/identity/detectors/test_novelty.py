from __future__ import annotations

from typing import Any

import pytest

from detector.event import ActorKind, Operation
from detector.identity.detectors.novelty import (
    DETECTOR,
    FIRST_ROWS,
    LEAST_KNOWN,
    MAX_YOUNG,
    MOST_KNOWN,
    YOUNG_DAYS,
)
from detector.identity.profile import PROFILES
from detector.settings import DetectionSettings
from detector.signal import NewValue, Signal, SignalKind
from detector.trait import SORTS, checksum
from detector.units import DAY_MS, HOUR_MS
from tests.detector.identity.life import Life, crossed, grown
from tests.detector.make import START_DAY, START_MS

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{}.0 Safari/537.36"
HOME: dict[str, Any] = {
    "ip": "203.0.113.9", "user_agent": CHROME.format(142), "app": "console", "country": "DE",
}  # fmt: skip
SYNC: dict[str, Any] = {
    "actor_kind": ActorKind.INTEGRATION, "ip": "198.51.100.7", "user_agent": "sync/3.1", "app": "sync",
    "query_shape": "SELECT Id FROM Case",
}  # fmt: skip


def settled(days: int = 10, **usual: Any) -> Life:
    """Somebody who has been at work at ten in the morning for some days, always with the same."""
    life = Life(DetectionSettings(), **(usual or HOME))
    life.work(days)
    assert crossed(life.said, "novelty") == []
    return life


def news(signals: list[Signal]) -> set[tuple[str, str]]:
    """What is said to be new."""
    return {(one.what, one.value) for found in crossed(signals, "novelty") for one in found.news}


@pytest.mark.parametrize(
    ("what", "value", "fields"),
    [
        ("network", "192.0.2.0/24", {"ip": "192.0.2.77"}),
        ("network", "2001:db8:7::/48", {"ip": "2001:db8:7::1"}),
        ("agent", "python-requests", {"user_agent": "python-requests/2.32.4"}),
        ("app", "Data Loader", {"app": "Data Loader"}),
        ("country", "NL", {"country": "NL"}),
        ("operation", "bulk_export", {"operation": Operation.BULK_EXPORT}),
        ("object", "Contact", {"objects": ("Contact",)}),
    ],
)
def test_what_was_never_seen_with_somebody_is_new(what: str, value: str, fields: dict[str, Any]) -> None:
    """A first network, agent, app, country, operation or kind of record of somebody well known is said at once, with
    how seldom that happens and the event as evidence; the second time it is not."""
    life = settled()
    [found] = crossed(life.do(10.4, rows=3, **fields), "novelty")
    assert (found.kind, found.day) == (SignalKind.CROSSED, START_DAY + 10)
    assert found.news == [NewValue(what, value, 0.0, 10.0, 0.0, 3)]
    assert (found.rows, found.objects) == (3, {fields.get("objects", ("Case",))[0]: 3})
    assert found.time_ms == found.first_ms == found.last_ms == START_MS + round(10.4 * DAY_MS)
    assert found.evidence is not None
    assert found.evidence.event_id == "e-11"
    assert crossed(life.do(10.41, rows=3, **fields), "novelty") == []
    assert crossed(life.do(11.4, rows=3, **fields), "novelty") == []


@pytest.mark.parametrize("known_days", range(5))
def test_cold_is_never_new(known_days: int) -> None:
    """Of whom little is known nothing is new, and what it is first seen with then is known later."""
    life = Life(DetectionSettings(), **HOME)
    life.work(known_days)
    stranger = {"ip": "192.0.2.77", "user_agent": "curl/8", "app": "other", "country": "NL"}
    said = life.do(known_days + 0.4, rows=3, operation=Operation.REPORT, objects=("Lead",), **stranger)
    assert bool(news(said)) == (known_days >= 4)
    life.work(6, first=known_days + 1)
    later = life.do(known_days + 7.4, rows=3, operation=Operation.REPORT, objects=("Lead",), **stranger)
    assert news(later) == set()


def test_an_upgrade_is_nothing_new() -> None:
    """Another version of the same browser or program, or another address of the same network, is the same."""
    life = settled()
    assert news(life.do(10.4, rows=9, ip="203.0.113.200", user_agent=CHROME.format(150))) == set()
    program = settled(**SYNC)
    assert news(program.do(10.4, rows=9, user_agent="sync/4.0-beta")) == set()


def test_a_program_with_a_new_network_and_agent_shows_two_things() -> None:
    """Each is new of its sort, and both are told in one signal."""
    life = settled(**SYNC)
    [found] = crossed(life.do(10.4, rows=5, ip="192.0.2.77", user_agent="python-requests/2.32"), "novelty")
    assert news([found]) == {("network", "192.0.2.0/24"), ("agent", "python-requests")}


def test_a_programs_queries_are_known_by_shape() -> None:
    """A new query of an integration is new; people's queries are always different and are not looked at."""
    other = {"query_shape": "SELECT FIELDS(ALL) FROM Case"}
    assert news(settled(**SYNC).do(10.4, rows=5, **other)) == {("query", other["query_shape"])}
    assert news(settled().do(10.4, rows=5, **other)) == set()


def test_what_only_a_name_is_touched_is_no_object_read() -> None:
    """A kind of record is met when rows of it leave, not when it is described."""
    life = settled()
    assert news(life.do(10.4, rows=None, objects=("Contact",))) == set()
    assert news(life.do(10.41, rows=5, objects=("Contact",))) == {("object", "Contact")}


def test_a_country_is_looked_at_though_all_else_is_known() -> None:
    """The same address and program from another country is new, also on a day on which they were met before."""
    life = settled()
    life.do(10.4, rows=1)
    assert news(life.do(10.41, rows=1, country="NL")) == {("country", "NL")}


def test_guests_are_many_visitors() -> None:
    """Networks, agents and countries of an account that stands for everybody are no news; its operations are."""
    life = Life(DetectionSettings(), actor_kind=ActorKind.GUEST)
    for day in range(20):
        life.do(day + 0.4, ip=f"203.0.{day}.1", user_agent=f"agent{day}x", country=f"C{day}", rows=1)
    assert crossed(life.said, "novelty") == []
    assert news(life.do(20.4, ip="192.0.2.1", operation=Operation.REPORT, rows=1)) == {
        ("operation", "report")
    }


def test_a_habitual_travellers_network_is_not_new() -> None:
    """Who shows another network on most days is expected to; on that account nothing is said, while another agent
    still is new."""
    life = Life(DetectionSettings(), user_agent=HOME["user_agent"])
    said = [news(life.do(day + 0.4, rows=5, ip=f"203.0.{day}.9")) for day in range(20)]
    assert not any(said[4:])
    assert news(life.do(20.4, rows=5, ip="192.0.2.1", user_agent="curl/8")) == {("agent", "curl")}


def test_somebody_who_seldom_travels_is_told_apart() -> None:
    """How often the identity has shown something new before goes with the signal."""
    life = settled(days=10)
    life.do(10.4, rows=5, ip="192.0.2.1")
    life.work(9, first=11)
    [found] = crossed(life.do(20.4, rows=5, ip="198.51.100.1"), "novelty")
    assert [(one.news, one.days) for one in found.news] == [(1.0, 20.0)]


def test_what_is_new_stays_young_for_days() -> None:
    """A thief who logs in first and takes later is seen: rows that leave with what is young are told whenever they
    have grown, with how old it is; after some days it is known."""
    life = settled()
    first = life.do(10.4, rows=None, operation=Operation.LOGIN, ip="192.0.2.1")
    assert {what for what, _ in news(first)} == {"network", "operation"}
    assert crossed(first, "novelty")[0].rows == 0
    life.do(11.4, rows=FIRST_ROWS - 1, ip="192.0.2.1")
    [grown] = crossed(life.do(12.4, rows=500, ip="192.0.2.1"), "novelty")
    [young] = [one for one in grown.news if one.what == "network"]
    assert young.age_days == pytest.approx(2.0)
    assert young.rows == 500 + FIRST_ROWS - 1
    assert grown.rows == 500
    assert crossed(life.do(12.41, rows=100, ip="192.0.2.1"), "novelty") == []
    [again] = crossed(life.do(12.42, rows=400, ip="192.0.2.1"), "novelty")
    assert (again.rows, again.first_ms, again.last_ms) == (
        1000, START_MS + round(12.4 * DAY_MS), START_MS + round(12.42 * DAY_MS)
    )  # fmt: skip
    life.work(YOUNG_DAYS, first=13)
    assert crossed(life.do(10.4 + YOUNG_DAYS + 3, rows=10**5, ip="192.0.2.1"), "novelty") == []


def test_who_comes_back_after_long_knows_it() -> None:
    """What was new before a long absence is so no more, though no day has closed since."""
    life = settled()
    assert news(life.do(10.4, rows=5, ip="192.0.2.1"))
    assert news(life.do(10.4 + YOUNG_DAYS, rows=500, ip="192.0.2.1")) == set()
    assert news(life.do(10.41 + YOUNG_DAYS, rows=500, ip="192.0.2.1", app="other")) == {("app", "other")}


def test_rows_of_other_work_are_not_counted() -> None:
    """Only what leaves with something young counts, and only customers' data."""
    life = settled()
    life.do(10.4, rows=1, ip="192.0.2.1")
    life.do(10.41, rows=5000)
    assert crossed(life.do(10.42, rows=5000, ip="192.0.2.1", objects=("User",)), "novelty")[0].rows == 1
    [found] = crossed(life.do(10.43, rows=60, ip="192.0.2.1"), "novelty")
    assert (found.rows, found.objects) == (61, {"Case": 61})


def test_a_night_is_odd_for_who_works_by_day() -> None:
    """Rows that leave in an hour in which the identity is hardly ever active are told, with the hour and how seldom
    it is; in its own hours, and an hour beside them, nothing is."""
    life = settled(days=30)
    for hour in (9.2, 10.2, 11.2):
        assert crossed(life.do(30 + hour / 24, rows=200), "novelty") == []
    assert crossed(life.do(31 + 3.5 / 24, rows=FIRST_ROWS - 1), "novelty") == []
    [found] = crossed(life.do(31 + 3.6 / 24, rows=200), "novelty")
    [one] = found.news
    assert (one.what, one.value, one.rows) == ("hour", "03:00 UTC", 200 + FIRST_ROWS - 1)
    assert 0 < one.news < 0.05
    assert one.days == 1.0


def test_a_weekend_is_another_kind_of_day() -> None:
    """Who never works on weekends is odd there at the hour at which it is always active on weekdays."""
    life = Life(DetectionSettings(), **HOME)
    for day in range(40):
        if day % 7 < 5:
            life.do(day + 0.4, rows=100)
    assert crossed(life.do(42.4, rows=200), "novelty") == []  # a Monday
    assert news(life.do(47.4, rows=200)) == {("hour", "weekend 09:00 UTC")}


def test_hours_are_not_odd_before_they_are_known() -> None:
    """With fewer active days than it takes to know somebody's hours, none of them is odd."""
    for days, odd in ((7, False), (12, True)):
        assert bool(news(settled(days=days).do(days + 3 / 24, rows=500))) == odd


def test_who_works_round_the_clock_has_no_odd_hour() -> None:
    """A program that runs every hour is nowhere odd."""
    life = Life(DetectionSettings(), **SYNC)
    for hour in range(20 * 24):
        life.do(hour / 24 + 0.001, rows=20)
    assert crossed(life.said, "novelty") == []


def test_a_day_tells_what_it_was_seen_with() -> None:
    """A day that is over tells triage the networks, agents and apps of that day, as checksums, and nothing else."""
    life = settled(days=6)
    life.do(6.4, rows=1, app="other")
    [over] = [one for one in life.close(7.1) if one.kind is SignalKind.CLOSED]
    assert over.used == {
        "network": [checksum(0, "203.0.113.0/24")],
        "agent": [checksum(1, "Chrome on windows")],
        "app": [checksum(2, "other")],
    }


def test_the_same_text_of_two_sorts_is_two_things() -> None:
    """An app called as an agent is not known for it."""
    assert len({checksum(sort, "sync") for sort in range(len(SORTS))}) == len(SORTS)
    assert news(settled(**SYNC).do(10.4, rows=1, app="sync", user_agent="sync/9")) == set()


def test_memory_is_bounded_and_forgets_the_longest_unseen() -> None:
    """With more values than there is room for, those unseen the longest go, and the daily one stays."""
    life = Life(DetectionSettings())
    for day in range(60):
        life.do(day + 0.4, rows=1, app="daily")
        life.do(day + 0.41, rows=1, app=f"app-{day}")
    assert life.profile is not None
    known = life.profile.states.novelty.known[SORTS.index("app")]
    assert len(known) == MOST_KNOWN[SORTS.index("app")]
    assert checksum(2, "daily") in known
    assert checksum(2, "app-59") in known
    assert checksum(2, "app-0") not in known


def test_what_was_forgotten_is_new_again_whether_stored_or_not() -> None:
    """Between values that push one another out of memory within a day, the same is said of a profile that is stored
    and read again all the time."""
    said = []
    for stored in (False, True):
        life = settled()
        for number in range(150):
            if stored and life.profile is not None:
                life.profile = PROFILES.decode(PROFILES.encode(life.profile))
            life.do(10.4 + number / 1000, rows=1, app=f"app-{number % 30}")
        said.append([(found.time_ms, found.news) for found in crossed(life.said, "novelty")])
    assert said[0] == said[1]
    assert len(said[0]) > 40


def test_what_is_young_is_bounded_and_keeps_what_took_most() -> None:
    """With more new things than there is room for, those with the fewest rows are told no more."""
    life = settled()
    life.do(10.4, rows=5000, ip="192.0.2.1")
    for number in range(2 * MAX_YOUNG):
        life.do(10.41 + number / 1000, rows=1, ip="203.0.113.9", objects=(f"Thing{number}__c",))
    assert life.profile is not None
    young = life.profile.states.novelty.young
    assert len(young) == MAX_YOUNG
    assert "192.0.2.0/24" in {one.value for one in young.values()}


def test_short_of_room_the_least_needed_goes_first() -> None:
    """First what is young and took least, then what is known and was unseen the longest; some of each stays."""
    life = Life(DetectionSettings())
    for number in range(10):
        life.do(0.4, rows=1, app=f"app-{number}")
    life.work(9, first=1, app="app-3")
    for number in range(MAX_YOUNG):
        life.do(10.4, rows=number + 1, objects=(f"Thing{number}__c",), app="app-3")
    assert life.profile is not None
    state = life.profile.states.novelty
    assert len(state.young) == MAX_YOUNG
    while len(state.young) > MAX_YOUNG // 2:
        assert DETECTOR.shrink(state)
    assert {one.rows for one in state.young.values()} == set(range(MAX_YOUNG // 2 + 1, MAX_YOUNG + 1))
    assert len(state.known[2]) == 10
    while DETECTOR.shrink(state):
        assert len(state.young) == MAX_YOUNG // 2
    assert all(len(known) <= LEAST_KNOWN for known in state.known)
    assert checksum(2, "app-3") in state.known[2]


def test_hours_and_days_of_other_events_do_not_mix() -> None:
    """An event an hour late is judged by its own hour."""
    life = settled(days=30)
    life.do(30 + 10 / 24, rows=200)
    late = life.do(30 + 9.9 / 24 - 7 / 24, rows=200)
    assert {what for what, _ in news(late)} == {"hour"}
    assert news(life.do(30 + 10.1 / 24, rows=200)) == set()
    assert START_MS % HOUR_MS == 0


def test_further_rows_of_something_new_are_said_every_five_minutes() -> None:
    """However few they are, once rows have been said at all."""
    life = settled()
    minute = 1 / 1440
    away = {"ip": "192.0.2.77"}
    assert crossed(life.do(10.4, rows=FIRST_ROWS, **away), "novelty")
    assert grown(life.do(10.4 + 4 * minute, rows=1, **away), "novelty") == []
    [found] = grown(life.do(10.4 + 5 * minute, rows=1, **away), "novelty")
    assert (found.rows, found.objects) == (FIRST_ROWS + 2, {"Case": FIRST_ROWS + 2})
    assert grown(life.do(10.4 + 9 * minute, rows=1, **away), "novelty") == []
