from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.alert.finding import (
    FINDING_VERSION,
    Contribution,
    ExceededBound,
    FindingError,
    Impact,
    read,
    write,
)
from detector.attack import AttackTechnique, NamedUid
from detector.event import ActorKind, Operation
from detector.triage.risk import Severity
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS
from tests.detector.incidents import valid
from tests.streams.report.make import AGENT, AWAY, THEFT_MS, analysis, body, incident

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


def encoded(**changes: Any) -> bytes:
    """The alert on a theft as the detector writes it, with changes."""
    return msgspec.json.encode(body(**changes))


def own(**changes: Any) -> bytes:
    """The same with changes to what OCSF has no place for."""
    return encoded(unmapped={"crmwatch": changes})


def test_what_is_written_is_read() -> None:
    """A finding survives being written, byte for byte, and is a valid Detection Finding of OCSF."""
    finding = read(encoded())
    assert write(finding) == encoded()
    assert read(write(finding)) == finding
    assert valid(write(finding))["unmapped"]["crmwatch"]["version"] == FINDING_VERSION == 1


def test_a_finding_says_what_readers_show() -> None:
    """Who it is about, what was taken, from where, when, and how bad it is."""
    finding = incident()
    assert (finding.uid, finding.title) == ("crmwatch-1", "Unusually large bulk export by “sync”")
    assert finding.sentence.startswith(
        "The integration “sync” (u) took out 6,000 rows of Case by bulk export on"
    )
    assert (finding.severity, finding.risk, finding.rows) == (Severity.HIGH, 71, 6000)
    assert (finding.start_ms, finding.end_ms) == (THEFT_MS, THEFT_MS + 6 * MINUTE_MS)
    assert (finding.closed, finding.provisional, finding.extension.judged_by_peers) == (False, False, False)
    assert (finding.tenant, finding.identities, finding.source) == ("t", ("t/u",), "")
    assert (finding.actor, finding.kind) == ("sync (u)", ActorKind.INTEGRATION)
    assert (finding.addresses, finding.detectors) == ({AWAY}, ("export", "volume"))
    assert finding.objects == (("Case", 6000),)
    assert finding.bound == ExceededBound(1500, DAY_MS, THEFT_MS - 3 * HOUR_MS, Operation.BULK_EXPORT, 410)
    [event] = finding.evidences
    assert (event.uid, event.account, event.app) == ("e-1", "u", "0H4")
    assert (event.address, event.user_agent, event.api.operation) == (AWAY, AGENT, "bulk_export")
    assert (event.data.time, event.data.rows, event.data.objects) == (
        THEFT_MS + 4 * MINUTE_MS,
        3000,
        ("Case",),
    )
    assert [step.id for step in finding.steps] == [
        "ask_integration_owner",
        "block_app",
        "rotate_secrets",
        "keep_logs",
    ]
    assert [reason.detector for reason in finding.extension.reasons] == ["export", "volume"]


def test_text_is_the_messages_texts() -> None:
    """Title, description and remediation are the English of the messages beside them."""
    finding = incident()
    extension = finding.extension
    assert finding.info.title == extension.title.text
    assert finding.info.desc == finding.message == " ".join(part.text for part in extension.summary)
    assert finding.remediation.desc == " ".join(
        f"{number}. {step.message.text}" for number, step in enumerate(extension.steps, 1)
    )


def test_what_may_come_later_is_optional() -> None:
    """Impact, contributions, names and a link are read if they are there, and left out if they are not."""
    bare = body()
    del bare["unmapped"]["crmwatch"]["impact"]
    plain = read(msgspec.json.encode(bare)).extension
    assert (plain.impact, plain.contributions, plain.names) == (None, (), {})
    assert incident().info.src_url is None
    later = read(
        encoded(
            finding_info={"src_url": "https://soc.example/1"},
            unmapped={
                "crmwatch": {
                    "impact": {"sensitivity": 0.9, "rows": 6000},
                    "contributions": [{"feature": "new_network", "log_odds": 1.5}],
                    "names": {"u": "Sky Sync"},
                }
            },
        )
    )
    assert later.extension.impact == Impact(0.9, 6000, None)
    assert later.extension.contributions == (Contribution("new_network", 1.5),)
    assert later.extension.names == {"u": "Sky Sync"}
    assert later.info.src_url == "https://soc.example/1"


def test_an_additive_change_is_passed_over() -> None:
    """A reader ignores attributes, detectors, steps and message codes that it does not know."""
    step = {"id": "unheard_of", "message": {"code": "step.unheard_of", "text": "Do it.", "params": {"n": 1}}}
    changed = encoded(
        colour="red",
        finding_info={"types": ["tomorrow"]},
        unmapped={"crmwatch": {"mood": {"a": 1}, "steps": [step]}},
    )
    finding = read(changed)
    assert finding.detectors == ("tomorrow",)
    assert [(step.id, step.message.text) for step in finding.steps] == [("unheard_of", "Do it.")]


@pytest.mark.parametrize("changes", [{}, {"identity": 7}, {"steps": "other"}])
def test_another_version_is_refused(changes: dict[str, Any]) -> None:
    """Its number is named, whether or not it could be read."""
    with pytest.raises(FindingError, match="a finding of version 2; this release reads 1"):
        read(own(version=2, **changes))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", "not a finding"),
        (b"{}", "not a finding: Object missing required field `class_uid`"),
        (b"[]", "not a finding"),
        (b"\xff", "not a finding"),
        (b"[" * 100_000, "not a finding"),
        (encoded(severity_id=9), "not a finding: Invalid enum value 9"),
        (encoded(finding_info={"uid": ""}), "not a finding: finding_info.uid is empty"),
        (own(actor_kind="robot"), "not a finding: Invalid enum value 'robot'"),
    ],
)
def test_what_is_no_finding_is_refused(given: bytes, why: str) -> None:
    """With a sentence that says where it fails."""
    with pytest.raises(FindingError) as caught:
        read(given)
    assert str(caught.value).startswith(why)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(sorted(body())), JSON))
def test_whatever_stands_in_it_is_read_or_refused(changes: dict[str, Any]) -> None:
    """Nothing but `FindingError` is raised; what is read can be written, and shown."""
    try:
        finding = read(msgspec.json.encode(body() | changes))
    except FindingError:
        return
    assert read(write(finding)) == finding
    assert 1 <= finding.severity <= 5
    assert all(
        (finding.actor, finding.identities is not None, finding.bound is None or finding.bound.rows >= 0)
    )


def test_a_network_names_all_who_are_new_there() -> None:
    """It is about each of them, and is called by their number."""
    finding = read(own(identity="", network="192.0.2.0/24", actors={"a": 1, "b": 2}))
    assert (finding.identities, finding.actor, finding.kind) == (("t/a", "t/b"), "2 identities", None)


def test_a_source_accuses_nobody() -> None:
    """It is called by its name, and is about no identity."""
    target = {"name": "t/salesforce_elf/query", "type": "source"}
    finding = read(
        encoded(
            anomaly_analyses=[{"analysis_targets": [target], "anomalies": [], "baselines": []}],
            unmapped={"crmwatch": {"identity": ""}},
        )
    )
    assert (finding.identities, finding.actor, finding.source) == ((), target["name"], target["name"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (analysis("query.rows", 6000, 10, HOUR_MS, 5), ExceededBound(10, HOUR_MS, 5, Operation.QUERY, None)),
        (analysis("all.rows", 6000, 10, HOUR_MS, 5), ExceededBound(10, HOUR_MS, 5, None, None)),
        (analysis("query.calls", 6000, 10, HOUR_MS, 5), None),
        (analysis("unheard_of.rows", 6000, 10, HOUR_MS, 5), None),
        (analysis("query.rows", 1499, 10, HOUR_MS, 5), None),
        (analysis("query.rows", 6000, 10, 0, 5), None),
        ({"analysis_targets": [], "anomalies": [], "baselines": []}, None),
    ],
)
def test_a_bound_is_one_on_a_good_part_of_the_rows(
    given: dict[str, Any], expected: ExceededBound | None
) -> None:
    """One of calls, of few rows, or without a window cannot be held against the curve."""
    assert read(encoded(anomaly_analyses=[given])).bound == expected


@pytest.mark.parametrize("uid", ["", "T12", "T1213.004/../..", "javascript:alert(1)"])
def test_only_a_techniques_number_becomes_an_address(uid: str) -> None:
    """Anything else stands there without a link."""
    assert AttackTechnique("19.0", (), NamedUid(uid, "")).address == ""
    assert (
        AttackTechnique("19.0", (), NamedUid("T1213", "")).address
        == "https://attack.mitre.org/techniques/T1213/"
    )
