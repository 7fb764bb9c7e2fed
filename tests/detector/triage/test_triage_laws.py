from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector import keyed_state
from detector.alert.alert import Alert
from detector.event import AccessEvent, Operation
from detector.fleet import mixture
from detector.identity.detect import Detection
from detector.settings import DetectionSettings, Indicator, Settings, TriageSettings
from detector.signal import Signal, SignalKind
from detector.simulation import Theft
from detector.triage import triage as triage_module
from detector.triage.triage import settled_at
from detector.units import DAY_MS, HOUR_MS, TICK_MS
from tests.detector.make import START_MS, all_of, event, measure, new, signal, world
from tests.detector.triage.triages import NOON_MS, Store, anew, save, tell
from tests.detector.triage.triages import AlertingTriage as Triage

TALKATIVE = Settings(
    detection=DetectionSettings(
        bound_deviations=0.3, cold_days=2, indicators={"python-requests/2.32.4": Indicator(name="thief")}
    ),
    triage=TriageSettings(
        alert_budget=1000, alert_risk=0, least_risk=0, support_surprise=0.3, quiet_seconds=26 * 3600
    ),
)
"""Quick to speak, so that a small world says much."""
TENANT = "00D4R000001kSkyUAE"


def extra() -> list[AccessEvent]:
    """What the small world lacks: a crowd on a new network, driven by programs, and a vendor's findings."""
    crowd = [
        event(
            time_ms=START_MS + (4 * 24 + 10) * HOUR_MS + number * 400_000 + view * 7_000,
            event_id=f"crowd-{number}-{view}",
            tenant=TENANT,
            actor=f"0054R{number:010d}QAA",
            operation=Operation.RECORD_VIEW,
            objects=("Contact",),
            ip=f"192.0.2.{50 + number}",
            user_agent="curl/8.1",
            record_ids=(f"003{view:012d}",),
        )
        for number in range(5)
        for view in range(60)
    ]
    vendors = [
        event(
            time_ms=START_MS + day * DAY_MS + 11 * HOUR_MS,
            event_id=f"vendor-{day}",
            tenant=TENANT,
            actor="0054R0000000001QAA",
            operation=Operation.VENDOR_FINDING,
            rows=None,
        )
        for day in range(9)
    ]
    return crowd + vendors


@cache
def stream() -> tuple[tuple[Signal, ...], int]:
    """The signals of a small world with a theft, as triage gets them: in the order of their time; and its end."""
    detection = Detection(TALKATIVE, {})
    events = sorted(
        [*world(5, 24 * 9, Theft(start_ms=START_MS + (7 * 24 + 3) * HOUR_MS), 6, 2), *extra()],
        key=lambda one: (one.time_ms, one.event_id),
    )
    signals = []
    for one in events:
        signals += all_of(detection.advance(one.time_ms))
        signals += detection.observe(one)
    end_ms = events[-1].time_ms + 3 * DAY_MS
    signals += all_of(detection.advance(end_ms))
    return tuple(sorted(signals, key=lambda one: one.time_ms)), end_ms


@cache
def uninterrupted() -> tuple[tuple[bytes, ...], Store]:
    """What a desk says about the stream if nothing happens to it, and what it stores."""
    store: Store = {}
    triage = Triage(TALKATIVE, store)
    signals, end_ms = stream()
    alerts = tell(triage, *signals) + triage.advance(end_ms)
    save(triage)
    return tuple(sorted(alert.body for alert in alerts)), store


@pytest.mark.slow
def test_the_stream_has_everything_in_it() -> None:
    """All kinds of signals but that somebody is forgotten, alerts of all activities, on identities and on a network."""
    signals, _ = stream()
    assert {one.kind for one in signals} == set(SignalKind) - {SignalKind.FORGOTTEN}
    assert {one.detector for one in signals} >= {
        "volume",
        "export",
        "novelty",
        "rhythm",
        "chain",
        "vendor",
        "intel",
    }
    bodies = [json.loads(one) for one in uninterrupted()[0]]
    assert len(bodies) > 60
    assert {one["activity_id"] for one in bodies} == {1, 2, 3}
    assert {bool(one["unmapped"]["crmwatch"]["network"]) for one in bodies} == {True, False}
    assert {key[:1] for key in uninterrupted()[1]} >= {b"s", b"d", b"t"}


def told_by(alerts: Sequence[Alert]) -> tuple[bytes, ...]:
    """Alerts, to be compared whatever their order."""
    return tuple(sorted(alert.body for alert in alerts))


@pytest.mark.slow
def test_the_same_signals_twice_over_a_whole_stream() -> None:
    """Every signal of a world judged twice, and some again much later: the same alerts and the same state."""
    expected, stored = uninterrupted()
    store: Store = {}
    triage = Triage(TALKATIVE, store)
    signals, end_ms = stream()
    alerts = []
    for number, one in enumerate(signals):
        alerts += tell(triage, one, one, signals[number // 2])
    alerts += triage.advance(end_ms)
    save(triage)
    assert told_by(alerts) == expected
    assert store == stored


@pytest.mark.slow
@given(st.data())
@settings(max_examples=8)
def test_a_desk_begun_anew_says_the_same(data: st.DataObject) -> None:
    """Saved and taken over by another at any points, some signals delivered again, told the time at other moments."""
    expected, stored = uninterrupted()
    signals, end_ms = stream()
    store: Store = {}
    triage = Triage(TALKATIVE, store)
    alerts: list[Alert] = []
    stops = sorted(data.draw(st.lists(st.integers(1, len(signals) - 1), max_size=5)))
    hurry = data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    begin = 0
    for stop in [*stops, len(signals)]:
        for one in signals[begin:stop]:
            alerts += triage.advance(
                settled_at(one.time_ms) + round(hurry * (one.time_ms - settled_at(one.time_ms)))
            )
            alerts += tell(triage, one)
        triage = anew(triage, store, TALKATIVE)
        begin = max(0, stop - data.draw(st.integers(0, 50)))
    alerts += triage.advance(end_ms)
    save(triage)
    assert told_by(alerts) == expected
    assert store == stored


@pytest.mark.slow
@pytest.mark.parametrize("every", [3, 50])
def test_saving_at_every_nth_signal_changes_nothing(every: int) -> None:
    """Saved, dropped and taken over by another after so many signals, all the way: the same alerts and state."""
    expected, stored = uninterrupted()
    signals, end_ms = stream()
    store: Store = {}
    triage = Triage(TALKATIVE, store)
    alerts = []
    for number, one in enumerate(signals):
        alerts += tell(triage, one)
        if number % every == 0:
            triage = anew(triage, store, TALKATIVE)
    alerts += triage.advance(end_ms)
    save(triage)
    assert told_by(alerts) == expected
    assert store == stored


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3])
def test_where_work_is_cut_changes_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a step and a slice may hold, and whether what a signal needs is learned before it or with it: the same
    alerts and state."""
    expected, stored = uninterrupted()
    monkeypatch.setattr(triage_module, "STEP_ITEMS", size)
    monkeypatch.setattr(mixture, "STEP_VECTORS", size)
    monkeypatch.setattr(keyed_state, "SLICE_VALUES", size)
    signals, end_ms = stream()
    store: Store = {}
    triage = Triage(TALKATIVE, store)
    alerts: list[Alert] = []
    learned = 0
    for number, one in enumerate(signals):
        alerts += triage.advance(settled_at(one.time_ms))
        mine = msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Signal)
        if number % 2:
            learned += len(list(triage.prepare(mine)))
            assert list(triage.prepare(mine)) == []
        alerts += triage.assess(mine)
        if not number % 500:
            triage = anew(triage, store, TALKATIVE)
    alerts += triage.advance(end_ms)
    save(triage)
    assert learned
    assert told_by(alerts) == expected
    assert store == stored


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_how_identities_interleave_changes_nothing(seed: int) -> None:
    """Whoever's signals come first, as long as each waits for its time to have settled: the same alerts and state."""
    random = Random(seed)
    expected, stored = uninterrupted()
    signals, end_ms = stream()
    waiting: dict[str, deque[Signal]] = defaultdict(deque)
    for one in signals:
        waiting[one.identity].append(one)
    store: Store = {}
    triage = Triage(TALKATIVE, store)
    alerts: list[Alert] = []
    while waiting:
        known_ms = min(queue[0].time_ms for queue in waiting.values())  # all before it has come
        alerts += triage.advance(known_ms - random.choice((0, 0, random.randrange(TICK_MS))))
        ready = [
            name for name, queue in waiting.items() if settled_at(queue[0].time_ms) <= triage.watermark_ms
        ]
        if not ready:
            alerts += triage.advance(known_ms)
            continue
        name = random.choice(ready)
        alerts += triage.assess(
            msgspec.msgpack.decode(msgspec.msgpack.encode(waiting[name].popleft()), type=Signal)
        )
        if not waiting[name]:
            del waiting[name]
    alerts += triage.advance(end_ms)
    save(triage)
    assert told_by(alerts) == expected
    assert store == stored


SIGNALS = st.lists(
    st.tuples(
        st.integers(0, 5),  # who
        st.sampled_from([0, 1, 9, 60, 700, 1500]),  # minutes later
        st.sampled_from(["volume", "export", "novelty", "chain", "rhythm", "intel", "closed", "tally"]),
        st.integers(0, 10**6),
        st.floats(0, 9),
        st.booleans(),
    ),
    max_size=60,
)


def made_of(drawn: list[tuple[int, int, str, int, float, bool]]) -> list[Signal]:
    """Signals of few identities of two tenants, in the order of their time."""
    sequences: dict[str, int] = defaultdict(int)
    time_ms = NOON_MS
    signals = []
    for who, later, what, rows, score, more in drawn:
        time_ms += later * 60_000
        about: dict[str, Any] = {"actor": f"u{who}", "tenant": f"t{who % 2}", "time_ms": time_ms}
        if what == "tally":
            about["actor"] = f"\x00{who % 3}"
            end_ms = time_ms - time_ms % TICK_MS
            about |= {
                "time_ms": end_ms,
                "kind": SignalKind.TALLY,
                "detector": "",
                "measures": [],
                "facts": {"a/x": score},
            }
        elif what == "closed":
            about |= {"kind": SignalKind.CLOSED, "detector": "", "used": {"network": [rows % 5]}}
            about |= {
                "day": time_ms // DAY_MS - 1,
                "measures": [measure(rows), measure(rows // 2, channel="all")],
            }
        elif what in ("volume", "export"):
            about |= {"detector": what, "measures": [measure(rows, detector=what)], "more": more}
        else:
            news = (
                [new("network", f"192.0.{rows % 2}.0/24", rows=rows), new("agent", "x")]
                if what == "novelty"
                else []
            )
            about |= {
                "detector": what,
                "measures": [],
                "score": score,
                "rows": rows,
                "news": news,
                "more": more,
            }
        sequences[about["actor"]] += 1
        signals.append(signal(sequences[about["actor"]], **about))
    return sorted(signals, key=lambda one: one.time_ms)


@pytest.mark.slow
@given(SIGNALS, st.sets(st.integers(0, 60)), st.lists(st.floats(0, 1), min_size=60, max_size=60))
@settings(max_examples=150)
def test_any_signals_any_stops(drawn: Any, stops: set[int], moments: list[float]) -> None:
    """Whatever is said: a desk that is taken over anywhere and told the time at any moments says the same."""
    config = Settings(triage=TriageSettings(alert_risk=0, least_risk=0, support_surprise=0.3))
    signals = made_of(drawn)
    end_ms = NOON_MS + 200 * DAY_MS
    store: Store = {}
    one, other = Triage(config, {}), Triage(config, store)
    expected = tell(one, *signals) + one.advance(end_ms)
    alerts: list[Alert] = []
    for number, each in enumerate(signals):
        from_ms = settled_at(each.time_ms)
        alerts += other.advance(from_ms + round(moments[number] * (each.time_ms - from_ms)))
        alerts += tell(other, each)
        if number in stops:
            other = anew(other, store, config)
    alerts += other.advance(end_ms)
    assert told_by(alerts) == told_by(expected)
