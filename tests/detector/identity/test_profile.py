from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.directory import Directory
from detector.directory_entry import DirectoryEntry, DirectoryKind
from detector.event import ActorKind, Counting, Operation
from detector.identity.detectors.registry import DETECTORS
from detector.identity.profile import (
    MAX_NAME,
    MAX_OPEN_DAYS,
    PROFILE_VERSION,
    PROFILES,
    Profile,
    ProfileError,
    ProfileModel,
)
from detector.indicator_index import IndicatorIndex
from detector.settings import DetectionSettings, Indicator
from detector.signal import SignalKind
from detector.units import DAY_MS, HOUR_MS
from tests.detector.identity.life import Life, crossed
from tests.detector.make import START_DAY, START_MS, event

SETTINGS = DetectionSettings(indicators={"stolen": Indicator(name="a leaked token")})
INDICATORS = IndicatorIndex(SETTINGS.indicators)
STATES = Profile.__struct_fields__.index("states")

JOB = {
    "actor_kind": ActorKind.INTEGRATION,
    "operation": Operation.BULK_EXPORT,
    "operation_id": "job",
    "counting": Counting.MAXIMUM,
}


def known(days: int = 12) -> Profile:
    """A profile that has been at work for some days, in all ways that detectors look at."""
    life = Life(SETTINGS)
    for day in range(days):
        for number, operation in enumerate(Operation):
            life.do(day + 0.4 + number / 100, operation=operation, rows=100, app="stolen")
    assert life.profile is not None
    return life.profile


def test_bytes_and_back() -> None:
    """A profile is what its bytes say, with the states of all detectors."""
    profile = known()
    again = PROFILES.decode(PROFILES.encode(profile))
    assert PROFILES.encode(again) == PROFILES.encode(profile)
    assert again.version == PROFILE_VERSION
    assert all(getattr(again.states, name) != detector.State() for name, detector in DETECTORS.items())


@pytest.mark.parametrize("data", [b"", b"\x00", b"{}", b"\xff" * 40, PROFILES.encode(known())[:-1]])
def test_garbage_is_refused(data: bytes) -> None:
    """What is no profile raises `ProfileError`, which says so."""
    with pytest.raises(ProfileError, match="not a profile"):
        PROFILES.decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_profile_or_refused(data: bytes) -> None:
    """No bytes raise anything but `ProfileError`; what can be read can be written."""
    try:
        found = PROFILES.decode(data)
    except ProfileError:
        return
    assert PROFILES.decode(PROFILES.encode(found)) == found


def test_a_broken_name_is_refused() -> None:
    """Bytes that are no UTF-8 within a profile are a `ProfileError` too."""
    data = PROFILES.encode(PROFILES.new(event(actor="\x01" * 9)))
    with pytest.raises(ProfileError):
        PROFILES.decode(data.replace(b"\x01", b"\xff"))


@pytest.mark.parametrize("raw", [[3, "t"], [3, {"completely": "different"}], [99]])
def test_another_version_is_named(raw: list[object]) -> None:
    """A profile of another version is refused by its number, however different it is."""
    with pytest.raises(ProfileError, match=f"version {raw[0]}; this release reads {PROFILE_VERSION}"):
        PROFILES.decode(msgspec.msgpack.encode(raw))


def test_another_version_of_the_same_shape_is_named() -> None:
    """Even one that could be read is refused."""
    with pytest.raises(ProfileError, match="version 7"):
        PROFILES.decode(PROFILES.encode(msgspec.structs.replace(known(), version=7)))


@pytest.mark.slow
def test_a_new_detector_starts_empty_and_a_gone_one_is_dropped() -> None:
    """An old profile is read by a release with other detectors: theirs are kept, the rest is as new, even in days
    that are not over."""
    raw = msgspec.msgpack.decode(PROFILES.encode(known()))
    for removed in DETECTORS:
        states = dict(raw[STATES])
        states["clairvoyance"] = {"visions": [1, 2, 3]}
        del states[removed]
        profile = PROFILES.decode(msgspec.msgpack.encode([*raw[:STATES], states, *raw[STATES + 1 :]]))
        assert getattr(profile.states, removed) == DETECTORS[removed].State()
        for name in set(DETECTORS) - {removed}:
            assert getattr(profile.states, name) == getattr(known().states, name)
        assert b"clairvoyance" not in PROFILES.encode(profile)
        assert PROFILES.close(profile, START_MS + 20 * DAY_MS, SETTINGS)[-1].kind is SignalKind.CLOSED


def test_what_is_known_of_an_identity() -> None:
    """Who it is, since when, how far, and the newest name it went by, cut to bounded length."""
    profile = PROFILES.new(event(5, actor_name="n" * 999, actor_kind=ActorKind.INTEGRATION))
    assert (profile.tenant, profile.actor, profile.actor_kind) == ("t", "u", ActorKind.INTEGRATION)
    assert profile.actor_name == "n" * MAX_NAME
    PROFILES.observe(profile, event(9, actor_name="m" * 999), SETTINGS)
    PROFILES.observe(profile, event(7, actor_name=None), SETTINGS)
    assert profile.actor_name == "m" * MAX_NAME
    assert (profile.first_ms, profile.clock_ms) == (START_MS + 5000, START_MS + 9000)


def test_a_duplicate_reaches_no_detector() -> None:
    """An event that was entered before is counted as a duplicate and changes nothing else."""
    life = Life(SETTINGS)
    life.work(days=10)
    profile = life.profile
    assert profile is not None
    before = PROFILES.encode(profile)
    again = event(10, time_ms=START_MS + 9 * DAY_MS + 10 * HOUR_MS, rows=100)
    assert PROFILES.observe(profile, again, SETTINGS) == (None, [])
    assert profile.duplicates == 1
    profile.duplicates = 0
    assert PROFILES.encode(profile) == before


def test_a_day_is_learned_an_hour_after_its_end() -> None:
    """A day with events is due when late events may come no more, is told once as closed, and counts as known."""
    life = Life(SETTINGS)
    life.do(0.5)
    profile = life.profile
    assert profile is not None
    due = START_MS + DAY_MS + HOUR_MS
    assert PROFILES.due_ms(profile, SETTINGS) == due
    assert PROFILES.close(profile, due - 1, SETTINGS) == []
    [over] = PROFILES.close(profile, due + 5 * HOUR_MS, SETTINGS)
    assert (over.kind, over.detector, over.day, over.time_ms) == (SignalKind.CLOSED, "", START_DAY, due)
    assert (over.first_ms, over.last_ms) == (START_MS, START_MS)
    assert (profile.known_days, profile.learned_day, profile.open_days) == (1, START_DAY, [])
    assert PROFILES.due_ms(profile, SETTINGS) == due + SETTINGS.forget_days * DAY_MS  # to be forgotten
    assert PROFILES.close(profile, due + 9 * DAY_MS, SETTINGS) == []


def test_days_close_in_their_order() -> None:
    """Days that are due together close earliest first, each at its own moment and with what was known before it."""
    profile = PROFILES.new(event(0))
    for day in (1, 0, 2):
        made = event(day, time_ms=START_MS + day * DAY_MS, rows=10 * (day + 1))
        PROFILES.observe(profile, made, SETTINGS, INDICATORS.find(made))
    told = [found for found in PROFILES.close(profile, START_MS + 9 * DAY_MS, SETTINGS) if not found.more]
    assert [found.day - START_DAY for found in told] == [0, 1, 2]
    assert [found.time_ms for found in told] == [START_MS + (day + 1) * DAY_MS + HOUR_MS for day in range(3)]
    assert [found.known_days for found in told] == [0, 1, 2]
    values = [{m.value for m in found.measures if m.detector == "volume"} for found in told]
    assert values == [{10}, {20}, {30}]


def test_a_late_event_joins_its_day_while_that_is_open() -> None:
    """Within the hour after midnight yesterday's events still count to yesterday."""
    life = Life(SETTINGS)
    life.do(0.9, rows=5)
    life.do(1.01, rows=7)
    life.do(0.95, rows=11)
    [over] = life.close(1.05)
    assert {m.value for m in over.measures if m.detector == "volume" and m.span == "day"} == {16}
    [over] = life.close(2.05)
    assert {m.value for m in over.measures if m.detector == "volume" and m.span == "day"} == {7}


def test_a_day_that_was_learned_is_not_learned_again() -> None:
    """Events that come after their day closed are judged, and dropped without a word when it would close again."""
    life = Life(SETTINGS)
    life.work(days=12)
    life.close(12.5)
    profile = life.profile
    assert profile is not None
    before = PROFILES.decode(PROFILES.encode(profile))
    assert crossed(life.do(3.4, rows=10**6), "volume")
    assert profile.open_days == [START_DAY + 3]
    assert life.close(13) == []
    assert (profile.known_days, profile.learned_day) == (before.known_days, before.learned_day)
    assert profile.states.volume == before.states.volume
    query = profile.states.export.operations["query"]
    assert (query.level, query.open) == (before.states.export.operations["query"].level, {})


def test_room_is_made_for_the_newest_day() -> None:
    """Of one open day too many the first closes at once, and says that it was known now rather than later."""
    profile = PROFILES.new(event(0, time_ms=START_MS))
    said = []
    for day in range(MAX_OPEN_DAYS + 1):
        made = event(day, time_ms=START_MS + day * DAY_MS + HOUR_MS)
        said += PROFILES.observe(profile, made, SETTINGS)[1]
    [over] = said
    assert (over.kind, over.day) == (SignalKind.CLOSED, START_DAY)
    assert over.time_ms == START_MS + MAX_OPEN_DAYS * DAY_MS + HOUR_MS
    assert profile.open_days == [START_DAY + day for day in range(1, MAX_OPEN_DAYS + 1)]


def test_a_day_before_all_open_ones_is_watched_too() -> None:
    """With no room left, a day that was reopened goes for a yet earlier one, or else the one furthest ahead; nothing
    is held of days that are not open."""
    life = Life(SETTINGS)
    life.work(days=12, first=10)
    profile = life.profile
    assert profile is not None
    for day in (5.4, 4.4, 3.4, 2.4):
        made = event(round(1000 + day), time_ms=START_MS + round(day * DAY_MS), rows=7, app=f"app-{day}")
        assert PROFILES.observe(profile, made, SETTINGS)[0] == 7
    assert profile.open_days == [START_DAY + day for day in (2, 5, 21)]
    for channel in profile.states.volume.channels.values():
        assert sorted(channel.open) == profile.open_days
    [over] = [found for found in life.close(30) if found.kind is SignalKind.CLOSED]
    assert over.day == START_DAY + 21

    profile = PROFILES.new(event(0))
    for day in (30, 20, 10, 1):
        PROFILES.observe(profile, event(day, time_ms=START_MS + day * DAY_MS), SETTINGS)
    assert profile.open_days == [START_DAY + day for day in (1, 10, 20)]
    assert sorted(profile.states.volume.channels["all"].open) == profile.open_days


def test_days_begin_at_midnight_utc() -> None:
    """A day is the day in UTC, also before 1970."""
    profile = PROFILES.new(event(0, time_ms=-1))
    for number, time_ms in enumerate((-1, 0, DAY_MS - 1)):
        PROFILES.observe(profile, event(number, time_ms=time_ms), SETTINGS)
    assert profile.open_days == [-1, 0]


def test_signals_are_signed_and_numbered() -> None:
    """Every signal says whose it is, with whom it is compared and what is known, and carries the next number; those
    of one event know of one another."""
    settings = DetectionSettings(peers={"night shift": ("u*",)})
    life = Life(settings)
    life.work(days=12)
    closed = life.close(12.5)
    assert life.profile is not None
    sent = life.profile.sequence
    said = life.do(12.6, rows=10**6, actor_name="Ada", app="new")
    assert [found.sequence for found in said] == list(range(sent + 1, sent + 1 + len(said)))
    assert {found.detector for found in said} >= {"export", "volume", "novelty"}
    assert {(f.tenant, f.actor, f.actor_name, f.actor_kind) for f in said} == {
        ("t", "u", "Ada", ActorKind.HUMAN)
    }
    assert {(f.peers, f.known_days) for f in said} == {("night shift", 12)}
    assert [found.more for found in said] == [True] * (len(said) - 1) + [False]
    assert [found.more for found in closed] == [False]
    assert said[0].identity == "t/u" == event().identity


def test_a_directory_says_what_kind_it_is_and_whom_it_is_compared_with() -> None:
    """The entry's kind and peer group go before the log's; of somebody whom it does not know nothing changes."""
    entry = DirectoryEntry(id="u", kind=DirectoryKind.INTEGRATION, peer_group="Night")
    profiles = ProfileModel(DETECTORS, Directory([entry]))
    for actor, expected in (("u", (ActorKind.INTEGRATION, "Night")), ("v", (ActorKind.HUMAN, "human"))):
        profile = profiles.new(event(0, actor=actor))
        _, said = profiles.observe(profile, event(1, actor=actor, rows=10**6), SETTINGS)
        assert said
        assert {(found.actor_kind, found.peers) for found in said} == {expected}


def test_a_day_that_is_over_is_told_last() -> None:
    """What a detector finds in a day that closes comes before the day itself, and they belong together."""
    life = Life(SETTINGS)
    life.work(days=20)
    for day in range(20, 40):
        life.do(day + 0.5, rows=1000)
        told = life.close(day + 1.1)
        if len(told) > 1:
            break
    assert [found.detector for found in told] == ["drip", ""]
    assert [found.more for found in told] == [True, False]
    assert told[1].kind is SignalKind.CLOSED
    assert told[0].time_ms == told[1].time_ms


def test_an_event_reaches_the_detectors_that_look_at_its_operation() -> None:
    """A detector that names operations sees events of these alone: the rest leaves its state as it was."""
    for name, detector in DETECTORS.items():
        if detector.operations is None:
            continue
        for operation in Operation:
            profile = PROFILES.new(event(1))
            PROFILES.observe(profile, event(1, operation=operation, rows=5), SETTINGS)
            seen = getattr(profile.states, name) != detector.State()
            assert seen == (operation in detector.operations), (name, operation)
