from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.alert.finding import (
    KEPT_INCIDENTS,
    KEPT_PUBLICATIONS,
    MOST_IDENTITIES,
    ExceededBound,
    FindingVersion,
    QuotedEvent,
    Technique,
    read,
)
from detector.alert.ocsf import Activity
from detector.event import ActorKind, Operation
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS
from tests.streams.report.make import AGENT, AWAY, THEFT_MS, alert, analysis, body, incident, incidents

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


def test_an_alert_is_read() -> None:
    """Every part of a finding that a report shows is there, and where its records lie."""
    found = incident()
    assert (found.uid, found.title) == ("crmwatch-1", "Unusually many rows by bulk export: sync")
    assert found.sentence == "The integration “sync” (u) took out 6,000 rows."
    assert (found.severity, found.risk, found.confidence, found.rows) == (4, 71, 60, 6000)
    assert (found.start_ms, found.end_ms) == (THEFT_MS, THEFT_MS + 6 * MINUTE_MS)
    assert (found.closed, found.cold, found.provisional) == (False, False, False)
    assert (found.identities, found.actor, found.kind) == (("t/u",), "sync (u)", ActorKind.INTEGRATION)
    assert found.addresses == {AWAY}
    assert found.detectors == ("export", "volume")
    assert found.objects == (("Case", 6000),)
    assert found.bound == ExceededBound(1500, DAY_MS, THEFT_MS - 3 * HOUR_MS, Operation.BULK_EXPORT, None)
    assert found.quoted == (
        QuotedEvent(
            "e-1", THEFT_MS + 4 * MINUTE_MS, "bulk_export", 3000, ("Case",), "u", AWAY, AGENT, "0H4", "test log:7"
        ),
    )  # fmt: skip
    name = "Data from Information Repositories: CRM Software"
    assert found.techniques == (Technique("T1213.004", name, ("Collection",), "19.0"),)
    assert found.techniques[0].address == "https://attack.mitre.org/techniques/T1213/004/"
    assert found.steps == ("Ask its owner.", "Revoke its tokens.")
    assert found.publications == (FindingVersion(THEFT_MS + 4 * MINUTE_MS, Activity.CREATE, 4, 6000),)


def test_the_newest_alert_counts_and_all_are_remembered() -> None:
    """An incident is as its last alert has it; when it was published, and how it then stood, stays."""
    updated = alert(Activity.UPDATE, severity_id=5, time=THEFT_MS + 9 * MINUTE_MS)
    found = incident(alert(), updated, alert(Activity.CLOSE, severity_id=5, time=THEFT_MS + 2 * DAY_MS))
    assert (found.severity, found.closed) == (5, True)
    assert [(made.time_ms - THEFT_MS, made.activity, made.severity) for made in found.publications] == [
        (4 * MINUTE_MS, Activity.CREATE, 4),
        (9 * MINUTE_MS, Activity.UPDATE, 5),
        (2 * DAY_MS, Activity.CLOSE, 5),
    ]


def test_the_worst_comes_first() -> None:
    """By severity, then risk, then age."""
    made = [
        alert(uid="late", start_time=THEFT_MS + 1),
        alert(uid="early"),
        alert(uid="grave", severity_id=5, risk_score=1),
        alert(uid="mild", severity_id=2, risk_score=99),
        alert(uid="risky", risk_score=72),
    ]
    ranked = incidents(*made).ranked()
    assert [found.uid for found in ranked] == ["grave", "risky", "early", "late", "mild"]


def test_many_incidents_are_counted_and_the_worst_kept() -> None:
    """However many there are, and however often they are published."""
    found = incidents()
    for number in range(3 * KEPT_INCIDENTS):
        found.observe(alert(uid=f"i-{number}", severity_id=3, risk_score=number % 60))
    for _ in range(2 * KEPT_PUBLICATIONS):
        found.observe(alert(Activity.UPDATE))
    ranked = found.ranked()
    assert len(ranked) == KEPT_INCIDENTS
    assert ranked[0].uid == "crmwatch-1"
    assert len(ranked[0].publications) == KEPT_PUBLICATIONS
    assert min(one.risk or 0 for one in ranked[1:]) >= 60 - KEPT_INCIDENTS // 10 - 1
    assert len(found.severities) == 3 * KEPT_INCIDENTS + 1


def test_nothing_need_be_there() -> None:
    """Of an empty finding an incident without anything can be told."""
    found = read({}, {}, ())
    assert (found.title, found.sentence, found.actor) == ("Incident", "", "somebody")
    assert (found.severity, found.risk, found.rows, found.bound) == (0, None, 0, None)
    assert (found.identities, found.quoted, found.steps, found.techniques) == ((), (), (), ())


@given(st.dictionaries(st.sampled_from(sorted(body())), JSON))
def test_nothing_need_be_as_it_should(changes: dict[str, Any]) -> None:
    """Whatever stands in a field, it is left out or shown as text; nothing is raised."""
    found = read(body(**changes), {}, ())
    assert 0 <= found.severity <= 5
    assert found.end_ms >= found.start_ms


def test_who_it_is_about_is_found_without_our_own_field() -> None:
    """From the tenant and the account quoted."""
    found = incident(alert(unmapped={}))
    assert (found.identities, found.actor, found.kind) == (("t/u",), "sync (u)", None)
    assert found.rows == 6000


def test_an_origin_of_many_names_them_all() -> None:
    """If several accounts are quoted and the finding is about none of them, it is about each."""
    quoted = [{"actor": {"user": {"uid": f"u{number}"}}} for number in range(MOST_IDENTITIES + 9)]
    found = incident(alert(evidences=quoted, unmapped={"crmwatch": {"identity": "t/192.0.2.0/24"}}))
    assert found.identities == tuple(f"t/u{number}" for number in range(MOST_IDENTITIES))
    assert found.actor == f"{MOST_IDENTITIES:,} identities"
    assert incident(alert(evidences=quoted, unmapped={"crmwatch": {"identity": "t/u3"}})).identities == (
        "t/u3",
    )


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("Call them.", ("Call them.",)),
        ("1. Call them. 2. Freeze it.", ("Call them.", "Freeze it.")),
        ("1. See no. 3. 2. Then the 2. thing. 3. End.", ("See no. 3.", "Then the 2. thing.", "End.")),
        ("2. Not from the start.", ("2. Not from the start.",)),
    ],
)  # fmt: skip
def test_steps_are_told_apart_by_their_numbers(text: str, steps: tuple[str, ...]) -> None:
    """In their order, from 1; other numbers are a part of the text."""
    assert incident(alert(remediation={"desc": text})).steps == steps


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (analysis("query.rows", 6000, 10, HOUR_MS, 5), ExceededBound(10, HOUR_MS, 5, Operation.QUERY, None)),
        (analysis("all.rows", 6000, 10, HOUR_MS, 5), ExceededBound(10, HOUR_MS, 5, None, None)),
        (analysis("query.calls", 6000, 10, HOUR_MS, 5), None),
        (analysis("unheard_of.rows", 6000, 10, HOUR_MS, 5), None),
        (analysis("query.rows", 1499, 10, HOUR_MS, 5), None),
        (analysis("query.rows", 6000, 10, 0, 5), None),
        ({"anomalies": [], "baselines": []}, None),
    ],
)
def test_a_bound_is_one_on_a_good_part_of_the_rows(
    given: dict[str, Any], expected: ExceededBound | None
) -> None:
    """One of calls, of little that left, or without a window cannot be held against the curve."""
    assert incident(alert(anomaly_analyses=[given])).bound == expected


@pytest.mark.parametrize("uid", ["", "T12", "T1213.004/../..", "javascript:alert(1)"])
def test_only_a_techniques_number_becomes_an_address(uid: str) -> None:
    """Anything else stands there without a link."""
    assert Technique(uid, "", (), "").address == ""
