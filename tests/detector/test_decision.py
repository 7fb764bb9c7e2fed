"""The record of a decision: what it holds, how it is written, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.decision import (
    EFFECTIVE_AFTER_MS,
    EXPECTED_MS,
    Assignment,
    Awareness,
    Decision,
    DecisionError,
    DecisionSubject,
    Disposition,
    Exemption,
    ExpectedUntil,
    Kind,
    MutedUntil,
    NoPayload,
    Outcome,
    StepMark,
    decode,
    encode,
)
from tests.detector.make import decision, withdrawn

PAYLOADS: dict[Kind, tuple[dict[str, Any], Any]] = {
    Kind.DISPOSITION: ({"outcome": "false_positive"}, Disposition(Outcome.FALSE_POSITIVE)),
    Kind.ACKNOWLEDGE: ({}, NoPayload()),
    Kind.ASSIGN: ({"assignee": "bo"}, Assignment("bo")),
    Kind.MUTE: ({"until_ms": 9}, MutedUntil(9)),
    Kind.EXPECTED: ({}, ExpectedUntil()),
    Kind.BREACH: ({}, NoPayload()),
    Kind.AWARENESS: ({"aware_ms": -5}, Awareness(-5)),
    Kind.NOTIFIED: ({}, NoPayload()),
    Kind.STEP: ({"step_id": "s1", "done": True}, StepMark("s1", True)),
    Kind.EXCEPTION: ({"until_ms": 9}, Exemption(9)),
}


def written(**fields: Any) -> bytes:
    """A record on the wire: a mute, with other fields."""
    record: dict[str, Any] = {
        "version": 1, "id": "d1", "kind": "mute", "subject": {"incident": "x"}, "time_ms": 1, "payload": {"until_ms": 9}
    }  # fmt: skip
    return msgspec.json.encode(
        {name: value for name, value in (record | fields).items() if value is not None}
    )


@pytest.mark.parametrize("kind", [*Kind])
def test_each_kind_has_its_payload(kind: Kind) -> None:
    """It is read into its own struct, in JSON and in settings, and comes back from its encoding as it was."""
    payload, expected = PAYLOADS[kind]
    made = decision(kind, 0, "crmwatch-1", by="ana", reason="so", **payload)
    assert made.payload == expected
    assert type(made.payload) is type(expected)
    assert decode(encode(made)) == made
    assert msgspec.convert(msgspec.to_builtins(made), Decision) == made
    assert hash(decode(encode(made))) == hash(made)


@given(
    by=st.text(),
    role=st.text(),
    reason=st.text(),
    incident=st.text(min_size=1),
    time_ms=st.integers(0, 1 << 50),
)
def test_the_encoding_is_canonical(by: str, role: str, reason: str, incident: str, time_ms: int) -> None:
    """Sorted keys, every field, no whitespace, UTF-8: any JSON library can write the same bytes."""
    made = Decision(
        kind=Kind.ACKNOWLEDGE,
        subject=DecisionSubject(incident=incident),
        by=by,
        role=role,
        time_ms=time_ms,
        reason=reason,
    )
    record = json.loads(encode(made))
    assert list(record) == sorted(Decision.__struct_fields__)
    plain = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert encode(made) == plain.encode()
    assert encode(decode(plain.encode())) == plain.encode()


def test_an_id_names_the_content() -> None:
    """The same decision has the same id whoever derives it; any other field makes another one; a given id stays."""
    base = {"kind": Kind.MUTE, "time_ms": 0, "incident": "x", "until_ms": 9}
    ids = {
        decision(**(base | change)).id  # type: ignore[arg-type]
        for change in (
            {},
            {"by": "ana"},
            {"time_ms": 1},
            {"until_ms": 10},
            {"incident": "y"},
            {"reason": "z"},
        )
    }
    assert len(ids) == 6
    assert decision(**base).id == decision(**base).id  # type: ignore[arg-type]
    assert decode(written()).id == "d1"


def test_unknown_fields_are_ignored() -> None:
    """A field that a later release of version 1 adds, in the record or in a payload, changes nothing here."""
    later = written(signature="hmac", payload={"until_ms": 9, "scope": "all"})
    assert decode(later) == decode(written())


@pytest.mark.parametrize(
    ("data", "reason", "problem"),
    [
        (written(version=2), "unknown_version", "version 2; this release reads 1"),
        (written(version=2, id=None, kind="other"), "unknown_version", "version 2"),
        (written(version=None), "malformed", "version"),
        (written(id=None), "malformed", "without an id"),
        (written(kind="delete"), "malformed", "Invalid enum value"),
        (written(subject={}), "malformed", "names an incident, an identity, or both"),
        (written(subject=None), "malformed", "subject"),
        (written(kind="disposition", subject={"identity": "t/u"}, payload=None), "malformed", "names an incident"),
        (written(kind="breach", subject={"identity": "t/u"}, payload=None), "malformed", "names an incident"),
        (written(kind="step", subject={"identity": "t/u"}, payload={"step_id": "s", "done": 1}), "malformed", "s"),
        (written(payload=None), "malformed", "payload of mute: .*until_ms"),
        (written(payload={"until_ms": "9"}), "malformed", "payload of mute"),
        (written(kind="assign", payload={"assignee": ""}), "malformed", "payload of assign"),
        (written(kind="disposition", payload={"outcome": "good"}), "malformed", "payload of disposition"),
        (written(time_ms=9), "malformed", "after time_ms"),
        (written(kind="expected", payload={"until_ms": 1}), "malformed", "after time_ms"),
        (b"{", "malformed", "truncated"),
        (b"", "malformed", "truncated"),
        (b"[" * 100_000, "malformed", "."),
        (b'{"version": 1, "id": "\xff"}', "malformed", "."),
    ],
)  # fmt: skip
def test_what_is_no_decision_is_refused(data: bytes, reason: str, problem: str) -> None:
    """With a code for counters and a sentence that says what is wrong."""
    with pytest.raises(DecisionError, match=problem) as refusal:
        decode(data)
    assert refusal.value.reason == reason


def test_it_takes_effect_a_minute_later_and_ends() -> None:
    """A mute ends when it says, expected volume a day after it was decided unless it says when, and others do not."""
    mute = decision(Kind.MUTE, 100, "x", until_ms=500)
    assert mute.effective_ms == 100 + EFFECTIVE_AFTER_MS == 60_100
    assert mute.until_ms == 500
    assert decision(Kind.EXPECTED, 100, "x").until_ms == 100 + EXPECTED_MS
    assert decision(Kind.EXPECTED, 100, "x", until_ms=500).until_ms == 500
    assert decision(Kind.BREACH, 100, "x").until_ms is None
    assert decision(Kind.EXCEPTION, 100, "x").until_ms is None


def test_what_an_alert_quotes_is_short() -> None:
    """The outcome or the kind, and the reason, in at most 400 characters; a withdrawal says that it is one."""
    false_alarm = decision(Kind.DISPOSITION, 0, "x", reason="a test", outcome="false_positive")
    assert false_alarm.text == "false positive: a test"
    assert decision(Kind.DISPOSITION, 0, "x").text == "closed"
    breach = decision(Kind.BREACH, 0, "x")
    assert (breach.text, withdrawn(breach, 1, "no").text) == ("breach", "breach withdrawn: no")
    assert len(decision(Kind.BREACH, 0, "x", reason="a" * 1_000_000).text) == 400


def test_a_withdrawal_has_no_payload_of_its_own() -> None:
    """It takes back and decides nothing else: a mute's withdrawal needs no end, and has none."""
    mute = decision(Kind.MUTE, 100, "x", until_ms=500)
    taken_back = withdrawn(mute, 200)
    assert (taken_back.payload, taken_back.until_ms) == (NoPayload(), None)
    assert decode(encode(taken_back)) == taken_back
