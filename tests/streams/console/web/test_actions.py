from __future__ import annotations

import pytest

from detector.decision import (
    Assignment,
    Awareness,
    AwarenessSource,
    Decision,
    DecisionSubject,
    Disposition,
    ExpectedUntil,
    Kind,
    MutedUntil,
    NoPayload,
    Outcome,
    Payload,
    StepMark,
    decode,
    encode,
)
from streams.console.web.actions import ActionError, decision

HOUR_MS = 3_600_000
EXISTING = Decision(kind=Kind.MUTE, subject=DecisionSubject(identity="t/u"), time_ms=1, payload=MutedUntil(9))


def asked(form: dict[str, str]) -> Decision:
    """What an analyst asks for with a form, about an incident of which one decision can be withdrawn."""
    return decision(form, "crmwatch-1", "t/u", "ana", "analyst", 7, {EXISTING.id: EXISTING})


@pytest.mark.parametrize(
    ("form", "kind", "payload", "reason", "identity"),
    [
        ({"action": "acknowledge"}, Kind.ACKNOWLEDGE, NoPayload(), "", ""),
        ({"action": "assign", "assignee": " bo "}, Kind.ASSIGN, Assignment("bo"), "", ""),
        ({"action": "breach", "reason": "it  is\nthem"}, Kind.BREACH, NoPayload(), "it is them", ""),
        (
            {"action": "disposition", "reason": "over"},
            Kind.DISPOSITION,
            Disposition(Outcome.CLOSED),
            "over",
            "",
        ),
        (
            {"action": "disposition", "reason": "a test", "outcome": "false_positive", "whole": "yes"},
            Kind.DISPOSITION,
            Disposition(Outcome.FALSE_POSITIVE),
            "a test",
            "",
        ),
        (
            {
                "action": "awareness",
                "aware": "1970-01-01 00:00",
                "zone": "Europe/Paris",
                "source": "supplier",
                "reason": "its mail",
            },
            Kind.AWARENESS,
            Awareness(-HOUR_MS, "Europe/Paris", AwarenessSource.SUPPLIER),
            "its mail",
            "",
        ),
        ({"action": "notified", "reason": "by mail"}, Kind.NOTIFIED, NoPayload(), "by mail", ""),
        ({"action": "step", "step": "s1", "done": "yes"}, Kind.STEP, StepMark("s1", True), "", ""),
        ({"action": "step", "step": "s1", "done": "no"}, Kind.STEP, StepMark("s1", False), "", ""),
        ({"action": "mute", "hours": "4"}, Kind.MUTE, MutedUntil(7 + 4 * HOUR_MS), "", ""),
        ({"action": "mute", "hours": "1", "whole": "yes"}, Kind.MUTE, MutedUntil(7 + HOUR_MS), "", "t/u"),
        (
            {"action": "expected", "hours": "24", "reason": "a migration", "whole": "yes"},
            Kind.EXPECTED,
            ExpectedUntil(7 + 24 * HOUR_MS),
            "a migration",
            "t/u",
        ),
    ],
)
def test_a_form_becomes_a_decision(
    form: dict[str, str], kind: Kind, payload: Payload, reason: str, identity: str
) -> None:
    """With who, in which role and when, of the incident, and of the identity only where it was asked for; it survives
    its encoding."""
    made = asked(form)
    assert made == Decision(
        kind=kind,
        subject=DecisionSubject(incident="crmwatch-1", identity=identity),
        by="ana",
        role="analyst",
        time_ms=7,
        reason=reason,
        payload=payload,
    )
    assert decode(encode(made)) == made


def test_a_decision_is_withdrawn_by_its_id() -> None:
    """The withdrawal is of its kind and subject, with who and why; one that is not there cannot be withdrawn."""
    made = asked({"action": "withdraw", "decision": EXISTING.id, "reason": "over"})
    assert (made.kind, made.subject, made.withdraws) == (Kind.MUTE, EXISTING.subject, EXISTING.id)
    assert (made.by, made.role, made.time_ms, made.reason) == ("ana", "analyst", 7, "over")
    for name in ("", "decision-0", "x" * 100):
        with pytest.raises(ActionError, match="no such decision"):
            asked({"action": "withdraw", "decision": name})


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({}, "not an action"),
        ({"action": "delete"}, "not an action"),
        ({"action": "exception"}, "not an action"),
        ({"action": "awareness"}, "say why"),
        ({"action": "awareness", "reason": "x"}, "from whom"),
        ({"action": "awareness", "reason": "x", "source": "press", "aware": "noon"}, "not a time"),
        ({"action": "awareness", "reason": "x", "source": "press", "aware": "1969-12-31"}, "no time zone"),
        (
            {"action": "awareness", "reason": "x", "source": "press", "aware": "2026-03-06", "zone": "UTC"},
            "still to come",
        ),
        ({"action": "disposition"}, "say why"),
        ({"action": "disposition", "reason": " \n "}, "say why"),
        ({"action": "disposition", "reason": "x", "outcome": "good"}, "not an outcome"),
        ({"action": "expected", "hours": "1"}, "say why"),
        ({"action": "notified"}, "say why"),
        ({"action": "assign"}, "to whom"),
        ({"action": "step"}, "Which step"),
        ({"action": "mute"}, "how long"),
        ({"action": "mute", "hours": "0"}, "how long"),
        ({"action": "mute", "hours": "-1"}, "how long"),
        ({"action": "mute", "hours": "1e9"}, "how long"),
        ({"action": "mute", "hours": "99999"}, "how long"),
        ({"action": "disposition", "reason": "x" * 1001}, "too long"),
        ({"action": "assign", "assignee": "x" * 101}, "too long"),
        ({"action": "step", "step": "x" * 101}, "too long"),
    ],
)
def test_a_form_that_will_not_do_is_refused(form: dict[str, str], why: str) -> None:
    """With a sentence that says what is missing."""
    with pytest.raises(ActionError, match=why):
        asked(form)


@pytest.mark.parametrize("hours", ["0", "2161", "-1", "9" * 5_000, "", "four"])
def test_a_time_that_is_none_is_refused(hours: str) -> None:
    """Too short, too long, thousands of digits, or no number: a sentence."""
    form = {"action": "mute", "hours": hours}
    with pytest.raises(ActionError, match="Please say for how long"):
        decision(form, "crmwatch-1", "t/u", "ana", "analyst", 0, {})
