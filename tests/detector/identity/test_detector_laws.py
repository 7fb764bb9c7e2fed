"""Laws that every identity detector keeps; they run on all that `detector.identity.detectors.registry` finds.

That what is said depends neither on when time is told nor on how identities interleave is in `test_detection`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from detector.alert import runbook
from detector.anomaly import Anomaly
from detector.detectors import BUILT_IN, with_plugins
from detector.event import AccessEvent, ActorKind, Counting, Operation
from detector.explanation import DetectorNameError
from detector.identity.detect import Detection
from detector.identity.detectors.registry import DETECTORS, IdentityDetector
from detector.identity.ledger import RECENT_EVENTS
from detector.identity.profile import MAX_BYTES, PROFILES, SIGNALS_A_DAY, Profile
from detector.indicator_index import IndicatorIndex
from detector.settings import DetectionSettings, Indicator, Settings
from detector.signal import NewValue, Signal, SignalKind
from detector.units import DAY_MS, HOUR_MS
from tests.detector.make import START_DAY, START_MS, event, whole

SETTINGS = DetectionSettings(indicators={"192.0.2.0/24": Indicator(name="a published list")})
INDICATORS = IndicatorIndex(SETTINGS.indicators)
COLD = SETTINGS.cold_days
YEAR_MS = 365 * DAY_MS
KINDS = ("Case", "Contact", "Account", "User", "Loyalty__c")
quick = settings(
    max_examples=50, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
)
every_detector = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)


# --- lives


def ordinary(seed: int, days: int = 30, actor_kind: ActorKind = ActorKind.HUMAN) -> list[AccessEvent]:
    """Days of one identity: mostly in order, with jobs, a burst now and then, and some events late."""
    random = Random(seed)
    made: list[AccessEvent] = []
    for day in range(days):
        at_ms = START_MS + day * DAY_MS + 8 * HOUR_MS
        for _ in range(random.randrange(5, 30)):
            at_ms += int(random.expovariate(1 / 1_500_000))
            number = len(made)
            made.append(
                event(
                    number,
                    time_ms=at_ms - random.choice((0, 0, 0, 0, 600_000, 2 * HOUR_MS)),
                    actor_kind=actor_kind,
                    actor_name="Ada Lovelace",
                    rows=int(random.lognormvariate(3, 1)) * (50 if random.random() < 0.02 else 1),
                    operation=random.choice(
                        (Operation.QUERY, Operation.QUERY, Operation.RECORD_VIEW, Operation.REPORT)
                    ),
                    objects=tuple(random.sample(KINDS, random.choice((0, 1, 1, 2)))),
                    counting=random.choice(tuple(Counting)),
                    operation_id=random.choice((None, f"job-{number // 4}")),
                    ip=f"203.0.113.{random.randrange(9)}",
                    user_agent="Mozilla/5.0 (Windows NT 10.0) Chrome/142.0",
                    app="console",
                    country="DE",
                )
            )
    return made


def robbed(seed: int) -> list[AccessEvent]:
    """The same, whose account then takes three times as much for days, and at last is used by a thief at night."""
    past = ordinary(seed)
    made = list(past)
    end_ms = START_MS + 30 * DAY_MS
    for day in range(8):
        for part in range(5):
            at_ms = end_ms + day * DAY_MS + (9 + part) * HOUR_MS
            made.append(event(len(made), time_ms=at_ms, rows=400, ip="203.0.113.1", app="console"))
    night_ms = end_ms + 8 * DAY_MS + 2 * HOUR_MS
    thief = {"ip": "192.0.2.77", "user_agent": "python-requests/2.32", "app": "loader", "country": "NL"}
    steps = (
        (Operation.COUNT, None), (Operation.VENDOR_FINDING, None), (Operation.BULK_EXPORT, 60_000),
        (Operation.EXPORT_DELETE, None), *[(Operation.RECORD_VIEW, 1)] * 90,
    )  # fmt: skip
    for number, (operation, rows) in enumerate(steps):
        at_ms = night_ms + number * 1000
        made.append(event(len(made), time_ms=at_ms, operation=operation, rows=rows, **thief))
    made.append(event(len(made), time_ms=night_ms + 3 * DAY_MS))
    return made


def hostile(
    seed: int, events: int, *, names: int = 12, days: int = 1, rows: int = 10**12
) -> list[AccessEvent]:
    """All that may inflate a state: whatever can be new is new with most events, on `days` days at once; now and then
    somebody comes back who was here before.
    """
    random = Random(seed)
    made: list[AccessEvent] = []
    for number in range(events):
        if made and random.random() < 0.3:
            again = random.choice(made[-40:])
            fields = {"event_id": f"again-{number}", "time_ms": again.time_ms + 1}
            made.append(msgspec.structs.replace(again, **fields))
            continue
        fresh = event(
            number,
            time_ms=START_MS + number * 3000 - random.randrange(days) * DAY_MS,
            rows=random.choice((1, 5000, rows)),
            operation=random.choice(tuple(Operation)),
            objects=(f"{'é' * random.randint(0, names)}Thing{number}__c",),
            operation_id=f"job-{number}",
            ip=f"{random.choice(('192.0', f'2001:db8:{number % 60_000:x}:'))}:{number % 9999:x}"
            if number % 2
            else f"{number % 250}.{number // 250 % 250}.{number // 62_500 % 250}.1",
            user_agent=f"agent{'é' * (number % names)}{chr(97 + number % 26)}{number}x{number % 31 * 'y'}",
            app=f"app-{number}-{'ü' * names}",
            country=f"C{number}",
            session=f"session-{number}",
            query_shape=f"SELECT {number} {'x' * names}",
            record_ids=(f"{number:0{6 + names}d}",),
            actor_kind=random.choice(tuple(ActorKind)),
            actor_name="ñ" * 10_000,
        )
        made.append(fresh)
    return made


texts = st.none() | st.sampled_from(["", "a", "192.0.2.1", "203.0.113.9"]) | st.text(max_size=300)


@st.composite
def anything(draw: st.DrawFn, first_day: int = 0, last_day: int = 400) -> list[AccessEvent]:
    """Events with any values at any times, some again and again: interleaved days, late ones, all operations."""
    made = []
    at_ms = START_MS + first_day * DAY_MS
    for number in range(draw(st.integers(1, 40))):
        at_ms += draw(st.sampled_from([0, 1, 1000, 1000, HOUR_MS, 9 * HOUR_MS, DAY_MS, 3 * DAY_MS]))
        late_ms = draw(
            st.sampled_from([0, 0, 0, HOUR_MS, DAY_MS, 2 * DAY_MS, 5 * DAY_MS, -4 * DAY_MS, YEAR_MS])
        )
        made.append(
            event(
                number,
                time_ms=min(max(at_ms - late_ms, START_MS), START_MS + last_day * DAY_MS - 1),
                actor_kind=draw(st.sampled_from(ActorKind)),
                actor_name=draw(texts),
                operation=draw(st.sampled_from(Operation)),
                rows=draw(st.sampled_from([None, -1, 0, 1, 50, 5000, 10**12, 10**30])),
                objects=tuple(draw(st.lists(st.sampled_from(KINDS) | st.text(max_size=90), max_size=3))),
                counting=draw(st.sampled_from(Counting)),
                operation_id=draw(st.sampled_from([None, "j", "k"])),
                ip=draw(texts),
                user_agent=draw(texts),
                app=draw(texts),
                country=draw(texts),
                query_shape=draw(texts),
                record_ids=tuple(draw(st.lists(st.text(max_size=60), max_size=2))),
            )
        )
    return made


# --- and how they are lived


def live(
    events: Iterable[AccessEvent],
    *,
    reload_every: int = 0,
    after: Callable[[Profile], None] = lambda profile: None,
) -> tuple[list[Signal], Profile]:
    """What is said about events, all days closed at last; the profile is stored and read again as often as told."""
    said: list[Signal] = []
    profile: Profile | None = None
    for number, found in enumerate(events, 1):
        if profile is None:
            profile = PROFILES.new(found)
        if reload_every and number % reload_every == 0:
            profile = PROFILES.decode(PROFILES.encode(profile))
        if found.time_ms > profile.clock_ms:
            said += PROFILES.close(profile, found.time_ms, SETTINGS)
        said += PROFILES.observe(profile, found, SETTINGS, INDICATORS.find(found))[1]
        after(profile)
    assert profile is not None
    said += PROFILES.close(profile, profile.clock_ms + 9 * DAY_MS, SETTINGS)
    return said, profile


def encoded(said: Sequence[Signal]) -> list[bytes]:
    """Signals as bytes."""
    return [msgspec.msgpack.encode(found) for found in said]


def size(profile: Profile) -> int:
    """How many bytes it takes."""
    return len(PROFILES.encode(profile))


# --- each detector


@every_detector
def test_a_state_begins_empty(detector: IdentityDetector) -> None:
    """A state needs nothing to begin with, so that a new detector can join old profiles, and takes few bytes."""
    empty = msgspec.msgpack.encode(detector.State())
    nothing = b"\x90" if isinstance(msgspec.msgpack.decode(empty), list) else b"\x80"
    assert msgspec.msgpack.decode(nothing, type=detector.State) == detector.State()
    assert len(empty) < 64


@every_detector
def test_a_name_is_its_own(detector: IdentityDetector) -> None:
    """Every signal carries its detector's name, which is what the registry knows it by; all of them can speak."""
    assert DETECTORS[detector.name] is detector
    said, _ = live(robbed(1))
    assert detector.name in {found.detector for found in said}
    assert {found.detector for found in said} == {*DETECTORS, ""}
    for found in said:
        assert {one.detector for one in found.measures} <= {found.detector} or found.kind is SignalKind.CLOSED
        assert (found.kind is SignalKind.CLOSED) == (found.detector == "")


@pytest.mark.slow
@every_detector
def test_what_is_given_up_is_less(detector: IdentityDetector) -> None:
    """To shrink a state makes it smaller each time, until there is nothing to give up; then it works on."""
    _, profile = live(hostile(1, 300)[:-1] + robbed(2))
    state = getattr(profile.states, detector.name)
    before = len(msgspec.msgpack.encode(state))
    while detector.shrink(state):
        after = len(msgspec.msgpack.encode(state))
        assert after < before
        before = after
    late = event(1, event_id="last", time_ms=profile.clock_ms + DAY_MS, rows=10**6)
    PROFILES.observe(profile, late, SETTINGS)
    assert PROFILES.close(profile, profile.clock_ms + 9 * DAY_MS, SETTINGS)[-1].kind is SignalKind.CLOSED


@every_detector
def test_a_day_that_is_dropped_leaves_nothing(detector: IdentityDetector) -> None:
    """To drop a day that was never seen changes nothing."""
    _, profile = live(robbed(3))
    state = getattr(profile.states, detector.name)
    before = msgspec.msgpack.encode(state)
    detector.drop(state, START_DAY + 999)
    assert msgspec.msgpack.encode(state) == before


# --- state


@pytest.mark.parametrize("every", [1, 2, 7])
@pytest.mark.parametrize(
    "events", [robbed(4), ordinary(5, actor_kind=ActorKind.INTEGRATION), hostile(6, 400)]
)
def test_a_profile_can_be_stored_at_any_event(events: list[AccessEvent], every: int) -> None:
    """Stored and read again before every n-th event, a profile says the same as one that was never stored."""
    said, profile = live(events)
    again, other = live(events, reload_every=every)
    assert encoded(again) == encoded(said)
    assert PROFILES.encode(other) == PROFILES.encode(profile)


@pytest.mark.slow
@given(anything(), st.integers(1, 4))
@quick
def test_anything_can_be_stored_at_any_event(events: list[AccessEvent], every: int) -> None:
    """Whatever the log holds, in whatever order of days: the same is said, and the profile is as small."""
    said, profile = live(events)
    again, other = live(events, reload_every=every)
    assert encoded(again) == encoded(said)
    assert PROFILES.encode(other) == PROFILES.encode(profile)
    first = events[0].time_ms // DAY_MS * SIGNALS_A_DAY + 1
    assert [found.sequence for found in said] == list(range(first, first + len(said)))
    assert size(profile) <= MAX_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("days", [1, 2, 4])
@pytest.mark.parametrize("names", [1, 12, 90])
def test_a_profile_stays_small(names: int, days: int) -> None:
    """Whatever one identity does, with thousands of addresses, agents, apps, kinds, queries and jobs, under names of
    any length, on one day or on several at once: no more than 4 KB, at any event."""
    largest = 0

    def note(profile: Profile) -> None:
        nonlocal largest
        largest = max(largest, size(profile))

    live(hostile(names + days, 3000, names=names, days=days), after=note)
    assert 3_000 < largest <= MAX_BYTES == 4_096


@pytest.mark.slow
@pytest.mark.parametrize(
    "distinct",
    [
        lambda number: {"ip": f"{number % 250}.{number // 250 % 250}.{number // 62_500}.1"},
        lambda number: {"user_agent": f"agent {number}"},
        lambda number: {"user_agent": "x" * (number % 60) + chr(97 + number % 26)},
        lambda number: {"app": f"app-{number}"},
        lambda number: {"country": f"C{number}"},
        lambda number: {"objects": (f"Thing{number}__c",)},
        lambda number: {"query_shape": f"SELECT {number}", "actor_kind": ActorKind.INTEGRATION},
        lambda number: {"operation_id": f"job-{number}"},
        lambda number: {"record_ids": (f"500{number:015d}",), "operation": Operation.RECORD_VIEW},
        lambda number: {"operation": tuple(Operation)[number % len(Operation)]},
        lambda number: {"time_ms": START_MS + number * DAY_MS},
        lambda number: {"time_ms": START_MS + number * 7919 % 100_000 * DAY_MS},
    ],
    ids=[
        "ip",
        "agent",
        "family",
        "app",
        "country",
        "object",
        "query",
        "job",
        "id",
        "operation",
        "day",
        "time",
    ],
)
def test_what_is_always_different_takes_no_more_room(distinct: Callable[[int], dict[str, object]]) -> None:
    """Thousands of distinct values of one sort take as much room as hundreds, and never more than 4 KB."""
    sizes: list[int] = []

    def note(profile: Profile) -> None:
        sizes.append(size(profile))

    given = ({"time_ms": START_MS + 14 * DAY_MS + number * 100} | distinct(number) for number in range(8000))
    past = ordinary(1, days=14)
    live(
        [*past, *(event(10_000 + number, rows=9, **fields) for number, fields in enumerate(given))],
        after=note,
    )
    assert max(sizes[-7000:]) <= max(sizes[-8000:-7000]) + 40
    assert max(sizes) <= MAX_BYTES


@pytest.mark.parametrize("actor_kind", ActorKind)
def test_an_ordinary_profile_is_smaller(actor_kind: ActorKind) -> None:
    """Weeks of an ordinary identity take less than 2.5 KB."""
    largest = 0

    def note(profile: Profile) -> None:
        nonlocal largest
        largest = max(largest, size(profile))

    live(ordinary(8, days=42, actor_kind=actor_kind), after=note)
    assert largest < 2_560


# --- what is said


@pytest.mark.slow
@given(anything(last_day=COLD - 1))
@quick
def test_cold_is_never_new(events: list[AccessEvent]) -> None:
    """Within the first days of an identity nothing is new to it, and no step of it is rare."""
    said, profile = live(events)
    assert profile.known_days < COLD
    assert not {"novelty", "chain"} & {found.detector for found in said}
    assert all(found.news == [] for found in said if found.detector != "intel")


@pytest.mark.slow
@given(anything(), st.data())
@quick
def test_an_event_again_changes_nothing(events: list[AccessEvent], data: st.DataObject) -> None:
    """An event that is in the log twice, near enough, is counted once and said once."""
    twice = []
    repeated = 0
    for number, found in enumerate(events):
        twice.append(found)
        for back in data.draw(st.lists(st.integers(0, 10), max_size=2)):
            if back <= number:
                twice.append(events[number - back])
                repeated += 1
    said, profile = live(events)
    once, other = live(twice)
    assert encoded(once) == encoded(said)
    assert (profile.duplicates, other.duplicates) == (0, repeated)
    other.duplicates = 0
    assert PROFILES.encode(other) == PROFILES.encode(profile)
    assert RECENT_EVENTS > 30


@pytest.mark.slow
@given(anything(), st.data())
@quick
def test_a_record_again_changes_nothing(events: list[AccessEvent], data: st.DataObject) -> None:
    """However often records are delivered again from any point before, each is applied once."""
    plain = Detection(Settings(detection=SETTINGS), {})
    again = Detection(Settings(detection=SETTINGS), {})
    expected = [found for number, one in enumerate(events) for found in plain.observe(one, 0, number)]
    said = []
    for number in range(len(events)):
        for offset in range(number - data.draw(st.integers(0, number)), number + 1):
            said += again.observe(events[offset], 0, offset)
    assert encoded(said) == encoded(expected)
    assert whole(again.changes()) == whole(plain.changes())


@pytest.mark.parametrize("seed", range(4))
def test_fewer_rows_are_never_worse(seed: int) -> None:
    """After the same past, taking fewer rows says nothing that taking more would not say."""
    _, past = live(ordinary(seed))
    before = PROFILES.encode(past)
    said: list[set[str]] = []
    for rows in (0, 1, 3, 10, 30, 100, 300, 1000, 10_000, 1_000_000):
        profile = PROFILES.decode(before)
        signals: list[Signal] = []
        for number in range(5):
            found = event(number, time_ms=START_MS + 60 * DAY_MS + number, rows=rows, event_id=f"x-{number}")
            signals += PROFILES.observe(profile, found, SETTINGS, INDICATORS.find(found))[1]
        said.append({one.detector for one in signals} & {"volume", "export", "novelty"})
    assert all(fewer <= more for fewer, more in pairwise(said))
    assert said[-1] >= {"volume", "export"}
    assert not {"volume", "export"} & said[0]


def digest() -> str:
    """All that all detectors say about some lives, and the profiles they end with, in one number."""
    total = hashlib.sha256()
    for events in (robbed(6), ordinary(7), hostile(8, 500, names=40, days=3)):
        said, profile = live(events)
        total.update(b"".join(encoded(said)))
        total.update(PROFILES.encode(profile))
    return total.hexdigest()


@pytest.mark.slow
def test_hashing_changes_nothing() -> None:
    """Processes whose sets and dicts are seeded differently say the same, byte for byte."""
    script = "from tests.detector.identity.test_detector_laws import digest; print(digest())"
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout.strip()
        for seed in ("1", "31337")
    }
    assert said == {digest()}


# --- how it is told


ANY_TEXT = st.text(max_size=40) | st.sampled_from(["", "all", "bulk_export", "query:calls", "{braces}", "“”"])
ANOMALIES = st.builds(
    Anomaly,
    detector=st.sampled_from([*BUILT_IN.explanations.names, "unheard_of"]),
    channel=ANY_TEXT,
    span=st.sampled_from(["", "hour", "day", "week", "operation"]),
    time_ms=st.integers(0, 1 << 42),
    first_ms=st.integers(0, 1 << 42),
    last_ms=st.integers(0, 1 << 42),
    surprise=st.floats(0, 12),
    value=st.integers(0, 10**12),
    typical=st.floats(0, 1e12),
    bound=st.floats(0, 1e12),
    own_days=st.integers(0, 400),
    news=st.lists(
        st.builds(
            NewValue,
            what=st.sampled_from(["network", "agent", "operation", "hour", "object", "query", "sort"]) | ANY_TEXT,
            value=ANY_TEXT, news=st.just(0.0), days=st.just(0.0), age_days=st.floats(0, 90), rows=st.integers(0, 99),
        ),
        max_size=5,
    ),
    facts=st.dictionaries(
        st.sampled_from(["days", "week_rows", "typical_day", "actions", "ascending", "recon", "clean-up"]),
        st.floats(0, 1e9),
    ),
)  # fmt: skip
KINDS_OF_EVIDENCE = {"amount", "novelty", "rhythm", "chain", "vendor", "intel", "origin", "series", "health"}


@given(ANOMALIES, st.integers(0, 400))
def test_every_anomaly_is_told(anomaly: Anomaly, known_days: int) -> None:
    """Title and reason are one line each whatever was found, techniques have numbers; none says another's code."""
    explanation = BUILT_IN.explanations[anomaly.detector]
    title, reason = explanation.title(anomaly, "“who”"), explanation.reason(anomaly, known_days)
    assert title.text
    assert reason.text
    assert not {"\n", "\r"} & {*title.text, *reason.text}
    assert all(technique.address for technique in explanation.techniques(anomaly))
    if anomaly.detector == "unheard_of":
        assert (title.code, reason.code) == ("unknown.title", "unknown.reason")
        assert reason.text == "The detector unheard_of finds it unusual"


def test_detectors_are_weighed_by_what_they_say_of_themselves() -> None:
    """Kinds of evidence are few and known; what only supports is one; steps of its own have texts."""
    explanations = [BUILT_IN.explanations[name] for name in BUILT_IN.explanations.names]
    assert len(explanations) == 12
    assert {one.evidence_kind for one in explanations if one.support is None} == KINDS_OF_EVIDENCE
    assert [one.name for one in explanations if one.support is not None] == ["population"]
    assert {one.name for one in explanations if one.certain} == {"intel", "vendor"}
    for one in explanations:
        for steps in (one.steps or {}).values():
            assert all(step in one.step_templates or f"step.{step}" in runbook.TEMPLATES for step in steps)


def test_two_detectors_cannot_bear_one_name() -> None:
    """A plug-in's detector that is called as a built-in one is refused, by its name."""
    with pytest.raises(DetectorNameError, match="two detectors are named volume"):
        with_plugins([DETECTORS["volume"]])
