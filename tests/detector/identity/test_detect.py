from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector import keyed_state
from detector.catalogue import Category
from detector.event import AccessEvent, ActorKind, Counting, Operation, RecordOrigin
from detector.identity import detect as detect_module
from detector.identity import profile as profile_module
from detector.identity.detect import LIVE_PROFILES, STEP_IDENTITIES, Detection
from detector.identity.ledger import OPEN_OPERATIONS
from detector.identity.profile import PROFILES, ProfileError, ProfileModel
from detector.indicator_index import IndicatorIndex
from detector.keyed_state import SLICE_VALUES, Key, StoredValueError
from detector.settings import DetectionSettings, Indicator, Settings
from detector.signal import Signal, SignalKind
from detector.units import DAY_MS, HOUR_MS, TICK_MS
from tests.detector.make import START_DAY, START_MS, all_of, event, exhaust, whole

# Quick to speak, so that few events say much.
TALKATIVE = Settings(
    detection=DetectionSettings(
        bound_deviations=0.2,
        prior_rows_hour=5,
        prior_rows_day=10,
        cold_days=1,
        indicators={"192.0.2.0/24": Indicator(name="a list")},
    )
)
FORGETFUL = msgspec.structs.replace(
    TALKATIVE, detection=msgspec.structs.replace(TALKATIVE.detection, forget_days=2)
)
LATE = (0, 0, 0, 600_000, 2 * HOUR_MS, 2 * DAY_MS)
OPERATIONS = (
    Operation.QUERY,
    Operation.QUERY,
    Operation.REPORT,
    Operation.COUNT,
    Operation.EXPORT_DELETE,
    Operation.VENDOR_FINDING,
)
Store = dict[bytes, bytes]


@st.composite
def streams(draw: st.DrawFn, late: tuple[int, ...] = (0,), most_days: int = 1) -> list[AccessEvent]:
    """Some days of three identities with jobs, pauses and different kinds of access, each `late` by one of these."""
    time_ms = START_MS
    events = []
    for number in range(draw(st.integers(1, 25))):
        time_ms += draw(
            st.sampled_from([0, 1, 60_000, HOUR_MS // 2, HOUR_MS, 5 * HOUR_MS, most_days * DAY_MS])
        )
        events.append(
            event(
                number,
                time_ms=time_ms - draw(st.sampled_from(late)),
                actor=draw(st.sampled_from(["a", "b", "c"])),
                rows=draw(st.sampled_from([None, 1, 20, 300, 5000])),
                actor_kind=draw(st.sampled_from([ActorKind.HUMAN, ActorKind.INTEGRATION])),
                operation=draw(st.sampled_from(OPERATIONS)),
                objects=draw(st.sampled_from([("Case",), ("User",), ("Contact", "Case"), ()])),
                ip=draw(st.sampled_from([None, "203.0.113.9", "198.51.100.7", "192.0.2.1"])),
                user_agent=draw(st.sampled_from([None, "sync/1", "curl/8"])),
                country=draw(st.sampled_from([None, "DE"])),
                counting=draw(st.sampled_from([Counting.EACH, Counting.MAXIMUM])),
                operation_id=draw(st.sampled_from([None, "j"])),
            )
        )
    return events


def end_of(events: Sequence[AccessEvent]) -> int:
    """An event time at which every day of theirs has closed."""
    return max(each.time_ms for each in events) + 3 * DAY_MS


def by_identity(signals: Sequence[Signal]) -> dict[str, list[bytes]]:
    """What has been said of each identity, in order."""
    said = defaultdict(list)
    for found in signals:
        said[found.identity].append(msgspec.msgpack.encode(found))
    return dict(said)


def without_offsets(encoded: bytes) -> bytes:
    """A profile but for how far its sources are."""
    profile = PROFILES.decode(encoded)
    profile.applied = {}
    return PROFILES.encode(profile)


def profiles_of(store: Store) -> Store:
    """A store's profiles, without the tallies beside them."""
    return {key: value for key, value in store.items() if key != Key.TALLIES}


def save(detection: Detection) -> None:
    """Put what has changed into the store."""
    for changes in detection.changes():
        detection.saved(changes)


@pytest.fixture(params=["room", "no room"])
def room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both with room for all and with so little that days close before their time and much is given up."""
    if request.param == "no room":
        monkeypatch.setattr(profile_module, "MAX_OPEN_DAYS", 1)
        monkeypatch.setattr(profile_module, "MAX_BYTES", 1400)
        monkeypatch.setattr(profile_module, "ROOMY_BYTES", 900)


def run(events: Sequence[AccessEvent], given: Settings = TALKATIVE) -> tuple[dict[str, list[bytes]], Store]:
    """What is said of events when nothing happens in between, all days closed at the end; and the profiles."""
    store: Store = {}
    detection = Detection(given, store)
    signals = [found for n, each in enumerate(events) for found in detection.observe(each, 0, n)]
    signals += all_of(detection.advance(end_of(events)))
    save(detection)
    return by_identity(signals), profiles_of(store)


@pytest.mark.slow
@given(streams(late=LATE), st.data())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_when_time_is_told_changes_nothing(
    room: None, events: list[AccessEvent], data: st.DataObject
) -> None:
    """`advance` at any moments between events, up to what is known, changes neither what is said nor the profiles."""
    expected, profiles = run(events)
    store: Store = {}
    detection = Detection(TALKATIVE, store)
    signals = []
    for number, each in enumerate(events):
        known_ms = min(later.time_ms for later in events[number:])
        for early_ms in sorted(data.draw(st.lists(st.integers(0, DAY_MS), max_size=3)), reverse=True):
            watermark_ms = known_ms - early_ms
            signals += all_of(detection.advance(watermark_ms))
        signals += detection.observe(each, 0, number)
    signals += all_of(detection.advance(end_of(events)))
    save(detection)
    assert by_identity(signals) == expected
    assert profiles_of(store) == profiles


@pytest.mark.slow
@given(streams(), st.data())
@settings(max_examples=40, deadline=None)
def test_others_change_nothing(events: list[AccessEvent], data: st.DataObject) -> None:
    """What is said of an identity does not depend on how others' events lie between its own."""
    expected, profiles = run(events)
    queues = defaultdict(list)
    for each in events:
        queues[each.actor].append(each)
    store: Store = {}
    detection = Detection(TALKATIVE, store)
    signals = []
    number = 0
    while queues:
        actor = data.draw(st.sampled_from(sorted(queues)))
        signals += detection.observe(queues[actor].pop(0))
        number += 1
        if not queues[actor]:
            del queues[actor]
    signals += all_of(detection.advance(end_of(events)))
    save(detection)
    assert by_identity(signals) == expected
    assert {key: without_offsets(value) for key, value in profiles_of(store).items()} == {
        key: without_offsets(value) for key, value in profiles.items()
    }


@pytest.mark.slow
@given(streams(late=LATE), st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_eviction_changes_nothing(room: None, events: list[AccessEvent], data: st.DataObject) -> None:
    """With hardly any profile kept decoded, and saved at any moments, the same is said and stored."""
    expected, profiles = run(events)
    store: Store = {}
    detection = Detection(TALKATIVE, store, live_profiles=data.draw(st.integers(0, 2)))
    signals = []
    for number, each in enumerate(events):
        signals += detection.observe(each, 0, number)
        if data.draw(st.booleans()):
            save(detection)
            assert detection.live <= 2
            assert detection.dirty == 0
        if data.draw(st.booleans()):
            signals += all_of(
                detection.advance(min((later.time_ms for later in events[number + 1 :]), default=START_MS))
            )
    signals += all_of(detection.advance(end_of(events)))
    save(detection)
    assert by_identity(signals) == expected
    assert profiles_of(store) == profiles
    assert all(PROFILES.decode(value).open_days == [] for value in profiles_of(store).values())


@pytest.mark.slow
@given(streams(), st.data())
@settings(max_examples=50, deadline=None)
def test_whatever_is_lost_the_same_is_said(events: list[AccessEvent], data: st.DataObject) -> None:
    """Killed at any event, begun anew from what was saved, records delivered again from any point before: numbers
    tell what was said twice, nothing else was, and all of it was said."""
    expected, profiles = run(events)
    durable: Store = {}
    saved_to = 0  # records before this one are in the durable profiles
    said: dict[tuple[str, int], bytes] = {}

    def tell(signals: Sequence[Signal]) -> None:
        for found in signals:
            encoded = msgspec.msgpack.encode(found)
            assert said.setdefault((found.identity, found.sequence), encoded) == encoded

    for _ in range(data.draw(st.integers(0, 3))):
        store = dict(durable)
        detection = Detection(TALKATIVE, store)
        exhaust(detection.restore(list(store)))
        begin = data.draw(st.integers(0, saved_to))
        stop = data.draw(st.integers(begin, len(events)))
        for number in range(begin, stop):
            tell(detection.observe(events[number], 0, number))
            if number >= saved_to and data.draw(st.booleans()):
                tell(all_of(detection.advance(events[number].time_ms)))
            if number >= saved_to and data.draw(st.booleans()):
                save(detection)
                durable, saved_to = dict(store), number + 1
    store = dict(durable)
    detection = Detection(TALKATIVE, store)
    exhaust(detection.restore(list(store)))
    for number in range(data.draw(st.integers(0, saved_to)), len(events)):
        tell(detection.observe(events[number], 0, number))
    tell(all_of(detection.advance(end_of(events))))
    save(detection)
    told: dict[str, list[bytes]] = defaultdict(list)
    for identity, sequence in sorted(said):
        told[identity].append(said[identity, sequence])
    assert dict(told) == expected
    assert profiles_of(store) == profiles


@pytest.mark.slow
@given(streams(late=LATE), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_where_work_is_cut_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, events: list[AccessEvent], data: st.DataObject
) -> None:
    """Whatever a step and a slice may hold, when time is told, and however often a shard is taken over: the same is
    said and stored."""
    expected, profiles = run(events, FORGETFUL)
    store: Store = {}
    detection = Detection(FORGETFUL, store, live_profiles=1)
    signals: list[Signal] = []
    with monkeypatch.context() as patch:
        patch.setattr(detect_module, "STEP_IDENTITIES", data.draw(st.integers(1, 3)))
        patch.setattr(keyed_state, "SLICE_VALUES", data.draw(st.integers(1, 3)))
        patch.setattr(keyed_state, "SLICE_BYTES", data.draw(st.sampled_from([1, 1 << 18])))
        for number, each in enumerate(events):
            known_ms = min(later.time_ms for later in events[number:])
            if data.draw(st.booleans()):
                signals += all_of(
                    detection.advance(known_ms - data.draw(st.sampled_from([0, HOUR_MS, DAY_MS])))
                )
            signals += detection.observe(each, 0, number)
            if data.draw(st.booleans()):
                save(detection)
                if data.draw(st.booleans()):
                    detection = Detection(FORGETFUL, store, live_profiles=1)
                    exhaust(detection.restore(list(store)))
        signals += all_of(detection.advance(end_of(events)))
        save(detection)
    assert by_identity(signals) == expected
    assert profiles_of(store) == profiles


@pytest.mark.parametrize("told", [False, True])
def test_whoever_returns_on_the_last_day_is_learned_when_it_ends(told: bool) -> None:
    """The day closes by the watermark, though it ends when the identity would have been forgotten."""
    returns_ms = START_MS + FORGETFUL.detection.forget_days * DAY_MS
    detection = Detection(FORGETFUL, {})
    signals = detection.observe(event(1, time_ms=START_MS), 0, 0)
    if told:
        signals += all_of(detection.advance(returns_ms))
    signals += detection.observe(event(2, time_ms=returns_ms), 0, 1)
    signals += all_of(detection.advance(returns_ms + DAY_MS + HOUR_MS))
    assert [signal.day for signal in signals if signal.kind is SignalKind.CLOSED] == [
        START_MS // DAY_MS,
        returns_ms // DAY_MS,
    ]


class Counted:
    """Profiles without detectors, which are quick, and how much has been done with them since that was last asked."""

    def __init__(self) -> None:
        self._model = ProfileModel({})
        self._done: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._model, name)
        if name not in ("new", "decode", "encode", "close", "forget"):
            return function

        def counted(*given: Any) -> Any:
            self._done[name] += 1
            return function(*given)

        return counted

    def done(self) -> Counter[str]:
        """By method, how often it was called."""
        done, self._done = self._done, Counter()
        return done

    def steps(self, steps: Iterable[Any], most: int) -> Counter[str]:
        """What all steps have done, each of which may do `most` of anything."""
        total: Counter[str] = Counter()
        for _ in steps:
            done = self.done()
            assert all(times <= most for times in done.values()), done
            total += done
        return total


@pytest.mark.slow
def test_no_call_deals_with_100_000_identities() -> None:
    """As many as a shard may know are restored, close their day, are saved, evicted by newcomers and forgotten in steps
    that each deal with a bounded number of them; never are more than so many decoded."""
    given = Settings(detection=DetectionSettings(cold_days=9))
    many = given.detection.most_identities
    assert many == 100_000
    counted = Counted()
    profiles = cast("ProfileModel", counted)
    first = Detection(given, {}, profiles=profiles)
    first.observe(event(0, actor="u"))
    template = whole(first.changes())[b"t/u"] or b""
    store = {b"t/%06d" % number: template for number in range(many)}
    counted.done()

    detection = Detection(given, store, profiles=profiles)
    assert counted.steps(detection.restore(list(store)), SLICE_VALUES) == {"decode": many}
    over_ms = START_MS + 2 * DAY_MS
    done = counted.steps(detection.advance(over_ms), STEP_IDENTITIES)
    assert done == {"decode": many, "close": many, "encode": many - LIVE_PROFILES}
    assert detection.live == LIVE_PROFILES
    slices = list(detection.changes())
    assert counted.done() == {"encode": LIVE_PROFILES}
    assert max(map(len, slices)) <= SLICE_VALUES
    for changes in slices:
        detection.saved(changes)

    forgotten = 0
    for number in range(3_000):
        said = detection.observe(event(number, actor=f"new{number}", time_ms=over_ms))
        forgotten += sum(found.kind is SignalKind.FORGOTTEN for found in said)
        assert all(times <= 1 for times in counted.done().values())
    assert (forgotten, detection.evicted) == (3_000, 3_000)
    done = counted.steps(detection.advance(over_ms + 500 * DAY_MS), STEP_IDENTITIES)
    assert (done["close"], done["forget"]) == (3_000, many)
    assert sum(detection.profiles.values()) == 0


def test_a_record_is_applied_once_per_source() -> None:
    """Offsets at or before the last one of a source are skipped; sources do not know of one another's."""
    detection = Detection(TALKATIVE, {})
    assert detection.observe(event(1, rows=5000), 0, 7)
    for offset in (7, 3):
        assert detection.observe(event(2, rows=9000), 0, offset) == []
    assert detection.skipped == 2
    assert detection.observe(event(3, rows=9000), 1, 3)
    assert detection.observe(event(4, rows=90_000), 0, 8)
    assert detection.skipped == 2
    assert detection.rows_taken[("test", Category.CUSTOMER_SERVICE)] == 5000 + 9000 + 90_000


def test_a_duplicate_is_counted_apart() -> None:
    """The same event under another offset is no skipped record but a duplicate, and adds no rows."""
    detection = Detection(TALKATIVE, {})
    detection.observe(event(1, rows=50), 0, 1)
    assert detection.observe(event(1, rows=50), 0, 2) == []
    assert (detection.skipped, detection.duplicates) == (0, 1)
    assert sum(detection.rows_taken.values()) == 50


def test_late_events_are_counted_and_still_judged() -> None:
    """An event of a day that has closed is late, every one is counted, and too much is still said."""
    detection = Detection(TALKATIVE, {})
    detection.observe(event(1))
    detection.observe(event(2, time_ms=START_MS + DAY_MS + 60_000))
    detection.observe(event(3, time_ms=START_MS + DAY_MS - 60_000))  # its day still waits
    assert detection.late == {}
    detection.observe(event(4, time_ms=START_MS + DAY_MS + HOUR_MS))
    for number in (5, 6):
        detection.observe(event(number, time_ms=START_MS + number))
    assert detection.late == {"test": 2}
    told = detection.observe(event(7, rows=10**6))
    assert {found.kind for found in told} == {SignalKind.CROSSED}
    assert {found.detector for found in told} >= {"volume", "export"}
    assert detection.late == {"test": 3}
    again = detection.observe(event(8, time_ms=START_MS + 2 * DAY_MS + HOUR_MS))
    assert [found.day for found in again if found.kind is SignalKind.CLOSED] == [START_DAY + 1]


def test_an_outlier_of_time_does_not_stop_the_clock() -> None:
    """After one event from far ahead, ordinary ones are judged and their days close as ever."""
    detection = Detection(TALKATIVE, {})
    detection.observe(event(1, time_ms=START_MS + 3000 * DAY_MS))
    detection.observe(event(2, rows=20))
    told = detection.observe(event(3, time_ms=START_MS + DAY_MS + HOUR_MS))
    assert {(found.kind, found.day) for found in told} == {(SignalKind.CLOSED, START_DAY)}
    assert detection.late == {}


def test_rows_are_told_by_the_gravest_category() -> None:
    """Rows that left are counted under the most sensitive kind of record that their event names."""
    detection = Detection(TALKATIVE, {})
    detection.observe(event(1, rows=3, objects=("User", "Contact"), origin=RecordOrigin("elf", "x:1")))
    detection.observe(event(2, rows=4, objects=("User",), origin=RecordOrigin("elf", "x:2")))
    detection.observe(event(3, rows=5, objects=(), origin=RecordOrigin("rtem", "x:3")))
    detection.observe(event(4, rows=None))
    assert detection.rows_taken == {
        ("elf", Category.CONTACT): 3,
        ("elf", Category.INTERNAL): 4,
        ("rtem", Category.UNCLASSIFIED): 5,
    }


def test_a_tick_is_tallied_when_it_is_over() -> None:
    """Of each tick that is over a tenant's personal rows are told, its rows by category and its events by source, once;
    by the shard, and with a number that grows with time."""
    detection = Detection(TALKATIVE, {}, shard=3)
    detection.observe(event(1, rows=3))
    detection.observe(event(2, rows=9, objects=("User",)))
    detection.observe(event(3, rows=None, operation=Operation.LOGIN, actor="v"))
    detection.observe(event(4, rows=7, time_ms=START_MS + TICK_MS, tenant="o"))
    assert all_of(detection.advance(START_MS + TICK_MS - 1)) == []
    [told] = all_of(detection.advance(START_MS + TICK_MS))
    assert (told.kind, told.tenant, told.rows) == (SignalKind.TALLY, "t", 3)
    assert told.objects == {Category.CUSTOMER_SERVICE: 3, Category.INTERNAL: 9}
    assert told.facts == {"test/login": 1.0, "test/query": 2.0}
    assert (told.first_ms, told.time_ms) == (START_MS, START_MS + TICK_MS)
    [other] = all_of(detection.advance(START_MS + 2 * TICK_MS))
    assert (other.tenant, other.rows, other.facts) == ("o", 7, {"test/query": 1.0})
    assert other.sequence == told.sequence + 1
    assert told.identity != event().identity
    assert all_of(detection.advance(START_MS + 9 * TICK_MS)) == []


def test_tallies_are_stored() -> None:
    """A tick under way goes on after a restart where it was, and a duplicate is not tallied."""
    store: Store = {}
    first = Detection(TALKATIVE, store)
    first.observe(event(1, rows=3), 0, 1)
    first.observe(event(1, rows=3), 0, 2)
    save(first)
    second = Detection(TALKATIVE, store)
    exhaust(second.restore(list(store)))
    second.observe(event(1, rows=3), 0, 1)
    second.observe(event(2, rows=4), 0, 3)
    [told] = all_of(second.advance(START_MS + TICK_MS))
    assert (told.rows, told.facts) == (7, {"test/query": 2.0})


def test_a_tick_that_was_told_stays_told_over_a_restart() -> None:
    """What comes late for a tick that was told before a restart counts in the first that is open, as without one."""
    store: Store = {}
    for restart in (False, True):
        store.clear()
        detection = Detection(TALKATIVE, store)
        detection.observe(event(1, rows=3), 0, 1)
        assert [told.first_ms for told in all_of(detection.advance(START_MS + TICK_MS))] == [START_MS]
        detection.observe(event(2, rows=4, time_ms=START_MS + TICK_MS + 1), 0, 2)
        save(detection)
        if restart:
            detection = Detection(TALKATIVE, store)
            exhaust(detection.restore(list(store)))
        detection.observe(event(3, rows=5), 0, 3)
        [told] = all_of(detection.advance(START_MS + 2 * TICK_MS))
        assert (told.first_ms, told.rows) == (START_MS + TICK_MS, 9)


def test_an_identity_is_summed_up_whether_decoded_or_stored() -> None:
    """The same in use and after a restart; nothing once it has been forgotten, or if it was never known."""
    store: Store = {}
    detection = Detection(TALKATIVE, store)
    detection.observe(event(1, rows=3, actor_name="Ada"))
    known = detection.summary("t/u")
    assert known is not None
    assert (known.id, known.name, known.last_ms) == ("t/u", "Ada", START_MS + 1000)
    save(detection)
    again = Detection(TALKATIVE, store)
    exhaust(again.restore(list(store)))
    assert again.summary("t/u") == known
    assert again.live == 0
    assert again.summary("t/nobody") is None
    all_of(again.advance(START_MS + 1000 * DAY_MS))
    assert again.summary("t/u") is None


def test_those_who_have_gone_quiet_are_closed() -> None:
    """A shard that is taken over closes the days in it, in the order of time, then identity; and only once."""
    store: Store = {}
    first = Detection(TALKATIVE, store)
    quiet = "zyxwvutsrqponmlkjihgfedcb"
    for number, actor in enumerate(f"a{quiet}"):
        first.observe(event(number, actor=actor, time_ms=START_MS + (number == 0) * DAY_MS))
    save(first)
    second = Detection(TALKATIVE, store)
    exhaust(second.restore(list(store)))
    due = START_MS + DAY_MS + HOUR_MS
    assert by_identity(all_of(second.advance(due - 1))).keys() == {"t/\x000"}
    told = all_of(second.advance(START_MS + 5 * DAY_MS))
    assert [(found.time_ms, found.actor) for found in told if found.kind is SignalKind.CLOSED] == [
        *((due, actor) for actor in sorted(quiet)),
        (due + DAY_MS, "a"),
    ]
    assert all_of(second.advance(START_MS + 9 * DAY_MS)) == []


def test_a_profile_that_cannot_be_read_is_an_error() -> None:
    """Neither a restored shard nor an event goes on over a broken profile as if it were empty."""
    store = {b"t/u": b"garbage"}
    with pytest.raises(StoredValueError, match="t/u: not a profile"):
        exhaust(Detection(TALKATIVE, store).restore([b"t/u"]))
    with pytest.raises(ProfileError):
        Detection(TALKATIVE, store).observe(event(1))


@pytest.mark.slow
def test_times_all_over_the_years_are_scheduled() -> None:
    """Thousands of different days to close are closed in order, each once, and so are the identities forgotten."""
    detection = Detection(TALKATIVE, {})
    days = 3000
    for number in range(days):
        day = number * 7919 % days
        detection.observe(event(number, actor=f"u{number % 1500}", time_ms=START_MS + day * DAY_MS))
    told = [
        found for found in all_of(detection.advance(START_MS + (days + 5) * DAY_MS)) if found.actor[0] == "u"
    ]
    times = [found.time_ms for found in told]
    assert times == sorted(times)
    closed = [found for found in told if found.kind is SignalKind.CLOSED]
    gone = [found.actor for found in told if found.kind is SignalKind.FORGOTTEN]
    assert len({(found.actor, found.day) for found in closed}) == len(closed) > 1500
    assert len(set(gone)) == len(gone) == len(told) - len(closed)
    assert sum(detection.profiles.values()) == 1500 - len(gone) > 0
    rest = [
        found for found in all_of(detection.advance(START_MS + 2 * days * DAY_MS)) if found.actor[0] == "u"
    ]
    assert {found.kind for found in rest} == {SignalKind.FORGOTTEN}
    assert len({found.actor for found in rest} | set(gone)) == 1500
    assert sum(detection.profiles.values()) == 0


def test_indicators_may_come_later_and_go() -> None:
    """An indicator that is learned of counts from the next event on; one of the settings stays; one that is gone
    counts no more."""
    mine = Settings(detection=DetectionSettings(indicators={"198.51.100.7": Indicator(name="ours")}))
    detection = Detection(mine, {})

    def named(number: int, ip: str) -> list[str]:
        signals = detection.observe(event(number, ip=ip))
        return [new.value for signal in signals if signal.detector == "intel" for new in signal.news]

    assert named(1, "203.0.113.9") == []
    feed = IndicatorIndex({"198.51.100.7": Indicator(name="not ours")})
    detection.watch_for(feed)
    feed.put("203.0.113.0/25", Indicator(name="feed"))
    assert named(2, "203.0.113.9") == ["feed"]
    feed.withdraw("203.0.113.0/25")
    later = 2 * 86_400
    assert named(later, "203.0.113.9") == []
    assert named(later + 1, "198.51.100.7") == ["ours"]


@pytest.mark.slow
@given(streams(most_days=4), st.data())
@settings(max_examples=80, deadline=None)
def test_when_somebody_is_forgotten_is_no_matter_of_when_that_is_seen(
    events: list[AccessEvent], data: st.DataObject
) -> None:
    """After days without an event, whether it is seen when they are over or when the identity returns, in one process
    or in several, the same is said, and the same is left."""
    expected, profiles = run(events, FORGETFUL)
    store: Store = {}
    detection = Detection(FORGETFUL, store, live_profiles=data.draw(st.integers(0, 2)))
    signals = []
    for number, each in enumerate(events):
        if data.draw(st.booleans()):
            signals += all_of(detection.advance(each.time_ms - data.draw(st.integers(0, 5 * DAY_MS))))
        signals += detection.observe(each, 0, number)
        if data.draw(st.booleans()):
            save(detection)
            detection = Detection(FORGETFUL, store)
            exhaust(detection.restore(list(store)))
    signals += all_of(detection.advance(end_of(events)))
    save(detection)
    assert by_identity(signals) == expected
    assert {key: without_offsets(value) for key, value in profiles_of(store).items()} == {
        key: without_offsets(value) for key, value in profiles.items()
    }
    assert sum(detection.profiles.values()) == len(profiles)


def test_who_has_been_forgotten_is_new() -> None:
    """The day after the last of the days, an hour for late events later: its profile is gone, what is said of it
    begins anew above all that was said before, and its offsets stay."""
    store: Store = {}
    detection = Detection(FORGETFUL, store)
    detection.observe(event(1, rows=5000), 0, 7)
    before = all_of(detection.advance(START_MS + 2 * DAY_MS))
    over_ms = START_DAY * DAY_MS + 3 * DAY_MS + HOUR_MS
    assert all_of(detection.advance(over_ms - 1))[len(before) :] == []
    save(detection)
    assert b"t/u" in store
    [gone] = [found for found in all_of(detection.advance(over_ms)) if found.kind is SignalKind.FORGOTTEN]
    assert (gone.identity, gone.time_ms) == ("t/u", over_ms)
    changes = whole(detection.changes())
    assert changes[b"t/u"] is None
    detection.saved(changes)
    assert profiles_of(store) == {}
    assert detection.profiles[ActorKind.HUMAN] == 0
    back = detection.observe(event(2, time_ms=over_ms + 9 * DAY_MS, rows=5000), 0, 8)
    assert back
    assert all(found.sequence > gone.sequence and not found.known_days for found in back)
    again = Detection(FORGETFUL, {})
    again.observe(event(1), 0, 7)
    again.observe(event(2, time_ms=over_ms), 0, 9)
    assert again.observe(event(1), 0, 7) == []
    assert again.skipped == 1


def test_of_too_many_those_go_who_are_missed_the_least() -> None:
    """Newcomers in the order in which they came, then whoever has been idle the longest; who is known is kept from a
    crowd of made-up names, and who had to go is counted."""
    few = msgspec.structs.replace(TALKATIVE.detection, most_identities=100, cold_days=2)
    store: Store = {}
    detection = Detection(Settings(detection=few), store)
    number = 0
    for day in range(3):
        for known in range(40):
            number += 1
            detection.observe(event(number, actor=f"known{known:02}", time_ms=START_MS + day * DAY_MS))
    all_of(detection.advance(START_MS + 3 * DAY_MS))
    save(detection)
    said: list[Signal] = []
    for made_up in range(1000):
        number += 1
        said += detection.observe(event(number, actor=f"x{made_up}", time_ms=START_MS + 3 * DAY_MS))
        assert sum(detection.profiles.values()) <= 100
        if not made_up % 100:
            save(detection)
    save(detection)
    gone = [found.actor for found in said if found.kind is SignalKind.FORGOTTEN]
    assert gone == [f"x{made_up}" for made_up in range(len(gone))]
    assert detection.evicted == len(gone) > 900
    assert len(store) - 1 == sum(detection.profiles.values())
    assert {f"t/known{known:02}".encode() for known in range(40)} <= set(store)

    idle = Detection(Settings(detection=few), {})
    for day in range(6):
        for known in range(100):
            if day < 4 or known not in (7, 9):
                number += 1
                idle.observe(event(number, actor=f"known{known:02}", time_ms=START_MS + day * DAY_MS))
    said = idle.observe(event(0, actor="one more", time_ms=START_MS + 6 * DAY_MS))
    assert [found.actor for found in said if found.kind is SignalKind.FORGOTTEN] == ["known07"]
    assert idle.evicted == 1


def test_identities_are_counted_by_kind() -> None:
    """Those created and, in a shard that is taken over, those restored; events of the same one count it once."""
    store: Store = {}
    detection = Detection(TALKATIVE, store)
    kinds = (ActorKind.HUMAN, ActorKind.INTEGRATION, ActorKind.HUMAN, ActorKind.HUMAN)
    for number, kind in enumerate(kinds):
        detection.observe(event(number, actor=f"u{min(number, 2)}", actor_kind=kind))
    assert detection.profiles == {ActorKind.HUMAN: 2, ActorKind.INTEGRATION: 1}
    save(detection)
    successor = Detection(TALKATIVE, store)
    exhaust(successor.restore(list(store)))
    successor.observe(event(9, actor="u0"))
    assert successor.profiles == detection.profiles


def test_what_ledgers_forget_is_counted_once() -> None:
    """Operations beyond a ledger's room count when changes are asked for, and not again by who takes over."""
    store: Store = {}
    detection = Detection(TALKATIVE, store)
    for number in range(OPEN_OPERATIONS + 3):
        detection.observe(event(number, operation_id=f"j{number}", rows=5, counting=Counting.MAXIMUM))
    assert detection.forgotten == 0
    whole(detection.changes())
    save(detection)
    assert detection.forgotten == 3
    successor = Detection(TALKATIVE, store)
    successor.observe(event(99, operation_id="j99", rows=5, counting=Counting.MAXIMUM))
    save(successor)
    assert successor.forgotten == 1
