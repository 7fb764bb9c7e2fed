from __future__ import annotations

from pathlib import Path
from typing import Any

from detector.alert.finding import read
from detector.catalogue import Category, category
from detector.decision import Kind, decode
from detector.message import Message
from streams.console.pages.identity import identities, identity
from streams.console.pages.incident import IncidentView, incident_view
from streams.console.store.incidents import about
from streams.console.store.seen_at import MOST_NAMED
from streams.report.timeline import TimelineStage
from tests.detector.make import DAY_MS, START_MS
from tests.streams.console.make import NAMES, alert, decided, identity_record, index, record
from tests.streams.report.make import AWAY, HOME, MINUTE_MS, THEFT_MS, body


def quoted(
    event: str, minutes: float, operation: str, rows: int | None, address: str = AWAY, actor: str = "u"
) -> Any:
    """An event as an alert quotes it."""
    return {
        "uid": event,
        "actor": {"user": {"uid": actor}, "app_uid": "0H4"},
        "api": {"operation": operation},
        "data": {"time": THEFT_MS + round(minutes * MINUTE_MS), "rows": rows, "objects": ["Case"]},
        "src_endpoint": {"ip": address},
        "http_request": {"user_agent": "python-requests/2.32.4"},
    }


def told(path: Path, *records: Any) -> IncidentView:
    """The first incident's story from these records."""
    found = incident_view(index(path, *records).reader(), "crmwatch-1")
    assert found is not None
    return found


def title_of(made: Any) -> Message:
    """The title of an alert's record."""
    return read(made.value).extension.title


THEFT = [
    quoted("e-0", -5 * 24 * 60, "bulk_export", 90, HOME),
    quoted("e-1", 1, "count", 0),
    quoted("e-2", 2, "query", 20),
    quoted("e-3", 4, "bulk_export", 3000),
    quoted("e-4", 5, "export_delete", 0),
]


def alerts() -> list[Any]:
    """The theft's alerts: at 1,000 rows, at 3,000 and at 6,000."""
    rows = {"crmwatch": body()["unmapped"]["crmwatch"]}
    return [
        alert(
            number,
            evidences=THEFT[: 3 + number],
            time=THEFT_MS + round(minutes * MINUTE_MS),
            unmapped={"crmwatch": rows["crmwatch"] | {"rows_taken": count}},
            activity_id=1 if not number else 2,
            severity_id=3 + number,
        )
        for number, (minutes, count) in enumerate([(3.5, 1000), (4.5, 3000), (6, 6000)])
    ]


def test_the_curve_rises_with_each_alert(tmp_path: Path) -> None:
    """Its stages come from the quoted events of the thief's address, and the usual days before it are left out."""
    found = told(tmp_path / "a", *alerts())
    marks = [(mark.stage, (mark.time_ms - THEFT_MS) / MINUTE_MS, mark.rows) for mark in found.marks]
    assert marks == [
        (TimelineStage.RECONNAISSANCE, 1, 90),
        (TimelineStage.SAMPLE, 2, 110),
        (TimelineStage.ALERT, 3.5, 1000),
        (TimelineStage.BULK, 4, 1000),
        (TimelineStage.BOUND, 4.5, 3000),
        (TimelineStage.UPDATE, 4.5, 3000),
        (TimelineStage.DELETION, 5, 3000),
        (TimelineStage.UPDATE, 6, 6000),
    ]
    assert [mark.severity for mark in found.marks if mark.severity] == [3, 4, 5]
    assert found.curve is not None
    assert found.curve.start_ms > THEFT_MS - 30 * MINUTE_MS
    assert found.curve.bound
    assert found.bound_rows == 1500


def test_it_says_what_left_and_what_did_not(tmp_path: Path) -> None:
    """By the catalogue: objects under their kinds, and every other kind, the most sensitive first."""
    resources = [
        {"name": name, "type": "CRM object", "data": {"rows": rows, "category": category(name)}}
        for name, rows in (("Case", 50), ("Contact", 20), ("Lead", 9))
    ]
    found = told(tmp_path / "a", alert(resources=resources))
    assert [(share.category, share.rows, share.objects) for share in found.shares] == [
        (Category.CUSTOMER_SERVICE, 50, (("Case", 50),)),
        (Category.CONTACT, 29, (("Contact", 20), ("Lead", 9))),
    ]
    assert set(found.spared) == set(Category) - {
        Category.CUSTOMER_SERVICE, Category.CONTACT, Category.UNCLASSIFIED
    }  # fmt: skip
    assert found.spared[-1] is Category.INTERNAL
    nothing = told(tmp_path / "b", alert(resources=[]))
    assert nothing.shares == ()
    assert len(nothing.spared) == len(Category) - 1


def test_evidence_of_every_alert_is_kept(tmp_path: Path) -> None:
    """Also what a later alert no longer quotes; origins are added up over it, with first and last."""
    found = told(tmp_path / "a", alert(0, evidences=THEFT[:3]), alert(1, evidences=THEFT[3:], activity_id=2))
    assert [row[-1] for row in found.evidence.rows] == ["e-0", "e-1", "e-2", "e-3", "e-4"]
    assert found.evidence.rows[3][:3] == (THEFT_MS + 4 * MINUTE_MS, "bulk_export", 3000)
    by_address = {row[0]: row[1:] for row in found.origins.rows}
    assert by_address[AWAY] == (
        "192.0.2.0/24", "python-requests/2.32.4", "0H4", 3020, 4,
        THEFT_MS + MINUTE_MS, THEFT_MS + 5 * MINUTE_MS,
    )  # fmt: skip
    assert found.origins.rows[0][0] == AWAY


def test_who_else_was_seen_there_is_named(tmp_path: Path) -> None:
    """Another identity of another incident at the same address; not the same identity again."""
    other = quoted("x-1", 60, "query", 5, actor="v")
    same = quoted("x-2", 90, "query", 5)
    found = told(
        tmp_path / "a",
        alert(0),
        alert(1, "crmwatch-2", evidences=[other]),
        alert(2, "crmwatch-3", evidences=[same]),
    )
    title = title_of(alert())
    assert found.seen_elsewhere.rows == tuple(
        (what, value, None, "t/v", None, title, "crmwatch-2")
        for what, value in (
            ("address", AWAY),
            ("network", "192.0.2.0/24"),
            ("agent", "python-requests/2.32.4"),
            ("app", "0H4"),
        )
    )


def test_who_is_at_home_there_is_known_from_identities_uses(tmp_path: Path) -> None:
    """By network, program and app, with the day it was last used; many are counted, and one forgotten is gone."""
    quote = quoted("e-1", 1, "query", 5, "198.51.100.99")
    agent = "python-requests/2.31.0"  # of the family that the alert quotes
    records = [
        alert(0, evidences=[quote]),
        alert(1, "crmwatch-2", evidences=[quoted("x-1", 60, "query", 5, "198.51.100.99", actor="v")]),
        identity_record(0, "u", user_agent=agent),
        identity_record(1, "v", user_agent="Outlook/16.0"),
        identity_record(2, "w", user_agent=agent),
    ]
    last_ms = START_MS // DAY_MS * DAY_MS + 5 * DAY_MS
    title = title_of(alert())
    by_what: dict[str, list[Any]] = {}
    for row in told(tmp_path / "a", *records).seen_elsewhere.rows:
        by_what.setdefault(row[0], []).append(row[1:])
    assert by_what["network"] == [
        ("198.51.100.0/24", None, "t/v", last_ms, title, "crmwatch-2"),
        ("198.51.100.0/24", None, "t/w", last_ms, "", ""),
    ]
    assert by_what["agent"] == [
        ("python-requests/2.32.4", None, "t/v", None, title, "crmwatch-2"),
        ("python-requests/2.32.4", None, "t/w", last_ms, "", ""),
    ]
    crowd = [identity_record(10 + n, f"w{n}") for n in range(MOST_NAMED)]
    many = told(tmp_path / "b", *records, *crowd).seen_elsewhere.rows
    assert [row[1:] for row in many if row[0] == "network"] == [
        ("198.51.100.0/24", MOST_NAMED + 2, "", None, "", ""),
        ("198.51.100.0/24", None, "t/v", None, title, "crmwatch-2"),
    ]
    gone = [record(NAMES.identities, None, 90, b"t/w")]
    assert "t/w" not in [row[3] for row in told(tmp_path / "c", *records, *gone).seen_elsewhere.rows]
    moved = identity_record(91, "w", user_agent=agent, ip="203.0.113.9")
    assert [
        row[0] for row in told(tmp_path / "d", *records, moved).seen_elsewhere.rows if row[3] == "t/w"
    ] == ["agent"]


def test_steps_are_ticked_off_by_the_newest_decision(tmp_path: Path) -> None:
    """A step that was unticked or withdrawn is open again; who and when stand beside it; nothing is acknowledged."""
    first, second = told(tmp_path / "0", alert()).incident.steps[:2]
    marks = [
        decided(0, Kind.STEP, step_id=first.id, done=True),
        decided(1, Kind.STEP, step_id=first.id, done=False),
        decided(2, Kind.STEP, step_id=second.id, done=True, by="bo"),
    ]
    found = told(tmp_path / "a", alert(), *marks)
    assert [(step.id, step.message.text, step.done, step.by) for step in found.steps[:2]] == [
        (first.id, first.message.text, False, "ana"),
        (second.id, second.message.text, True, "bo"),
    ]
    assert found.steps[1].time_ms == START_MS + 120_000
    assert (found.listed.acknowledged_ms, found.withdrawable) == (None, ())
    back = decided(3, Kind.STEP, withdraws=decode(marks[2].value).id)
    withdrawn = told(tmp_path / "b", alert(), *marks, back)
    assert [(step.done, step.by) for step in withdrawn.steps[:2]] == [(False, "ana"), (False, "")]


def test_history_is_what_happened_newest_first(tmp_path: Path) -> None:
    """Alerts with their figures and decisions with their reasons, of the incident and of its identity."""
    step = told(tmp_path / "0", alert()).incident.steps[0]
    mute = decided(1, Kind.MUTE, "", "t/u", until_ms=THEFT_MS + DAY_MS, time_ms=THEFT_MS + 3, reason="known")
    found = told(
        tmp_path / "a",
        alert(0, time=THEFT_MS),
        alert(1, time=THEFT_MS + 1, activity_id=2, risk_score=80),
        alert(2, time=THEFT_MS + 9, activity_id=3),
        decided(0, Kind.ASSIGN, assignee="bo", time_ms=THEFT_MS + 2),
        mute,
        decided(2, Kind.STEP, step_id=step.id, done=True, time_ms=THEFT_MS + 4),
        decided(3, Kind.DISPOSITION, "crmwatch-other", reason="x", time_ms=THEFT_MS + 5),
        decided(4, Kind.MUTE, "", "t/u", withdraws=decode(mute.value).id, time_ms=THEFT_MS + 6),
        decided(5, Kind.DISPOSITION, outcome="false_positive", reason="a test", time_ms=THEFT_MS + 8),
    )
    assert [(row[0] - THEFT_MS, row[1], row[2], row[6]) for row in found.history.rows[:6]] == [
        (9, "closed by the detector", "crmwatch", found.history.rows[0][6]),
        (8, "false_positive", "ana", "a test"),
        (6, "mute withdrawn", "ana", ""),
        (4, "step taken", "ana", (step.message,)),
        (3, "mute (identity)", "ana", "known"),
        (2, "assign", "ana", "→ bo"),
    ]
    assert [(row[0] - THEFT_MS, row[1], row[4]) for row in found.history.rows[6:]] == [
        (1, "alert again", 80),
        (0, "alert", found.history.rows[7][4]),
    ]


def test_what_can_be_withdrawn_is_listed_newest_first(tmp_path: Path) -> None:
    """Its own decisions and what was decided about its identity, but no closing, no step, and nothing twice."""
    mute = decided(1, Kind.MUTE, "", "t/u", until_ms=THEFT_MS + DAY_MS)
    breach = decided(2, Kind.BREACH)
    records = [
        decided(0, Kind.ACKNOWLEDGE),
        mute,
        breach,
        decided(3, Kind.STEP, step_id="s", done=True),
        decided(4, Kind.DISPOSITION),
        decided(5, Kind.BREACH, "crmwatch-other", "t/u"),
    ]
    found = told(tmp_path / "a", alert(), *records)
    assert [one.kind for one in found.withdrawable] == [Kind.BREACH, Kind.MUTE, Kind.ACKNOWLEDGE]
    back = decided(6, Kind.MUTE, "", "t/u", withdraws=decode(mute.value).id)
    less = told(tmp_path / "b", alert(), *records, back)
    assert [one.kind for one in less.withdrawable] == [Kind.BREACH, Kind.ACKNOWLEDGE]


def test_an_incident_that_says_little_is_shown_all_the_same(tmp_path: Path) -> None:
    """Without evidence, analyses, resources or rows there is a page without a curve."""
    nothing = {"crmwatch": {"rows_taken": 0}}
    found = told(tmp_path / "a", alert(evidences=[], resources=[], anomaly_analyses=[], unmapped=nothing))
    assert found.curve is None
    assert found.evidence.rows == ()
    assert incident_view(index(tmp_path / "b").reader(), "none") is None


def test_an_identity_is_told_of_by_its_profile_and_its_incidents(tmp_path: Path) -> None:
    """When it is active, what it takes, what it was seen with as far as names are known, and its incidents."""
    evidence = [quoted("e-9", 0, "query", 7, HOME)]
    db = index(
        tmp_path / "a", alert(evidences=evidence), identity_record(0, days=6), identity_record(1, "v")
    ).reader()
    found = identity(db, "t/u")
    assert found is not None
    assert found.known is not None
    assert found.known.days == 5
    assert [hour for hour, share in enumerate(found.known.hours[0]) if share] == [9, 10, 11]
    assert not any(found.known.hours[0][12:])
    takes = {(row[0], row[1]): row for row in found.takes.rows}
    assert takes["all", ""][4] == 150  # a day
    assert takes["all", ""][6] == 5
    seen = {(row[0], row[1]): row[2:4] for row in found.seen.rows}
    day = (START_MS // DAY_MS + 5) * DAY_MS
    assert seen["network", "198.51.100.0/24"] == (THEFT_MS, max(THEFT_MS, day))
    assert [one.uid for one in found.incidents] == ["crmwatch-1"]
    assert [one.uid for one in about(db, "t/v", 9)] == []
    assert identity(db, "t/nobody") is None
    assert [row[0] for row in identities(db, "T/", 9).rows] == ["t/u", "t/v"]
