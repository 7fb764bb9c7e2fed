from __future__ import annotations

import msgspec
import pytest

from detector.decision import Feedback, Verdict
from streams.console.web.actions import ActionError, decision

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"action": "acknowledge"}, {"verdict": Verdict.ACKNOWLEDGED}),
        ({"action": "assign", "assignee": " bo "}, {"verdict": Verdict.ASSIGNED, "assignee": "bo"}),
        (
            {"action": "confirm", "reason": "it  is\nthem"},
            {"verdict": Verdict.CONFIRMED, "reason": "it is them"},
        ),
        ({"action": "close", "reason": "over"}, {"verdict": Verdict.CLOSED, "reason": "over"}),
        ({"action": "notified", "reason": "by mail"}, {"verdict": Verdict.NOTIFIED, "reason": "by mail"}),
        ({"action": "done", "step": "Call."}, {"verdict": Verdict.ACKNOWLEDGED, "reason": "done: Call."}),
        (
            {"action": "undone", "step": "Call."},
            {"verdict": Verdict.ACKNOWLEDGED, "reason": "not done: Call."},
        ),
        ({"action": "mute", "hours": "4"}, {"verdict": Verdict.MUTED, "until_ms": 7 + 4 * HOUR_MS}),
        (
            {"action": "mute", "hours": "1", "whole": "yes"},
            {"verdict": Verdict.MUTED, "until_ms": 7 + HOUR_MS, "identity": "t/u"},
        ),
        (
            {"action": "expected", "hours": "24", "reason": "a migration", "whole": "yes"},
            {
                "verdict": Verdict.EXPECTED,
                "until_ms": 7 + 24 * HOUR_MS,
                "reason": "a migration",
                "identity": "t/u",
            },
        ),
        (
            {"action": "close", "reason": "x", "whole": "yes", "assignee": "bo"},
            {"verdict": Verdict.CLOSED, "reason": "x"},
        ),
    ],
)
def test_a_form_becomes_a_decision(form: dict[str, str], expected: dict[str, object]) -> None:
    """With who and when, of the incident, and of the identity only where it was asked for; it survives its encoding."""
    word = decision(form, "crmwatch-1", "t/u", "ana", 7)
    assert word == Feedback(**({"incident": "crmwatch-1", "by": "ana", "time_ms": 7} | expected))  # type: ignore[arg-type]
    assert msgspec.json.decode(msgspec.json.encode(word), type=Feedback) == word


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({}, "not an action"),
        ({"action": "delete"}, "not an action"),
        ({"action": "close"}, "say why"),
        ({"action": "close", "reason": " \n "}, "say why"),
        ({"action": "expected", "hours": "1"}, "say why"),
        ({"action": "notified"}, "say why"),
        ({"action": "assign"}, "to whom"),
        ({"action": "done"}, "Which step"),
        ({"action": "mute"}, "how long"),
        ({"action": "mute", "hours": "0"}, "how long"),
        ({"action": "mute", "hours": "-1"}, "how long"),
        ({"action": "mute", "hours": "1e9"}, "how long"),
        ({"action": "mute", "hours": "99999"}, "how long"),
        ({"action": "close", "reason": "x" * 1001}, "too long"),
        ({"action": "assign", "assignee": "x" * 101}, "too long"),
    ],
)
def test_a_form_that_will_not_do_is_refused(form: dict[str, str], why: str) -> None:
    """With a sentence that says what is missing."""
    with pytest.raises(ActionError, match=why):
        decision(form, "crmwatch-1", "t/u", "ana", 7)
