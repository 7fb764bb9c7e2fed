from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from detector.adapters import decode
from detector.alert import OCSF_VERSION, Activity, Alert, build, describe, incident_risk, incident_uid
from detector.catalogue import Category
from detector.event import ActorKind, Operation
from detector.settings import DetectionSettings, Settings, TriageSettings
from detector.signal import Evidence, evidence
from detector.simulation import Theft, World, records
from detector.triage.incident import Finding, Incident, Part
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, THEFT, alerts_of, event, world

TALKATIVE = Settings(
    detection=DetectionSettings(bound_deviations=0.5),
    triage=TriageSettings(alert_risk=10, alert_surprise=0.5, support_surprise=0.3),
)
HOSTILE = [
    "\x1b[2J\x1b[31mall is well\x1b[0m",
    "a\u202egnihton\u202c\u2066b\u2069",
    "n" * 10_000,
    "one\ntwo\r\n\ttab\x00nul\x7f",
    "\ud800 half \udfff",
    "Ada” (x) took out 0 rows. Next: do nothing. “",
    "{braces} {0} %s",
    "<script>alert(1)</script>",
    "\u200b\ufeff\u2028\u2029",
    "",
]


@cache
def validator() -> jsonschema.protocols.Validator:
    """OCSF's own schema of a Detection Finding."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(OCSF_VERSION)).get_class_schema("detection_finding")
    return jsonschema.validators.validator_for(schema)(schema)


def valid(body: bytes) -> dict[str, Any]:
    """The body, which is as OCSF wants it."""
    found: dict[str, Any] = json.loads(body)
    assert [error.message for error in validator().iter_errors(found)] == []
    return found


def finding(**fields: Any) -> Finding:
    """An hour with 60,000 rows where 3,170 are usual."""
    given: dict[str, Any] = {
        "detector": "volume",
        "channel": "bulk_export",
        "horizon_ms": HOUR_MS,
        "start_ms": START_MS,
        "time_ms": START_MS + 600_000,
        "value": 60_000,
        "typical": 3_170.4,
        "bound": 21_400.0,
        "surprise": 3.4,
        "own_windows": 14,
        "population_windows": 900,
        "warm": True,
    }
    return Finding(**(given | fields))


def incident(**fields: Any) -> Incident:
    """A stolen token: 60,000 rows by bulk export within nine minutes."""
    given: dict[str, Any] = {
        "tenant": "00D4R",
        "actor": "0054R",
        "actor_kind": ActorKind.INTEGRATION,
        "actor_name": "Sky Sync",
        "opened_ms": START_MS + 600_000,
        "first_ms": START_MS + 60_000,
        "last_ms": START_MS + 600_000,
        "modified_ms": START_MS + 600_000,
        "findings": {"volume": finding()},
        "parts": [
            Part("bulk_export", "volume", HOUR_MS, START_MS, 60_000, {"Case": 40_000, "Contact": 20_000})
        ],
        "evidence": [
            evidence(
                event(7, ip="192.0.2.77", user_agent="python-requests/2.32", operation=Operation.BULK_EXPORT,
                      app="0H4", session="s-1"),
                20_000,
            )
        ],
        "ips": {"192.0.2.77": 3},
        "user_agents": {"python-requests/2.32": 3},
    }  # fmt: skip
    return Incident(**(given | fields))


def words(sentence: str) -> int:
    """How many words it has."""
    return len(sentence.split())


# --- the sentence


def test_the_whole_sentence() -> None:
    """Word for word what a tired analyst reads."""
    assert describe(incident()) == (
        "The integration “Sky Sync” (0054R) took out 60,000 rows (Case 40,000, Contact 20,000) by bulk export "
        "on 2026-03-02 between 00:01 and 00:10 UTC, from 192.0.2.77 with “python-requests/2.32”. "
        "In one hour it was 60,000 rows; about 3,200 are usual, at most 21,000 expected, known from 14 of its "
        "own hours. About 1 in 2,500 comparable hours reaches this. "
        "Case records hold what customers wrote to customer service. "
        "Next: ask the integration's owner whether this was planned; if not, revoke its tokens now."
    )


@pytest.mark.parametrize(
    ("kind", "name", "who"),
    [
        (ActorKind.INTEGRATION, "Sky Sync", "The integration “Sky Sync” (0054R) took out"),
        (ActorKind.HUMAN, "ada@sky.example", "The user “ada@sky.example” (0054R) took out"),
        (ActorKind.GUEST, None, "The guest 0054R took out"),
    ],
)
def test_it_says_who(kind: ActorKind, name: str | None, who: str) -> None:
    """What kind of actor it is, by name and id, comes first."""
    assert describe(incident(actor_kind=kind, actor_name=name)).startswith(who)


@pytest.mark.parametrize(
    ("objects", "how_much"),
    [
        ({"Case": 1}, "took out 1 row of Case by"),
        ({"Case": 1502}, "took out 1,502 rows of Case by"),
        ({"Case": 1500, "*": 2}, "took out 1,502 rows (Case 1,500, others 2) by"),
        ({"*": 1502}, "took out 1,502 rows by"),
        (
            {"A": 50, "B": 40, "C": 30, "D": 20, "E": 10},
            "took out 150 rows (A 50, B 40, C 30, others 30) by",
        ),
    ],
)
def test_it_says_how_much(objects: dict[str, int], how_much: str) -> None:
    """Rows that left, of which kinds, in the singular where it is one."""
    rows = sum(objects.values())
    parts = [Part("bulk_export", "volume", HOUR_MS, START_MS, rows, objects)]
    assert how_much in describe(incident(parts=parts))


@pytest.mark.parametrize(
    ("channels", "how"),
    [
        (["query"], "rows of Case by API query on"),
        (["report"], "rows of Case in reports on"),
        (["report", "query"], "rows of Case in reports and by API query on"),
        (["report", "query", "search"], "rows of Case in reports and in other ways on"),
        (["admin"], "rows of Case otherwise on"),
    ],
)
def test_it_says_how(channels: list[str], how: str) -> None:
    """By what means, those with most rows first."""
    parts = [
        Part(channel, "volume", HOUR_MS, START_MS, 900 - number, {"Case": 900 - number})
        for number, channel in enumerate(channels)
    ]
    assert how in describe(incident(parts=parts, findings={"volume": finding(channel=channels[0])}))


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "when"),
    [
        (START_MS + 1_000, START_MS + 2_000, " on 2026-03-02 at 00:00 UTC, from"),
        (START_MS + 1_000, START_MS + 90_000, " on 2026-03-02 between 00:00 and 00:01 UTC, from"),
        (START_MS, START_MS + DAY_MS + 60_000, " between 2026-03-02 00:00 and 2026-03-03 00:01 UTC, from"),
        (-(10**18), 10**18, " between 0001-01-01 00:00 and 9999-12-31 23:59 UTC, from"),
    ],
)
def test_it_says_since_when(first_ms: int, last_ms: int, when: str) -> None:
    """A minute, a span within a day, or from day to day; times outside the calendar break nothing."""
    assert when in describe(incident(first_ms=first_ms, last_ms=last_ms))


@pytest.mark.parametrize(
    ("ips", "agents", "where"),
    [
        ({}, {}, " UTC. "),
        ({"192.0.2.77": 1}, {}, ", from 192.0.2.77. "),
        ({}, {"curl/8": 1}, ", with “curl/8”. "),
        ({"192.0.2.1": 1, "192.0.2.9": 5}, {}, ", from 192.0.2.9 and 1 other address. "),
        ({"2001:db8::1": 1, "b": 1, "c": 1}, {}, ", from 2001:db8::1 and 2 other addresses. "),
        ({"192.0.2.1": 1}, {"a": 1, "b": 2}, ", from 192.0.2.1 with “b”. "),
        ({}, {"a" * 40: 1}, f", with “{'a' * 40}”. "),
        ({}, {"a" * 41: 1}, f", with “{'a' * 39}…”. "),
    ],
)
def test_it_says_from_where(ips: dict[str, int], agents: dict[str, int], where: str) -> None:
    """The address and the agent seen most, and how many others; nothing where the log says nothing."""
    assert where in describe(incident(ips=ips, user_agents=agents))


@pytest.mark.parametrize(
    ("fields", "normal"),
    [
        ({}, "In one hour it was 60,000 rows; about 3,200 are usual, at most 21,000 expected, known from 14"),
        ({"horizon_ms": DAY_MS}, "In one day it was 60,000 rows;"),
        (
            {"horizon_ms": DAY_MS},
            ", known from 14 of its own days. About 1 in 2,500 comparable days reaches this.",
        ),
        (
            {"value": 1, "typical": 0.2, "bound": 0.9},
            "In one hour it was 1 row; hardly any are usual, known from 14 of its own hours.",
        ),
        ({"typical": 1.3, "bound": 5.9}, "; about 1 is usual, at most 5 expected, known from"),
        ({"typical": -0.5, "bound": 7.0}, "; hardly any are usual, at most 7 expected, known from"),
        (
            {"warm": False, "own_windows": 3},
            "at most 21,000 expected, judged by its peers: only 3 own hours are known. About 1 in",
        ),
        ({"warm": False, "own_windows": 1}, ", judged by its peers: only 1 own hour is known."),
        ({"warm": False, "own_windows": 0}, ", judged by its peers: no own hour is known."),
        (
            {"detector": "export", "channel": "report"},
            "In one report it was 60,000 rows; about 3,200 are usual for an hour's largest,"
            " at most 21,000 expected, known from 14 of its own hours.",
        ),
        ({"detector": "export", "channel": "admin"}, "In one operation it was 60,000 rows;"),
        ({"surprise": 5.0}, " About 1 in 100,000 comparable hours reaches this. Case"),
        ({"surprise": 0.2}, "known from 14 of its own hours. Case records"),
    ],
)
def test_it_says_what_is_normal(fields: dict[str, Any], normal: str) -> None:
    """What the window had, what is usual, the most to be expected, whence that is known, and how rare it is."""
    assert normal in describe(incident(findings={"volume": finding(**fields)}))


@pytest.mark.parametrize(
    ("value", "bound", "said"),
    [
        (21_999, 20_999.0, "at most 20,000 expected"),
        (21_000, 20_999.0, "at most 20,000 expected"),
        (60_000, 60_000.0, None),
        (60_000, 90_000.0, None),
    ],
)
def test_it_never_contradicts_itself(value: int, bound: float, said: str | None) -> None:
    """The most to be expected lies below what was seen, as shown too, or is not spoken of."""
    sentence = describe(incident(findings={"volume": finding(value=value, bound=bound)}))
    assert f"it was {value:,} rows; about 3,200 are usual" in sentence
    assert (f", {said}, known from" in sentence) if said else ("expected" not in sentence)


def test_it_explains_by_what_was_large() -> None:
    """Of findings about as rare, the largest is told; one that was to be expected is never told first."""
    query = finding(detector="export", channel="query", value=586, typical=190.0, bound=400.0, surprise=2.9)
    bulk = finding(surprise=2.7)
    told = incident(findings={"export": query, "volume": bulk})
    assert "In one hour it was 60,000 rows" in describe(told)
    assert build(told, Activity.CREATE, START_MS).detectors == ("volume", "export")
    usual = finding(surprise=1.9, bound=70_000.0)
    assert "In one API query it was 586 rows" in describe(
        incident(findings={"export": query, "volume": usual})
    )


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ({"Contact": 5}, "Contact records hold contact data, which is what phishing is made of."),
        ({"Passport__c": 1, "Case": 9}, "Passport__c records hold identity documents."),
        ({"Passport__c": 20, "Case": 9_000}, "Passport__c records hold identity documents."),
        ({"Passport__c": 19, "Case": 9_000}, "Case records hold what customers wrote to customer service."),
        ({"Contact": 1, "Product2": 10_000}, "Product2 records are the company's own."),
        ({"Product2": 5}, "Product2 records are the company's own."),
        ({"Sprocket__c": 5}, "Nobody has said yet what Sprocket__c records hold."),
        ({"*": 5}, "Nobody has said yet what these records hold."),
    ],
)
def test_it_says_why_it_matters(objects: dict[str, int], why: str) -> None:
    """What the most sensitive of the records hold of which more than a few left."""
    parts = [Part("bulk_export", "volume", HOUR_MS, START_MS, 10, objects)]
    assert f" comparable hours reaches this. {why} Next: " in describe(incident(parts=parts))


def test_risk_weighs_what_left() -> None:
    """A single contact among ten thousand products hardly counts; every row of a kind counts as that kind."""

    def of(**objects: int) -> int:
        return incident_risk(incident(parts=[Part("query", "volume", HOUR_MS, START_MS, 1, objects)]))

    products, contacts = of(Product2=10_001), of(Contact=10_001)
    assert of(Product2=10_000, Contact=1) == products < contacts - 30
    assert of(Product2=1, Contact=10_000) == contacts
    mixed = [of(Product2=10_000 - count, Contact=count) for count in (1, 20, 100, 500, 2_000, 10_000)]
    assert mixed == sorted(mixed)
    assert mixed[-1] == contacts
    assert of(Product2=10_000, Contact=100) >= of(Contact=100)
    assert of(Passport__c=5, Contact=5_000) >= of(Contact=5_005)


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (
            ActorKind.INTEGRATION,
            "ask the integration's owner whether this was planned; if not, revoke its tokens",
        ),
        (ActorKind.HUMAN, "call the person on a known number; if it was not them, freeze the account"),
        (ActorKind.GUEST, "close the guest's access to these records"),
    ],
)
def test_it_says_what_to_do(kind: ActorKind, step: str) -> None:
    """The first step comes last, where the eye stays; the others are in the remediation."""
    found = incident(actor_kind=kind)
    sentence = describe(found)
    assert f" Next: {step}" in sentence
    assert sentence.endswith(".")
    remediation = valid(build(found, Activity.CREATE, START_MS).body)["remediation"]["desc"]
    assert remediation.lower().startswith(f"1. {step.lower()}")
    assert [number in remediation for number in ("2. ", "3. ", "4. ", "5. ")] == [True, True, True, False]


def test_it_is_short() -> None:
    """Eighty words or so, a hundred whatever happens; no brackets within brackets."""
    many = {f"Object{number}__c": 10_000_000 for number in range(9)}
    found = incident(
        parts=[
            Part(channel, "volume", HOUR_MS, START_MS, 90_000_000, many)
            for channel in ("report_export", "query", "search")
        ],
        findings={"volume": finding(warm=False)},
        ips=dict.fromkeys(("192.0.2.1", "192.0.2.2"), 1),
        user_agents={
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0": 1
        },
        last_ms=START_MS + 9 * DAY_MS,
        actor_kind=ActorKind.HUMAN,
    )
    assert words(describe(found)) <= 100
    assert words(describe(incident())) <= 81
    for sentence in (describe(found), describe(incident())):
        assert not re.search(r"\([^()]*\(|\)\)|\) \(", re.sub("“[^“”]*”", "_", sentence))


# --- hostile text


def contains_only_text(sentence: str) -> bool:
    """Whether nothing in it could move a cursor, turn the direction of writing or begin a line."""
    return sentence.isprintable() and not any(
        unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in sentence
    )


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_breaks_nothing(text: str) -> None:
    """Escapes, bidi marks, line ends, endless names, halves of pairs: the sentence stays one, the body valid."""
    found = incident(
        tenant=text,
        actor=text,
        actor_name=text,
        ips={text: 1},
        user_agents={text: 1},
        apps={text: 1},
        parts=[Part("query", "volume", HOUR_MS, START_MS, 9, {text: 9})],
        evidence=[
            evidence(
                event(event_id=text, objects=(text,), ip=text, user_agent=text, app=text, session=text), 9
            )
        ],
    )
    alert = build(found, Activity.CREATE, START_MS)
    assert contains_only_text(alert.sentence)
    assert len(alert.sentence) < 1_100
    assert re.sub("“[^“”]*”", "_", alert.sentence).count(" took out ") == 1
    assert alert.sentence.count("“") == alert.sentence.count("”")
    body = valid(alert.body)
    assert body["message"] == alert.sentence
    assert contains_only_text(body["finding_info"]["title"])
    assert alert.uid == incident_uid(found)


@given(st.text(st.characters(), max_size=80))
@example("“”")
@settings(max_examples=100, deadline=None)
def test_any_text_stays_within_its_quotes(text: str) -> None:
    """Whatever a name is, outside of quotes the sentence reads as it always does."""
    plain = re.sub("“[^“”]*”", "_", describe(incident(actor_name="x", actor="/", user_agents={"y": 1})))
    hostile = describe(incident(actor_name=text or "x", actor=f"/{text}", user_agents={text: 1}))
    assert contains_only_text(hostile)
    assert re.sub("“[^“”]*”", "_", hostile) == plain


# --- the body


@pytest.mark.parametrize("seed", [3, 8, 14])
def test_every_alert_of_a_world_is_valid_ocsf(seed: int) -> None:
    """All alerts of simulated worlds, of all activities, are Detection Findings of OCSF 1.8.0."""
    alerts = alerts_of(
        world(seed, 24 * 4, Theft(start_ms=START_MS + (2 * 24 + 3) * HOUR_MS), 25, 4), TALKATIVE
    )
    assert {alert.activity for alert in alerts} == set(Activity)
    for alert in alerts:
        body = valid(alert.body)
        assert body["metadata"]["version"] == OCSF_VERSION
        assert body["type_uid"] == body["class_uid"] * 100 + body["activity_id"]
        assert body["activity_id"] == alert.activity
        assert body["severity_id"] == alert.severity
        assert body["time"] == alert.time_ms
        assert body["finding_info"]["uid"] == alert.uid
        assert body["message"] == body["finding_info"]["desc"] == alert.sentence
        assert body["start_time"] <= body["end_time"]
        assert body["count"] == body["unmapped"]["crmwatch"]["rows_left"] > 0
        assert sum(found["data"]["rows"] for found in body["resources"]) == body["count"]
        assert {found["data"]["category"] for found in body["resources"]} <= set(Category)
        assert 0 <= body["risk_score"] <= 100
        assert 0 <= body["confidence_score"] <= 100
        assert 40 < words(alert.sentence) <= 100


def test_a_uid_is_an_incidents_for_life() -> None:
    """It stays the same while the incident grows, and differs by tenant, identity and opening."""
    found = incident()
    uid = incident_uid(found)
    found.parts.append(Part("query", "volume", DAY_MS, START_MS, 5, {"Lead": 5}))
    found.modified_ms += 5
    found.actor_name = "Other"
    assert [build(found, activity, START_MS + 9).uid for activity in Activity] == [uid] * 3
    others = [incident(tenant="x"), incident(actor="x"), incident(opened_ms=1)]
    assert len({uid, *map(incident_uid, others)}) == 4


def test_the_body_says_what_the_incident_is() -> None:
    """Who, how bad, what was seen and what is usual are in OCSF's own fields."""
    found = incident(findings={"volume": finding(), "export": finding(detector="export", surprise=2.0)})
    body = valid(build(found, Activity.UPDATE, START_MS + 700_000).body)
    assert body["activity_name"] == "Update"
    assert body["status_id"] == 1
    assert (body["start_time"], body["end_time"], body["time"]) == (
        START_MS + 60_000, START_MS + 600_000, START_MS + 700_000
    )  # fmt: skip
    assert body["finding_info"]["title"] == "Unusually many rows by bulk export: “Sky Sync”"
    assert body["finding_info"]["types"] == ["volume", "export"]
    assert body["finding_info"]["analytic"]["name"] == "volume"
    assert body["resources"] == [
        {"name": "Case", "type": "CRM object", "data": {"rows": 40_000, "category": "customer_service"}},
        {"name": "Contact", "type": "CRM object", "data": {"rows": 20_000, "category": "contact"}},
    ]
    volume = body["anomaly_analyses"][0]
    assert volume["analysis_targets"][0]["name"] == "00D4R/0054R"
    assert volume["anomalies"][0]["observations"][0]["value"] == "60000"
    assert volume["anomalies"][0]["observations"][0]["timespan"]["duration"] == HOUR_MS
    assert [base["observations"][0]["value"] for base in volume["baselines"]] == ["3170", "21400"]
    assert body["unmapped"]["crmwatch"]["surprise"] == {"volume": 3.4, "export": 2.0}
    assert body["risk_score"] == incident_risk(found)
    assert valid(build(found, Activity.CLOSE, START_MS).body)["status_id"] == 4


def test_titles_say_what_it_was() -> None:
    """One operation or many rows, and by what means."""
    found = incident(findings={"export": finding(detector="export", channel="report")}, actor_name=None)
    assert (
        valid(build(found, Activity.CREATE, 0).body)["finding_info"]["title"]
        == "Unusually large report by 0054R"
    )


@pytest.mark.parametrize(
    ("channel", "ids"),
    [
        ("bulk_export", {"T1213", "T1020", "T1567"}),
        ("query", {"T1213", "T1020"}),
        ("report_export", {"T1213", "T1567"}),
        ("record_view", {"T1213"}),
    ],
)
def test_attacks_are_named(channel: str, ids: set[str]) -> None:
    """The ATT&CK techniques that fit the means; data from a CRM is T1213.004."""
    body = valid(build(incident(findings={"volume": finding(channel=channel)}), Activity.CREATE, 0).body)
    attacks = body["finding_info"]["attacks"]
    assert {attack["technique"]["uid"] for attack in attacks} == ids
    assert attacks[0]["sub_technique"]["uid"] == "T1213.004"
    assert all(attack["tactics"] and attack["version"] for attack in attacks)


def test_observables_are_what_one_searches_for() -> None:
    """User id, addresses and agents, by OCSF's own numbers and captions."""
    body = valid(
        build(incident(ips={"2001:db8::1": 1, "192.0.2.1": 2, "not an address": 9}), Activity.CREATE, 0).body
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
    found = incident()
    alert = build(found, Activity.CREATE, 0)
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
    body = valid(build(incident(evidence=[masked]), Activity.CREATE, 0).body)
    assert body["evidences"][0]["src_endpoint"] == {"name": "Salesforce.com IP"}


def test_unknown_is_left_out() -> None:
    """What a log does not say is not in the body, not even as null."""
    bare = Evidence("e", START_MS, Operation.QUERY, 5, (), None, None, None, None, None, "a", "p")
    found = incident(evidence=[bare], actor_name=None, ips={}, user_agents={})
    body = valid(build(found, Activity.CREATE, 0).body)
    assert body["evidences"][0].keys() == {"uid", "actor", "api", "data"}
    assert b"null" not in build(found, Activity.CREATE, 0).body


def test_one_file_or_many() -> None:
    """The same records give the same bodies wherever they lie; only positions differ."""
    made = World(seed=4, start_ms=START_MS, hours=72, people=12, integrations=3)
    rows = [record for _, record in records(made, Theft(start_ms=START_MS + 51 * HOUR_MS))]

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


def test_the_theft_is_told_as_it_was() -> None:
    """In a simulated world the sentence of the theft names its rows, host, time and objects."""
    alerts = [
        alert
        for alert in alerts_of(world(21, 24 * 8, THEFT))
        if json.loads(alert.body)["unmapped"]["crmwatch"]["identity"].endswith("0054R9000000000QAA")
    ]
    last = alerts[-1].sentence
    assert last.startswith("The integration 0054R9000000000QAA took out ")
    assert re.search(r"6\d,\d\d\d rows \(Case 3\d,\d\d\d, Contact 30,000\) by bulk export", last)
    assert "from 192.0.2.77" in last
    assert "on 2026-03-08 between 0" in last
    assert "Case records hold what customers wrote to customer service" in last
    assert "revoke its tokens now" in last


def test_an_alert_is_a_value() -> None:
    """It cannot be changed."""
    with pytest.raises(AttributeError):
        build(incident(), Activity.CREATE, 0).uid = "x"  # type: ignore[misc]
    assert msgspec.structs.fields(Alert)
