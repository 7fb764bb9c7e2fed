from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.event import ActorKind
from detector.identity import profile as profiles
from detector.identity.profile import MAX_NAME, PROFILE_VERSION, Profile, ProfileError
from detector.identity.registry import DETECTORS
from detector.settings import DetectionSettings
from detector.signal import SignalKind
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, event

SETTINGS = DetectionSettings()
STATES = Profile.__struct_fields__.index("states")


def known(events: int = 30) -> Profile:
    """A profile that has seen one event an hour."""
    profile = profiles.new(event(0))
    for number in range(events):
        found = event(number, time_ms=START_MS + number * HOUR_MS, rows=100)
        profiles.close(profile, found.time_ms, SETTINGS)
        profiles.observe(profile, found, SETTINGS)
    return profile


def test_bytes_and_back() -> None:
    """A profile is what its bytes say, with the states of all detectors."""
    profile = known()
    again = profiles.decode(profiles.encode(profile))
    assert profiles.encode(again) == profiles.encode(profile)
    assert again.version == PROFILE_VERSION
    assert all(getattr(again.states, name) != detector.State() for name, detector in DETECTORS.items())


@pytest.mark.parametrize("data", [b"", b"\x00", b"{}", b"\xff" * 40, profiles.encode(known())[:-1]])
def test_garbage_is_refused(data: bytes) -> None:
    """What is no profile raises `ProfileError`, which says so."""
    with pytest.raises(ProfileError, match="not a profile"):
        profiles.decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_profile_or_refused(data: bytes) -> None:
    """No bytes raise anything but `ProfileError`."""
    try:
        profiles.decode(data)
    except ProfileError:
        return


def test_a_broken_name_is_refused() -> None:
    """Bytes that are no UTF-8 within a profile are a `ProfileError` too."""
    data = profiles.encode(profiles.new(event(actor="\x01" * 9)))
    with pytest.raises(ProfileError):
        profiles.decode(data.replace(b"\x01", b"\xff"))


@pytest.mark.parametrize("raw", [[2, "t"], [2, {"completely": "different"}], [99]])
def test_another_version_is_named(raw: list[object]) -> None:
    """A profile of another version is refused by its number, however different it is."""
    with pytest.raises(ProfileError, match=f"version {raw[0]}; this release reads {PROFILE_VERSION}"):
        profiles.decode(msgspec.msgpack.encode(raw))


def test_another_version_of_the_same_shape_is_named() -> None:
    """Even one that could be read is refused."""
    with pytest.raises(ProfileError, match="version 7"):
        profiles.decode(profiles.encode(msgspec.structs.replace(known(), version=7)))


def test_a_new_detector_starts_empty_and_a_gone_one_is_dropped() -> None:
    """An old profile is read by a release with other detectors: theirs are kept, the rest is as new."""
    raw = msgspec.msgpack.decode(profiles.encode(known()))
    removed = next(iter(DETECTORS))
    raw[STATES]["clairvoyance"] = {"visions": [1, 2, 3]}
    del raw[STATES][removed]
    profile = profiles.decode(msgspec.msgpack.encode(raw))
    assert getattr(profile.states, removed) == DETECTORS[removed].State()
    for name in set(DETECTORS) - {removed}:
        assert getattr(profile.states, name) == getattr(known().states, name)
    assert b"clairvoyance" not in profiles.encode(profile)


def test_what_is_known_of_an_identity() -> None:
    """Who it is, since when, how far, and the newest name it went by, cut to bounded length."""
    profile = profiles.new(event(5, actor_name="n" * 999, actor_kind=ActorKind.INTEGRATION))
    assert (profile.tenant, profile.actor, profile.actor_kind) == ("t", "u", ActorKind.INTEGRATION)
    assert profile.actor_name == "n" * MAX_NAME
    profiles.observe(profile, event(9, actor_name="m" * 999), SETTINGS)
    profiles.observe(profile, event(7, actor_name=None), SETTINGS)
    assert profile.actor_name == "m" * MAX_NAME
    assert (profile.first_ms, profile.clock_ms) == (START_MS + 5000, START_MS + 9000)


def test_a_duplicate_reaches_no_detector() -> None:
    """An event that was entered before is counted as a duplicate and changes nothing else."""
    profile = known()
    again = event(29, time_ms=START_MS + 29 * HOUR_MS, rows=100)
    before = profiles.encode(profile)
    assert profiles.observe(profile, again, SETTINGS) == (None, [])
    assert profile.duplicates == 1
    profile.duplicates = 0
    assert profiles.encode(profile) == before


def test_signals_are_signed_and_numbered() -> None:
    """Every signal says whose it is and carries the next number; those of one event know of one another."""
    profile = known()
    closed = profiles.close(profile, START_MS + 28 * HOUR_MS, SETTINGS)
    sent = profile.sequence
    rows, said = profiles.observe(
        profile, event(99, time_ms=START_MS + 30 * HOUR_MS, rows=10**6, actor_name="Ada"), SETTINGS
    )
    assert rows == 10**6
    assert [found.sequence for found in said] == list(range(sent + 1, sent + 1 + len(said)))
    assert {(found.detector, found.horizon_ms) for found in said} == {
        ("export", HOUR_MS), ("volume", HOUR_MS), ("volume", DAY_MS)
    }  # fmt: skip
    assert {(f.tenant, f.actor, f.actor_name, f.actor_kind) for f in said} == {
        ("t", "u", "Ada", ActorKind.HUMAN)
    }
    assert [found.more for found in said] == [True, True, False]
    assert not any(found.more for found in closed)
    assert said[0].identity == "t/u" == event().identity


def test_what_closes_comes_in_the_order_of_time() -> None:
    """The windows of all detectors that end are told in the order in which they became known."""
    profile = profiles.new(event(0))
    for number in range(30):
        profiles.observe(profile, event(number, time_ms=START_MS + number * HOUR_MS), SETTINGS)
    due = profiles.next_close_ms(profile, SETTINGS)
    assert due is not None
    told = profiles.close(profile, START_MS + 5 * DAY_MS, SETTINGS)
    times = [found.time_ms for found in told]
    assert times == sorted(times)
    assert {found.kind for found in told} == {SignalKind.CLOSED}
    assert {found.detector for found in told} == set(DETECTORS)
    assert profiles.next_close_ms(profile, SETTINGS) is None
