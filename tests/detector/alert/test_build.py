from __future__ import annotations

from typing import Any

import msgspec
import pytest
from ocsf_json_schema import get_ocsf_schema

from detector.adapters import decode
from detector.alert.alert import Alert
from detector.alert.ocsf import OCSF_VERSION, Activity
from detector.catalogue import Category, sensitivity
from detector.event import Operation
from detector.settings import DetectionSettings, Settings, TriageSettings
from detector.signal import Evidence, evidence
from detector.simulation import Theft, World, records
from detector.triage.incident import Incident
from detector.triage.incident import uid as name_of
from detector.triage.risk import Severity
from detector.units import DAY_MS, HOUR_MS
from tests.detector.incidents import (
    HOSTILE,
    build,
    describe,
    finding,
    incident,
    notice,
    of_network,
    part,
    strange,
    valid,
    words,
)
from tests.detector.make import START_DAY, START_MS, THEFT, THIEF, alerts_of, event, new, world

TALKATIVE = Settings(
    detection=DetectionSettings(bound_deviations=0.5, cold_days=2),
    triage=TriageSettings(alert_risk=0, least_risk=0, support_surprise=0.3, alert_budget=500),
)
LOGIN = evidence(event(8, operation=Operation.LOGIN, rows=None, ip="192.0.2.77", objects=()), 0)
SHAPES: dict[str, Incident] = {
    "identity": incident(),
    "several reasons": incident(
        finding(), finding(detector="export", span="operation", surprise=2.0),
        strange("novelty", 3.0, news=[new(), new("app")]), strange("chain", 1.0, facts={"bulk": 1.0}),
        strange("population", 2.0),
    ),
    "a week": incident(finding(detector="drip", channel="all", span="week")),
    "no rows yet": incident(strange("novelty", 3.0, channel="login", news=[new()]), parts=[], evidence=[LOGIN]),
    "calls": incident(finding(channel="query:calls"), parts=[]),
    "kilobytes": incident(finding(channel="file_download:kilobytes"), parts=[]),
    "known bad": incident(strange("intel", 5.0, news=[new("indicator", "x")]), parts=[], evidence=[]),
    "network": of_network(),
    "network without rows": of_network(rows=0),
    "silence": notice(),
    "schema": notice("schema"),
    "volume as a whole": notice("volume", source=""),
}  # fmt: skip
"""Every shape that an incident can have."""


# --- OCSF


@pytest.mark.parametrize("activity", list(Activity))
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_valid_ocsf(shape: str, activity: Activity) -> None:
    """Whatever it is about, and whichever its activity: a Detection Finding of OCSF 1.8.0 that agrees with itself."""
    one = SHAPES[shape]
    alert = build(one, activity, START_MS + 700_000, 57)
    body = valid(alert.body)
    assert body["metadata"]["version"] == OCSF_VERSION == "1.8.0"
    assert body["type_uid"] == body["class_uid"] * 100 + body["activity_id"]
    assert (body["activity_id"], body["activity_name"]) == (activity, activity.name.capitalize())
    assert body["status_id"] == (4 if activity is Activity.CLOSE else 1)
    assert body["risk_score"] == 57
    assert body["severity_id"] == alert.severity == Severity.LOW
    assert body["time"] == alert.time_ms == START_MS + 700_000
    assert body["finding_info"]["uid"] == alert.uid == name_of(one)
    said = describe(one, over=activity is Activity.CLOSE)
    assert body["message"] == body["finding_info"]["desc"] == alert.sentence == said
    assert tuple(body["finding_info"]["types"]) == alert.detectors
    assert body["count"] == max(1, body["unmapped"]["crmwatch"]["rows_taken"])
    assert b"null" not in alert.body


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 8])
def test_every_alert_of_a_world_is_valid_ocsf(seed: int) -> None:
    """All alerts of simulated worlds, of all activities, with as many words as a tired analyst reads."""
    alerts = alerts_of(
        world(seed, 24 * 6, Theft(start_ms=START_MS + (4 * 24 + 3) * HOUR_MS), 25, 4), TALKATIVE
    )
    assert {alert.activity for alert in alerts} == set(Activity)
    for alert in alerts:
        body = valid(alert.body)
        assert body["severity_id"] == alert.severity
        assert body["start_time"] <= body["end_time"]
        assert (
            sum(found["data"]["rows"] for found in body["resources"])
            == body["unmapped"]["crmwatch"]["rows_taken"]
        )
        assert {found["data"]["category"] for found in body["resources"]} <= set(Category)
        assert 0 <= body["risk_score"] <= 100
        assert 0 <= body["confidence_score"] <= 100
        assert 40 < words(alert.sentence) <= 110


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_breaks_nothing(text: str) -> None:
    """Escapes, bidi marks, line ends, endless names, halves of pairs: the body stays valid, its uid the incident's."""
    quoted = evidence(
        event(event_id=text, objects=(text,), ip=text, user_agent=text, app=text, session=text), 9
    )
    about: dict[str, Any] = {"tenant": text, "ips": {text: 1}, "user_agents": {text: 1}, "evidence": [quoted]}
    parts = [part(9, {text: 9}, channel="query")]
    news = [new("network", text), new("app", text)]
    for one in (
        incident(finding(), strange("novelty", news=news), actor=text, actor_name=text, parts=parts, **about),
        of_network(network=text or "x", actors={text: 1}, **about),
        notice(source=text or "x", tenant=text, apps={text: 1}),
    ):
        alert = build(one, Activity.CREATE, START_MS, 50)
        assert valid(alert.body)["finding_info"]["title"].isprintable()
        assert alert.uid == name_of(one)


# --- what it says


def test_a_uid_is_an_incidents_for_life() -> None:
    """It stays the same while the incident grows, and differs by tenant, by what it is about and by its opening."""
    one = incident()
    uid = name_of(one)
    one.parts.append(part(5, {"Lead": 5}, channel="query"))
    one.modified_ms += 5
    one.actor_name = "Other"
    assert {build(one, activity, START_MS + 9, 50).uid for activity in Activity} == {uid}
    others = [
        incident(tenant="x"),
        incident(actor="x"),
        incident(opened_ms=1),
        of_network(),
        of_network(network="198.51.100.0/24"),
    ]
    others += [notice(), notice("lag"), notice(source="other"), notice("volume", source="")]
    assert len({uid, *map(name_of, others)}) == 10


def test_the_body_says_what_the_incident_is() -> None:
    """Who, how bad, what was seen and what is usual are in OCSF's own fields, the rest beside them."""
    one = incident(
        finding(),
        finding(detector="export", span="operation", surprise=2.0, value=20_000),
        strange("novelty", 1.5, news=[new("network", "192.0.2.0/24", rows=60_000)]),
    )
    body = valid(build(one, Activity.UPDATE, START_MS + 700_000, 71).body)
    assert (body["start_time"], body["end_time"], body["time"]) == (
        START_MS + 60_000, START_MS + 600_000, START_MS + 700_000
    )  # fmt: skip
    assert body["finding_info"]["title"] == "Unusually many rows by bulk export: “Sky Sync”"
    assert body["finding_info"]["types"] == ["volume", "export", "novelty"]
    assert body["finding_info"]["analytic"]["name"] == "volume"
    assert body["resources"] == [
        {"name": "Case", "type": "CRM object", "data": {"rows": 40_000, "category": "customer_service"}},
        {"name": "Contact", "type": "CRM object", "data": {"rows": 20_000, "category": "contact"}},
    ]
    volume, export = body["anomaly_analyses"]
    assert volume["analysis_targets"] == [{"name": "00D4R/0054R", "type": "identity"}]
    assert volume["anomalies"][0]["observation_parameter"] == "bulk_export.rows"
    assert volume["anomalies"][0]["observations"][0]["value"] == "60000"
    hour = volume["anomalies"][0]["observations"][0]["timespan"]
    assert (hour["start_time"], hour["duration"]) == (START_MS, HOUR_MS)
    assert [base["observations"][0]["value"] for base in volume["baselines"]] == ["3170", "21400"]
    assert export["anomalies"][0]["observations"][0]["value"] == "20000"
    own = body["unmapped"]["crmwatch"]
    messages = [own.pop(name) for name in ("title", "summary", "reasons", "steps")]
    assert [len(part) for part in messages[1:]] == [6, 3, 4]
    assert own == {
        "version": 1,
        "identity": "00D4R/0054R",
        "network": "",
        "actors": {},
        "actor_kind": "integration",
        "rows_taken": 60_000,
        "channels": {"bulk_export": 60_000},
        "surprise": {"volume": 3.4, "export": 2.0, "novelty": 1.5},
        "news": [{"what": "network", "value": "192.0.2.0/24", "rows": 60_000}],
        "known_days": 14,
        "provisional": False,
        "judged_by_peers": False,
        "impact": {"sensitivity": sensitivity(("Case",)), "rows": 60_000},
    }


def test_what_is_not_a_quantity_is_analysed_by_its_surprise() -> None:
    """An incident without any quantity says how surprising it is instead; one with some leaves that out."""
    one = incident(strange("chain", 3.25, facts={"bulk": 1.0}))
    (analysis,) = valid(build(one, Activity.CREATE, 0, 50).body)["anomaly_analyses"]
    assert analysis["anomalies"][0]["observation_parameter"] == "chain.surprise"
    assert analysis["anomalies"][0]["observations"][0]["value"] == "3.250"
    (analysis,) = valid(build(SHAPES["network"], Activity.CREATE, 0, 50).body)["anomaly_analyses"]
    assert analysis["analysis_targets"] == [{"name": "192.0.2.0/24", "type": "network"}]
    (analysis,) = valid(build(SHAPES["silence"], Activity.CREATE, 0, 50).body)["anomaly_analyses"]
    assert analysis["analysis_targets"] == [{"name": "00D4R/salesforce_elf", "type": "source"}]


def test_a_network_names_its_accounts() -> None:
    """All of them with their rows, and as observables; whose evidence each event is, is not claimed."""
    body = valid(build(of_network(3, 900), Activity.CREATE, 0, 50).body)
    crm = body["unmapped"]["crmwatch"]
    assert (crm["identity"], crm["network"]) == ("", "192.0.2.0/24")
    assert crm["actors"] == {"u0": 300, "u1": 300, "u2": 300}
    users = [found["value"] for found in body["observables"] if found["type_id"] == 31]
    assert users == ["u0", "u1", "u2"]
    assert all("actor" not in found for found in body["evidences"])
    many = valid(build(of_network(400, 4_000), Activity.CREATE, 0, 50).body)
    assert len([found for found in many["observables"] if found["type_id"] == 31]) == 50
    assert len(many["unmapped"]["crmwatch"]["actors"]) == 400


def test_a_notice_accuses_nobody() -> None:
    """Trouble of a source or a tenant's volume names no account, no technique and no rows."""
    for one in (notice(), notice("volume", source="")):
        body = valid(build(one, Activity.CREATE, 0, 20).body)
        assert (body["observables"], body["evidences"], body["resources"]) == ([], [], [])
        assert body["finding_info"]["attacks"] == []
        assert body["unmapped"]["crmwatch"]["rows_taken"] == 0


def test_risk_and_impact_stand_side_by_side() -> None:
    """The probability, the impact and the severity of a version are in its body, and what its severity rests on."""
    one = incident()
    alert = build(one, risk=85, impact=73, severity=Severity.CRITICAL)
    body = valid(alert.body)
    assert (body["risk_score"], body["impact_score"]) == (85, 73)
    assert body["severity_id"] == alert.severity == Severity.CRITICAL
    assert body["unmapped"]["crmwatch"]["impact"] == {"sensitivity": sensitivity(("Case",)), "rows": 60_000}
    notice_body = valid(build(notice(), impact=0).body)
    assert notice_body.get("impact_score", 0) == 0
    assert "impact" not in notice_body["unmapped"]["crmwatch"]


def test_what_speaks_for_theft_and_against_is_listed() -> None:
    """The contributions are in the body in their order; a version without any has no list."""
    weighed = (("amount", 1.25), ("about_network", -0.5))
    told = valid(build(incident(), contributions=weighed).body)["unmapped"]["crmwatch"]
    assert told["contributions"] == [
        {"feature": "amount", "log_odds": 1.25},
        {"feature": "about_network", "log_odds": -0.5},
    ]
    assert "contributions" not in valid(build(incident()).body)["unmapped"]["crmwatch"]


def test_confidence_follows_what_is_known() -> None:
    """More days of its own or of its peers make it surer, a decision taken too early less."""

    def sure(**fields: Any) -> int:
        provisional = fields.pop("provisional", False)
        one = incident(finding(**fields), provisional=provisional)
        return int(valid(build(one, Activity.CREATE, 0, 50).body)["confidence_score"])

    assert sure(own_days=0) < sure(own_days=5) < sure(own_days=15) == sure(own_days=99)
    assert sure(population_days=0) < sure(population_days=100) < sure(population_days=300)
    assert sure(surprise=1.0) < sure(surprise=4.0)
    assert sure(provisional=True) < sure()


def test_the_steps_are_numbered() -> None:
    """The sentence has the first step, the remediation all of them."""
    body = valid(build(incident(), Activity.CREATE, 0, 50).body)
    steps = body["remediation"]["desc"]
    assert steps.startswith("1. Ask the integration's owner")
    assert [f"{number}. " in steps for number in range(1, 6)] == [True, True, True, True, False]


# --- evidence and observables


def test_observables_are_what_one_searches_for() -> None:
    """User id, addresses and agents, by OCSF's own numbers and captions."""
    body = valid(
        build(
            incident(ips={"2001:db8::1": 1, "192.0.2.1": 2, "not an address": 9}), Activity.CREATE, 0, 50
        ).body
    )
    captions = get_ocsf_schema(OCSF_VERSION)["objects"]["observable"]["attributes"]["type_id"]["enum"]
    assert [(found["type_id"], found["value"]) for found in body["observables"]] == [
        (31, "0054R"), (2, "192.0.2.1"), (2, "2001:db8::1"), (16, "python-requests/2.32")
    ]  # fmt: skip
    for found in body["observables"]:
        assert captions[str(found["type_id"])]["caption"] == found["type"]
        root, *path = found["name"].split(".")
        assert root == "evidences"
        assert path[0] in body["evidences"][0]


def test_evidence_says_what_and_positions_say_where() -> None:
    """Each event is in the body by its id; where its record lies is beside it."""
    alert = build(incident(), Activity.CREATE, 0, 50)
    (told,) = valid(alert.body)["evidences"]
    assert told["uid"] == "e-7"
    assert told["actor"] == {
        "user": {"uid": "0054R", "name": "Sky Sync"}, "app_uid": "0H4", "session": {"uid": "s-1"}
    }  # fmt: skip
    assert told["src_endpoint"] == {"ip": "192.0.2.77"}
    assert told["http_request"] == {"user_agent": "python-requests/2.32"}
    assert told["api"] == {"operation": "bulk_export"}
    assert told["data"] == {"time": START_MS + 7000, "rows": 20_000, "objects": ["Case"]}
    assert alert.positions == {"e-7": "test log:7"}
    assert b"log:7" not in alert.body


def test_a_word_in_an_addresss_place_is_a_name() -> None:
    """A source that the log gives by a word rather than an address is told as a name, which OCSF allows."""
    masked = evidence(event(1, ip="Salesforce.com IP"), 5)
    body = valid(build(incident(evidence=[masked]), Activity.CREATE, 0, 50).body)
    assert body["evidences"][0]["src_endpoint"] == {"name": "Salesforce.com IP"}


def test_unknown_is_left_out() -> None:
    """What a log does not say is not in the body, not even as null."""
    bare = Evidence("e", START_MS, Operation.QUERY, 5, (), None, None, None, None, None, "a", "p")
    one = incident(evidence=[bare], actor_name=None, ips={}, user_agents={})
    body = valid(build(one, Activity.CREATE, 0, 50).body)
    assert body["evidences"][0].keys() == {"uid", "actor", "api", "data"}


# --- of real records


@pytest.mark.slow
def test_one_file_or_many() -> None:
    """The same records give the same bodies wherever they lie; only positions differ."""
    made = World(seed=4, start_ms=START_MS, hours=24 * 5, people=12, integrations=3)
    rows = [record for _, record in records(made, Theft(start_ms=START_MS + 99 * HOUR_MS))]

    def said(where: Any) -> list[Alert]:
        events = [decode(record, where(number)) for number, record in enumerate(rows)]
        return alerts_of(sorted(events, key=lambda found: (found.time_ms, found.event_id)), TALKATIVE)

    one, many = (
        said(lambda number: f"all.csv:{number}"),
        said(lambda number: f"part-{number % 7}.csv:{number}"),
    )
    assert len(one) > 3
    assert [alert.body for alert in one] == [alert.body for alert in many]
    assert [alert.positions for alert in one] != [alert.positions for alert in many]
    assert all(b".csv" not in alert.body for alert in one)


@pytest.mark.slow
def test_the_theft_is_told_as_it_was() -> None:
    """In a simulated world the sentence of the theft names its rows, host, time, kinds of record and what is new."""
    alerts = [
        alert
        for alert in alerts_of(world(21, 24 * 8, THEFT))
        if valid(alert.body)["unmapped"]["crmwatch"]["identity"] == THIEF
    ]
    body = valid(alerts[-1].body)
    assert body["start_time"] // DAY_MS == THEFT.start_ms // DAY_MS == START_DAY + 6
    last = alerts[-1].sentence
    assert last.startswith("The integration 0054R9000000000QAA took out ")
    assert "Contact 30,0" in last
    assert " by bulk export " in last
    assert "from 192.0.2.77" in last
    assert "2026-03-08" in last
    assert "The Case records hold what customers wrote to customer service." in last
    assert "revoke its tokens now" in last
    assert {"network", "agent"} <= {found["what"] for found in body["unmapped"]["crmwatch"]["news"]}


def test_an_alert_is_a_value() -> None:
    """It cannot be changed."""
    with pytest.raises(AttributeError):
        build(incident(), Activity.CREATE, 0, 50).uid = "x"  # type: ignore[misc]
    assert msgspec.structs.fields(Alert)
