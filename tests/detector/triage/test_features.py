from __future__ import annotations

from math import log1p, log10
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.anomaly import Anomaly
from detector.detectors import BUILT_IN
from detector.event import ActorKind
from detector.triage.features import FEATURES, LEARNED, RISING, features, vector
from detector.triage.incident import Incident
from detector.units import DAY_MS, HOUR_MS
from tests.detector.incidents import finding, incident, of_network, part, strange
from tests.detector.make import START_MS, new

FADE = 1 / (2 * DAY_MS)
SORTS = ["network", "agent", "app", "country", "operation", "object", "query", "hour"]
NOW_MS = START_MS + 600_000
"""When the incidents' findings were made."""


def of(one: Incident, time_ms: int = NOW_MS, fade: float = FADE) -> dict[str, float]:
    """An incident's features by name."""
    found = features(one, time_ms, fade)
    assert len(vector(found)) == len(FEATURES)
    return dict(zip(FEATURES, vector(found), strict=True))


def novelty(surprise: float = 2.0, **fields: Any) -> Anomaly:
    """Something new, with how strange the strangest of each sort is."""
    return strange("novelty", surprise, **fields)


# --- evidence


@pytest.mark.parametrize("name", sorted(LEARNED))
def test_a_detectors_surprise_is_its_feature(name: str) -> None:
    """Of each detector that the model has learned, its own surprise and no other's; those are built-in ones."""
    found = of(incident(finding(detector=name, surprise=3.25)))
    assert {other: found[other] for other in LEARNED} == dict.fromkeys(LEARNED, 0.0) | {name: 3.25}
    assert set(BUILT_IN.explanations.names) >= LEARNED


def test_a_detector_that_is_not_learned_is_no_feature() -> None:
    """What a vendor, an indicator or a plug-in says moves nothing in the vector, however surprising it is."""
    plain = of(incident(finding()))
    for name in ("intel", "vendor", "somebody's own"):
        assert of(incident(finding(), strange(name, 5.0))) == plain


def test_amounts_are_ranked() -> None:
    """The greatest and the second surprise of those that weigh amounts are told apart from whose they are."""
    found = of(incident(finding(surprise=1.5), finding(detector="export", surprise=4.0), novelty(5.0)))
    assert (found["amount"], found["second_amount"]) == (4.0, 1.5)
    alone = of(incident(finding(detector="drip", surprise=2.0)))
    assert (alone["amount"], alone["second_amount"]) == (2.0, 0.0)


@pytest.mark.parametrize("sort", SORTS)
def test_each_sort_of_news_has_its_strangeness(sort: str) -> None:
    """How strange the strangest new thing of the sort is; the others stay 0."""
    found = of(incident(novelty(strangeness={sort: 2.5})))
    assert {name: found[name] for name in SORTS} == dict.fromkeys(SORTS, 0.0) | {sort: 2.5}


def test_what_tells_more_together_is_multiplied() -> None:
    """Products of what is harmless alone."""
    found = of(
        incident(
            finding(surprise=3.0),
            novelty(2.0, strangeness={"network": 1.5, "hour": 0.5, "agent": 2.5}),
            strange("rhythm", 1.25),
            strange("chain", 0.5),
        )
    )
    assert (found["network_hour"], found["network_agent"]) == (1.5 * 0.5, 1.5 * 2.5)
    assert (found["network_amount"], found["hour_amount"]) == (1.5 * 3.0, 0.5 * 3.0)
    assert (found["novelty_rhythm"], found["chain_amount"]) == (2.0 * 1.25, 0.5 * 3.0)


def test_grounds_are_detectors_that_are_surprised() -> None:
    """A learned detector counts from a surprise of 1 on; another does not."""
    one = incident(finding(surprise=1.0), strange("rhythm", 0.99), novelty(4.0), strange("intel", 5.0))
    assert of(one)["grounds"] == 2


@pytest.mark.parametrize("half_lives", [0, 1, 2])
def test_evidence_fades(half_lives: int) -> None:
    """Surprise and strangeness count half after a half-life; before the finding nothing is more; 0 is for ever."""
    one = incident(finding(surprise=4.0), novelty(2.0, strangeness={"network": 3.0}))
    time_ms = NOW_MS + half_lives * 2 * DAY_MS
    found = of(one, time_ms)
    share = 0.5**half_lives
    assert (found["volume"], found["novelty"], found["network"]) == (4.0 * share, 2.0 * share, 3.0 * share)
    assert found["network_amount"] == 12.0 * share**2
    assert of(one, NOW_MS - DAY_MS)["volume"] == of(one, time_ms, 0.0)["volume"] == 4.0


# --- what was taken


def test_rows_are_counted_by_what_they_hold() -> None:
    """All rows, those of personal data, the most sensitive kind and how many kinds there are."""
    one = incident(parts=[part(10_999, {"Contact": 999, "Product2": 10_000})])
    found = of(one)
    assert found["rows"] == log10(1 + 10_999)
    assert found["personal_rows"] == log10(1 + 999)
    assert found["kinds"] == log1p(2)
    assert found["sensitivity"] == of(incident(parts=[part(1, {"Contact": 1})]))["sensitivity"]
    nothing = of(incident(parts=[]))
    names = ("rows", "personal_rows", "kinds", "sensitivity", "pace", "new_share")
    assert [nothing[name] for name in names] == [0.0] * 6


@pytest.mark.parametrize(
    ("channel", "ways"),
    [
        ("query", (1.0, 0.0, 0.0)),
        ("bulk_export", (1.0, 0.0, 0.0)),
        ("search", (1.0, 0.0, 0.0)),
        ("report", (0.0, 1.0, 0.0)),
        ("report_export", (0.0, 1.0, 0.0)),
        ("file_download", (0.0, 0.0, 1.0)),
        ("record_view", (0.0, 0.0, 0.0)),
    ],
)
def test_ways_are_shares_of_the_rows(channel: str, ways: tuple[float, float, float]) -> None:
    """Queries and exports, reports and files each have their share; what is viewed has none."""
    names = ("by_program", "by_report", "by_file")
    found = of(incident(finding(channel=channel), parts=[part(500, channel=channel)]))
    assert tuple(found[name] for name in names) == ways
    nothing = of(incident(finding(channel=channel), parts=[]))
    assert tuple(nothing[name] for name in names) == (0.0, 0.0, 0.0)


def test_excess_is_where_it_is_greatest() -> None:
    """The value over what is typical and over the bound, of the quantity that exceeds each the most."""
    one = incident(
        finding(value=60_000, typical=3_000.0, bound=20_000.0),
        finding(detector="export", span="operation", value=900, typical=2.0, bound=600.0),
    )
    found = of(one)
    assert found["excess"] == log1p(900) - log1p(2.0)
    assert found["over_bound"] == log1p(60_000) - log1p(20_000.0)
    other = of(incident(novelty(3.0)))
    assert (other["excess"], other["over_bound"]) == (0.0, 0.0)


def test_the_new_share_is_what_the_newest_took() -> None:
    """The most rows taken through one new thing, of all; more than all is all."""
    news = [new(rows=250), new("agent", "curl", rows=100)]
    parts = [part(1_000, {"Case": 1_000})]
    assert of(incident(novelty(news=news), parts=parts))["new_share"] == 0.25
    assert of(incident(novelty(news=[new(rows=9_000)]), parts=parts))["new_share"] == 1.0
    assert of(incident(finding(), parts=parts))["new_share"] == 0.0


def test_spans_and_pace_are_its_own() -> None:
    """Hours since it opened, hours from its first event to its last, and rows an hour over these, at least one."""
    one = incident(
        first_ms=NOW_MS - 5 * HOUR_MS,
        last_ms=NOW_MS - HOUR_MS,
        opened_ms=NOW_MS - 3 * HOUR_MS,
        parts=[part(400, {"Case": 400})],
    )
    found = of(one)
    assert (found["hours_open"], found["span"]) == (log1p(3), log1p(4))
    assert found["pace"] == log10(1 + 100)
    brief = of(incident(first_ms=NOW_MS, last_ms=NOW_MS, parts=[part(400, {"Case": 400})]))
    assert (brief["span"], brief["pace"]) == (0.0, log10(1 + 400))


# --- whom it is about


@pytest.mark.parametrize("kind", list(ActorKind))
def test_it_is_about_one_kind(kind: ActorKind) -> None:
    """A person, a program or a guest is one of three; a network is none of them."""
    names = ("human", "integration", "guest", "about_network")
    found = of(incident(actor_kind=kind))
    assert [name for name in names if found[name]] == [kind.value]
    assert [name for name in names if of(of_network())[name]] == ["about_network"]


def test_what_its_evidence_names_is_counted() -> None:
    """Addresses, agents, apps and accounts, by how many different ones there are; refused sign-ins by the log."""
    one = incident(
        novelty(facts={"refused": 7.0}),
        ips={"192.0.2.1": 5, "192.0.2.2": 1},
        user_agents={"curl": 9},
        apps={"a": 1, "b": 1, "c": 1},
    )
    found = of(one)
    assert (found["addresses"], found["agents"], found["apps"]) == (log1p(2), log1p(1), log1p(3))
    assert (found["actors"], found["refused"]) == (0.0, log1p(7))
    assert of(of_network(5))["actors"] == log1p(5)


# --- what none may tell


def moved(one: Incident, by_ms: int) -> Incident:
    """The same incident at another time."""

    def later(value: Any, *names: str) -> Any:
        return msgspec.structs.replace(value, **{name: getattr(value, name) + by_ms for name in names})

    days = by_ms // DAY_MS
    return msgspec.structs.replace(
        later(one, "opened_ms", "first_ms", "last_ms", "modified_ms"),
        anomalies={
            name: later(anomaly, "time_ms", "first_ms", "last_ms") for name, anomaly in one.anomalies.items()
        },
        parts=[msgspec.structs.replace(kept, day=kept.day + days) for kept in one.parts],
        evidence=[later(event, "time_ms") for event in one.evidence],
    )


@given(st.integers(-400, 4_000), st.integers(0, 900), st.integers(0, 10_000), st.integers(0, 200))
def test_no_feature_tells_a_date_or_how_long_it_has_run(
    days: int, known: int, population: int, hours: int
) -> None:
    """Everything days later, and with other numbers of days known: the vector is the same, bit by bit."""
    anomalies = (
        finding(),
        finding(detector="export", span="operation", surprise=2.0),
        novelty(3.0, strangeness={"network": 2.0, "hour": 1.0}, news=[new(rows=50)], facts={"refused": 3.0}),
        strange("rhythm", 1.5),
        strange("population", 2.0),
    )
    elsewhen = [
        msgspec.structs.replace(anomaly, own_days=known, population_days=population) for anomaly in anomalies
    ]
    one, other = incident(*anomalies), moved(incident(*elsewhen, known_days=known), days * DAY_MS)
    time_ms = NOW_MS + hours * HOUR_MS
    assert vector(features(other, time_ms + days * DAY_MS, FADE)) == vector(features(one, time_ms, FADE))


def test_what_rises_is_a_feature() -> None:
    """All that must never make a theft less likely is in the vector, and each learned detector is among it."""
    assert set(FEATURES) >= RISING
    assert LEARNED <= RISING
