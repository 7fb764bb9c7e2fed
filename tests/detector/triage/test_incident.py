from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.anomaly import Anomaly
from detector.detectors import BUILT_IN
from detector.event import ActorKind, Operation
from detector.identity.profile import PROFILES
from detector.settings import DetectionSettings
from detector.signal import Signal, evidence
from detector.triage.incident import (
    MAX_FOLDED_OBJECTS,
    MAX_PARTS,
    MAX_VALUES,
    Incident,
    channels_taken,
    objects_taken,
    rows_taken,
)
from detector.triage.incident import add as add_explained
from detector.units import DAY_MS, HOUR_MS
from tests.detector.make import START_DAY, START_MS, event, measure, signal

EVERYTHING = DetectionSettings(
    bound_deviations=0.0, growth=1.0, prior_weight=1e9, prior_rows_hour=0.0, prior_rows_day=0.0
)
"""Everything is over its bound, and says so at each event."""
TWO_DAYS = 48 * HOUR_MS


def add(incident: Incident, signal: Signal, anomaly: Anomaly | None, events: int, fade: float) -> None:
    """Enter a signal, as its detector explains it."""
    add_explained(incident, signal, anomaly, events, fade, BUILT_IN.explanations[signal.detector])


def found(surprise: float = 3.0, detector: str = "volume", time_ms: int = START_MS) -> Anomaly:
    """What was found."""
    return Anomaly(detector, "query", "day", time_ms, time_ms, time_ms, surprise, value=500)


def opened(**fields: object) -> Incident:
    """An incident that has just been opened."""
    given: dict[str, Any] = {
        "tenant": "t",
        "actor": "u",
        "actor_kind": ActorKind.HUMAN,
        "actor_name": None,
        "opened_ms": START_MS,
        "first_ms": START_MS + DAY_MS,
        "last_ms": START_MS,
        "modified_ms": START_MS,
    }
    return Incident(**(given | fields))


def told(rows: int, day: int = 0, detector: str = "volume", channel: str = "query", **fields: Any) -> Signal:
    """What a detector has counted in a channel on a day."""
    time_ms = START_MS + day * DAY_MS + 12 * HOUR_MS
    given: dict[str, Any] = {"time_ms": time_ms, "measures": [measure(rows)], "rows": rows}
    return signal(detector=detector, channel=channel, **(given | fields))


def counted(*signals: Signal) -> Incident:
    """An incident of these signals."""
    incident = opened()
    for one in signals:
        add(incident, one, found(detector=one.detector), 10, 0.0)
    return incident


# --- rows, each counted once


def test_channels_of_a_day_add_up() -> None:
    """Queries and reports are different rows; channels and kinds of record are told most first."""
    incident = counted(
        told(100, objects={"Case": 60, "*": 40}), told(500, channel="report", objects={"Lead": 500})
    )
    assert rows_taken(incident) == 600
    assert list(channels_taken(incident).items()) == [("report", 500), ("query", 100)]
    assert list(objects_taken(incident).items()) == [("Lead", 500), ("Case", 60), ("*", 40)]


def test_all_holds_its_channels() -> None:
    """A day's rows over all channels are those of the channels: the side that saw more counts, not both."""
    whole, query, report = (
        told(700, channel="all"),
        told(300, channel="query"),
        told(200, channel="report"),
    )
    assert rows_taken(counted(whole, query, report)) == 700
    assert rows_taken(counted(query, report)) == 500
    assert channels_taken(counted(query, report, whole)) == {"all": 700}
    grown = told(600, channel="query")
    assert rows_taken(counted(whole, query, report, grown)) == 800
    assert channels_taken(counted(whole, query, report, grown)) == {"query": 600, "report": 200}


def test_the_companys_own_rows_are_a_channel_apart() -> None:
    """Rows without personal data are not among those of all channels, and add up with the others."""
    assert rows_taken(counted(told(300), told(900, channel="query:internal"))) == 1200


@pytest.mark.parametrize("order", [1, -1])
def test_an_operation_lies_within_its_day(order: int) -> None:
    """The largest operation of a day is part of what the day's volume was; alone it counts."""
    largest, volume = told(400, detector="export"), told(700)
    assert rows_taken(counted(*[largest, volume][::order])) == 700
    assert rows_taken(counted(largest)) == 400
    assert rows_taken(counted(largest, told(300))) == 400


def test_days_add_up_however_each_is_known() -> None:
    """One day known by its channels, one by its largest operation, one as a whole: all count."""
    incident = counted(
        told(500), told(2000, day=1, detector="export"), told(1500, day=1), told(800, day=2, channel="all")
    )
    assert rows_taken(incident) == 500 + 2000 + 800


@pytest.mark.parametrize("detector", ["novelty", "intel", "rhythm", "chain"])
def test_what_a_detector_counts_over_all_channels_is_not_added_up(detector: str) -> None:
    """The rows that left with something new are told anew at each growth, whichever operation it was."""
    incident = counted(
        told(100, detector=detector, channel="query", objects={"Case": 100}),
        told(250, detector=detector, channel="report", objects={"Case": 100, "Lead": 150}),
        told(40, detector=detector, channel="search", objects={"Case": 40}),
    )
    assert rows_taken(incident) == 250
    assert channels_taken(incident) == {"report": 250}
    assert objects_taken(incident) == {"Lead": 150, "Case": 100}
    assert rows_taken(counted(told(900), told(250, detector=detector))) == 900


def test_a_part_counts_with_its_newest_word() -> None:
    """What is heard of again replaces what was known of it; an older word does not."""
    incident = counted(told(100), told(300, objects={"Lead": 300}), told(200))
    assert rows_taken(incident) == 300
    assert objects_taken(incident) == {"Lead": 300}
    assert len(incident.parts) == 1


def test_what_was_counted_over_many_days_holds_them() -> None:
    """A drip of weeks counts if it is more than the days that are known one by one; the most of it stays."""
    drip = told(9_000, day=20, detector="drip", channel="all", first_ms=START_MS, objects={"Contact": 9_000})
    days = [told(1_000, day=day) for day in (18, 19, 20)]
    assert rows_taken(counted(*days)) == 3_000
    incident = counted(*days, drip)
    assert rows_taken(incident) == 9_000
    assert channels_taken(incident) == {"all": 9_000}
    assert objects_taken(incident) == {"Contact": 9_000}
    smaller = told(8_000, day=21, detector="drip", channel="all", first_ms=START_MS)
    assert rows_taken(counted(*days, drip, smaller)) == 9_000
    assert rows_taken(counted(*days, drip, told(50_000, day=21))) == 53_000


def test_a_network_over_midnight_is_counted_once() -> None:
    """What newcomers took is told as their sum, whatever the day: it does not begin anew at midnight."""
    before = told(300, detector="origin", channel="all", actor="")
    after = told(450, day=1, detector="origin", channel="all", actor="", first_ms=START_MS + 20 * HOUR_MS)
    assert rows_taken(counted(before, after)) == 450
    assert channels_taken(counted(before, after)) == {"all": 450}


def test_a_signal_without_rows_adds_none() -> None:
    """Somebody who has only logged in has taken out nothing."""
    incident = counted(told(0, detector="novelty", channel="login", measures=[], objects={}))
    assert (rows_taken(incident), channels_taken(incident), objects_taken(incident)) == (0, {}, {})
    assert list(incident.anomalies) == ["novelty"]


# --- findings


def test_the_most_surprising_that_a_detector_said_is_its_finding() -> None:
    """At equal surprise the newer one, and by detector: what was said is kept as it was said."""
    incident = opened()
    for surprise, detector, value in (
        (2.0, "volume", 1),
        (4.0, "volume", 2),
        (3.0, "volume", 3),
        (4.0, "volume", 4),
        (1.6, "export", 5),
    ):
        finding = found(surprise, detector)
        finding.value = value
        add(incident, signal(detector=detector), finding, 10, 0.0)
    assert {name: (kept.surprise, kept.value) for name, kept in incident.anomalies.items()} == {
        "volume": (4.0, 4),
        "export": (1.6, 5),
    }


@pytest.mark.parametrize(("days", "kept"), [(1.9, 4.0), (2.1, 2.0)])
def test_an_old_finding_gives_way_to_a_new_one(days: float, kept: float) -> None:
    """Half as surprising is enough after one half-life, and not before."""
    incident = opened()
    add(incident, signal(), found(4.0), 10, 1 / TWO_DAYS)
    later_ms = START_MS + round(days * DAY_MS)
    add(incident, signal(time_ms=later_ms), found(2.0, time_ms=later_ms), 10, 1 / TWO_DAYS)
    assert incident.anomalies["volume"].surprise == kept


def test_what_supports_nothing_only_adds_its_rows() -> None:
    """Without a finding a signal's rows and evidence are entered, and no reason is."""
    incident = opened()
    add(incident, told(700, evidence=evidence(event(1), 700)), None, 10, 0.0)
    assert rows_taken(incident) == 700
    assert incident.anomalies == {}
    assert len(incident.evidence) == 1


def test_the_span_is_that_of_its_events() -> None:
    """First and last event of all, when it was last heard of, and the newest name and age."""
    incident = opened()
    add(incident, told(1, day=1, actor_name="Ada", known_days=7), found(), 10, 0.0)
    add(incident, told(1, day=0, actor_name="Ada L", known_days=8), found(), 10, 0.0)
    noon_ms = START_MS + 12 * HOUR_MS
    assert (incident.first_ms, incident.last_ms) == (noon_ms, noon_ms + DAY_MS)
    assert incident.modified_ms == noon_ms + DAY_MS
    assert (incident.actor_name, incident.known_days) == ("Ada L", 8)


# --- evidence


def test_evidence_keeps_the_first_the_newest_and_the_largest() -> None:
    """Each event once; where there are too many, the first and the newest stay, and of the others the smallest go."""
    incident = opened()
    for number, rows in enumerate((1, 50, 20, 90, 20, 70)):
        one = told(100 + number, evidence=evidence(event(number, ip=f"192.0.2.{number % 2}"), rows))
        add(incident, one, found(), 4, 0.0)
        add(incident, one, found(), 4, 0.0)
    assert [(kept.event_id, kept.rows) for kept in incident.evidence] == [
        ("e-0", 1), ("e-1", 50), ("e-3", 90), ("e-5", 70)
    ]  # fmt: skip
    assert incident.ips == {"192.0.2.0": 6, "192.0.2.1": 6}
    add(incident, told(200, evidence=evidence(event(9), 0)), found(), 4, 0.0)
    assert [kept.event_id for kept in incident.evidence] == ["e-0", "e-3", "e-5", "e-9"]
    add(incident, told(201, evidence=evidence(event(8), 60)), found(), 4, 0.0)
    assert [kept.event_id for kept in incident.evidence] == ["e-0", "e-3", "e-5", "e-8"]
    for events in (0, 1):
        incident = opened()
        for number in range(3):
            add(incident, told(number + 1, evidence=evidence(event(number), 5)), found(), events, 0.0)
        assert [kept.event_id for kept in incident.evidence] == ["e-0"]


def test_evidence_is_cut_to_what_can_be_shown() -> None:
    """Endless texts of a log are cut in evidence; its id is not, for it is how the record is found."""
    long = "x" * 10_000
    quoted = evidence(
        event(event_id=long, user_agent=long, app=long, session=long, country=long, objects=(long,) * 99), 5
    )
    assert quoted.event_id == long
    assert len(msgspec.msgpack.encode(quoted)) < 10_000 + 7_000
    assert quoted.ip is None


# --- size


@pytest.mark.parametrize("channels", [1, 3])
def test_folding_keeps_sums(channels: int) -> None:
    """Weeks of days are folded: sums stay, by channel and by kind of record, and later days add to them."""
    random = Random(channels)
    incident = opened()
    truth: dict[str, int] = defaultdict(int)
    objects: dict[str, int] = defaultdict(int)
    for day in range(90):
        for channel in ("query", "report", "search")[:channels]:
            total: dict[str, int] = defaultdict(int)
            for _ in range(6):
                rows = random.randint(100, 900)
                total[random.choice(("Case", "Contact", "Lead"))] += rows
                so_far = sum(total.values())
                add(incident, told(so_far, day, channel=channel, objects=dict(total)), found(), 10, 0.0)
                add(incident, told(rows, day, "export", channel, objects={"Case": rows}), found(), 10, 0.0)
                assert rows_taken(incident) == sum(truth.values()) + so_far
            truth[channel] += sum(total.values())
            for kind, rows in total.items():
                objects[kind] += rows
    assert channels_taken(incident) == truth
    assert objects_taken(incident) == objects
    assert sum(incident.folded.values()) == sum(incident.folded_objects.values()) > 0
    assert len(incident.parts) <= MAX_PARTS


def test_what_comes_after_the_fold_adds_nothing_twice() -> None:
    """A day that has been folded and is heard of again is not counted a second time."""
    incident = opened()
    days = [told(100, day) for day in range(3 * MAX_PARTS)]
    for one in days:
        add(incident, one, found(), 10, 0.0)
    assert rows_taken(incident) == 100 * len(days)
    assert incident.folded_until > START_DAY
    for one in days[:-2]:
        add(incident, msgspec.structs.replace(one, rows=101), found(), 10, 0.0)
    assert 100 * len(days) <= rows_taken(incident) <= 100 * len(days) + MAX_PARTS


def test_an_incident_stays_small() -> None:
    """Whatever happens on however many days, in all channels, an incident takes some tens of KB."""
    random = Random(1)
    incident = opened()
    for number in range(6000):
        rows = random.randint(1, 10**12)
        add(
            incident,
            told(
                rows,
                number // 400,
                random.choice(("volume", "export", "novelty", "rhythm")),
                random.choice(tuple(Operation)).value,
                objects={f"Object{number}__c": rows},
                evidence=evidence(
                    event(
                        number,
                        ip=f"2001:db8::{number:x}",
                        user_agent=f"agent/{number}" * 50,
                        app=f"a{number}",
                    ),
                    rows,
                ),
            ),
            found(),
            10,
            0.0,
        )
    assert len(incident.ips) == len(incident.user_agents) == len(incident.apps) == MAX_VALUES
    assert len(incident.evidence) == 10
    assert len(incident.folded_objects) <= MAX_FOLDED_OBJECTS + 1
    assert len(msgspec.msgpack.encode(incident)) < 64_000
    assert (
        rows_taken(incident)
        == sum(channels_taken(incident).values())
        == sum(objects_taken(incident).values())
    )


# --- what the identity's detectors really say


ACCESSES = st.lists(
    st.tuples(
        st.sampled_from([0, 60_000, HOUR_MS // 2, HOUR_MS, 7 * HOUR_MS, 25 * HOUR_MS]),
        st.integers(1, 5000),
        st.sampled_from(
            [Operation.QUERY, Operation.BULK_EXPORT, Operation.REPORT, Operation.RECORD_VIEW, Operation.LOGIN]
        ),
        st.sampled_from([None, "long job", "other job"]),
        st.sampled_from(["Case", "Contact", "Opportunity"]),
        st.sampled_from(["203.0.113.7", "198.51.100.9", "192.0.2.77"]),
    ),
    min_size=1,
    max_size=60,
)
Accesses = list[tuple[int, int, Operation, str | None, str, str]]


def happened(accesses: Accesses, config: DetectionSettings) -> Any:
    """What each access added, and what was said by then."""
    profile = PROFILES.new(event(0))
    time_ms = START_MS
    for number, (later_ms, rows, operation, job, kind, ip) in enumerate(accesses):
        time_ms += later_ms
        one = event(
            number,
            time_ms=time_ms,
            rows=rows,
            operation=operation,
            operation_id=job,
            objects=(kind,),
            ip=ip,
            app=job,
        )
        signals = PROFILES.close(profile, time_ms, config)
        left, said = PROFILES.observe(profile, one, config)
        yield one, left, signals + said


@pytest.mark.slow
@given(ACCESSES)
@settings(max_examples=150)
def test_every_row_is_counted_exactly_once(accesses: Accesses) -> None:
    """When all that happens is told, an incident counts each row that left once: by channel and by kind of record."""
    incident = opened()
    by_channel: dict[str, int] = defaultdict(int)
    by_object: dict[str, int] = defaultdict(int)
    for one, left, signals in happened(accesses, EVERYTHING):
        internal = ":internal" if one.objects == ("Opportunity",) else ""
        by_channel[one.operation.value + internal] += left
        by_object[one.objects[0]] += left
        for each in signals:
            add(incident, each, found(detector=each.detector), 10, 0.0)
        assert rows_taken(incident) == sum(by_channel.values())
    assert objects_taken(incident) == by_object
    if set(channels_taken(incident)) != {"all"}:
        assert sum(channels_taken(incident).values()) == sum(by_channel.values())


@pytest.mark.slow
@given(ACCESSES)
@settings(max_examples=150)
def test_no_row_is_counted_twice(accesses: Accesses) -> None:
    """When only some of it is surprising, an incident never counts more rows than have left."""
    config = DetectionSettings(bound_deviations=0.2, prior_rows_hour=300, prior_rows_day=2000, cold_days=1)
    incident = opened()
    total = 0
    for _, left, signals in happened(accesses, config):
        total += left
        for each in signals:
            add(incident, each, found(detector=each.detector), 10, 0.0)
        assert rows_taken(incident) <= total
        assert sum(channels_taken(incident).values()) == rows_taken(incident)
        assert sum(objects_taken(incident).values()) == rows_taken(incident)
