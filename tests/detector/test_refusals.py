"""What nobody needs a credential for teaches nothing: neither an identity, nor its networks, nor its company."""

from __future__ import annotations

import pytest

from detector.alert.alert import Alert
from detector.engine import Engine
from detector.event import AccessEvent, ActorKind, Operation
from detector.settings import Settings
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS
from tests.detector.make import START_MS, event

DAYS = 22
THIEF_IP = "198.51.100.7"


def working_days(people: int = 30, days: int = DAYS) -> list[AccessEvent]:
    """People who read some cases and contacts each morning from their own networks."""
    events = []
    for day in range(days):
        for person in range(people):
            for number in range(4):
                at = START_MS + day * DAY_MS + 9 * HOUR_MS + person * MINUTE_MS + number * 600_000
                name = f"agent{person}"
                events.append(
                    event(
                        actor=name,
                        time_ms=at,
                        event_id=f"{name}-{day}-{number}",
                        operation=Operation.LOGIN if number == 0 else Operation.QUERY,
                        status="success",
                        rows=0 if number == 0 else 3 + (person + number + day) % 5,
                        ip=f"203.0.113.{person % 4}",
                        user_agent="Mozilla/5.0 (X11) Firefox/140.0",
                    )
                )
    return sorted(events, key=lambda one: (one.time_ms, one.event_id))


def theft() -> list[AccessEvent]:
    """Two days of small exports as one of them, from a network and with a program that nobody uses."""
    return [
        event(
            actor="agent7",
            time_ms=START_MS + (DAYS + number // 12) * DAY_MS + 2 * HOUR_MS + number % 12 * 40 * MINUTE_MS,
            event_id=f"theft-{number}",
            rows=14,
            objects=("Contact",),
            status="success",
            ip=THIEF_IP,
            user_agent="python-requests/2.32",
        )
        for number in range(24)
    ]


def refusal(number: int, at_ms: int, name: str = "agent7") -> AccessEvent:
    """A sign-in in somebody's name with a wrong password, from the thief's network and program."""
    return event(
        actor=name,
        time_ms=at_ms,
        event_id=f"refused-{number}",
        operation=Operation.LOGIN,
        rows=None,
        objects=(),
        status="Invalid Password",
        ip=THIEF_IP,
        user_agent="python-requests/2.32",
    )


def run(events: list[AccessEvent]) -> tuple[Engine, list[Alert]]:
    """An engine after these events, and its alerts."""
    engine = Engine(Settings())
    alerts: list[Alert] = []
    for one in sorted(events, key=lambda one: (one.time_ms, one.event_id)):
        alerts += engine.observe(one)
    return engine, alerts + engine.finish(START_MS + (DAYS + 3) * DAY_MS)


def told(alerts: list[Alert]) -> list[tuple[int, int, int]]:
    """When each alert was made, how severe it is, and of what risk."""
    return [(alert.time_ms, int(alert.severity), alert.finding.risk) for alert in alerts]


@pytest.mark.slow
def test_refused_sign_ins_do_not_make_a_thief_known() -> None:
    """One in the victim's name a week before makes no alert later or less risky, fifteen a day in made-up names change
    none, and neither adds an identity."""
    calm = working_days()
    engine, alerts = run(calm + theft())
    first_ms = theft()[0].time_ms
    assert alerts
    assert min(alert.time_ms for alert in alerts if alert.time_ms >= first_ms) - first_ms <= 30 * MINUTE_MS
    one = [refusal(0, START_MS + (DAYS - 8) * DAY_MS + 3 * HOUR_MS)]
    many = [
        refusal(
            number,
            START_MS + (DAYS - 2 + number // 15) * DAY_MS + number % 15 * MINUTE_MS,
            f"made-up-{number}",
        )
        for number in range(30)
    ]
    for refused in (one, many):
        other, others = run(calm + refused + theft())
        assert [found[:2] for found in told(others)] == [found[:2] for found in told(alerts)]
        risks = [
            (after, before) for (*_, after), (*_, before) in zip(told(others), told(alerts), strict=True)
        ]
        assert all(after >= before if refused is one else after == before for after, before in risks)
        assert other.identities == engine.identities
        assert sum(other.detection.refused.values()) == len(refused)


@pytest.mark.slow
def test_an_alert_mentions_sign_ins_that_were_refused_on_its_network() -> None:
    """The reason counts them, for the victim alone."""
    refused = [refusal(number, START_MS + (DAYS - 1) * DAY_MS + number * MINUTE_MS) for number in range(3)]
    _, alerts = run(working_days() + refused + theft())
    assert any(b"before that, 3 attempts in its name were refused there" in alert.body for alert in alerts)
    _, plain = run(working_days() + theft())
    assert not any(b"refused there" in alert.body for alert in plain)


def test_a_web_servers_refusals_are_nobodys() -> None:
    """A request that the server answered with 401 or 403 creates no identity; one that it answered does."""
    answered = event(1, actor="a", status="success")
    refused = [event(2, actor="b", status="401"), event(3, actor="c", status="403")]
    engine, _ = run([answered, *refused, event(4, actor="d", status="500")])
    assert sorted(key.decode() for key in engine.profiles()) == ["t/a", "t/d"]


def test_refusals_keep_nobody_known() -> None:
    """An account that only strangers try to enter is forgotten as if nobody had."""
    days = Settings().detection.forget_days + 3
    tries = [refusal(day, START_MS + day * DAY_MS, "gone") for day in range(1, days)]
    engine = Engine(Settings())
    engine.observe(event(0, actor="gone", status="success"))
    for one in tries:
        engine.observe(one)
    engine.finish(START_MS + days * DAY_MS)
    assert engine.profiles() == {}


def test_a_guests_reads_are_still_watched() -> None:
    """Who needs no credential but takes rows is an identity like others."""
    engine, _ = run([event(1, actor="guest", actor_kind=ActorKind.GUEST, status=None)])
    assert engine.identities == 1
