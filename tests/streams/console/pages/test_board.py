from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from detector.decision import Kind
from detector.message import Message
from streams.console.pages.board import BoardState, board
from streams.console.pages.outflow import outflow
from streams.console.pages.sources import SourceStatus
from streams.console.store.freshness import Feed
from tests.detector.make import DAY_MS, HOUR_MS, START_MS
from tests.streams.console.make import TICK_MS, alert, decided, index, tick, ticks
from tests.streams.report.make import analysis

UNTIL_MS = START_MS + 9 * DAY_MS
WELL = Feed(caught_up=True)


def state(
    path: Path, *records: Any, feed: Feed = WELL, now_ms: int = START_MS
) -> tuple[BoardState, list[str]]:
    """The board's state and reasons with these records."""
    found = board(index(path, *records).reader(), feed, 0, now_ms)
    return found.state, [(reason.one if reason.count == 1 else reason.more) for reason in found.reasons]


def test_it_is_calm_when_nothing_waits(tmp_path: Path) -> None:
    """Without incidents, with an informational one only, and with what was closed or muted."""
    assert state(tmp_path / "a") == (BoardState.CALM, ["Nothing needs attention"])
    assert state(tmp_path / "b", alert(severity_id=1))[0] is BoardState.CALM
    assert state(tmp_path / "c", alert(), decided(0, Kind.DISPOSITION, reason="x"))[0] is BoardState.CALM
    muted = decided(0, Kind.MUTE, until_ms=START_MS + DAY_MS)
    assert state(tmp_path / "d", alert(severity_id=3), muted)[0] is BoardState.CALM
    assert (
        state(tmp_path / "e", alert(severity_id=3), muted, now_ms=START_MS + 2 * DAY_MS)[0] is BoardState.LOOK
    )


def test_it_asks_to_act_for_what_is_grave(tmp_path: Path) -> None:
    """A grave incident until somebody has taken it on, a breach until the authority is told, even without Kafka."""
    assert state(tmp_path / "a", alert()) == (BoardState.ACT, ["{n} serious incident not acknowledged"])
    two = alert(1, "crmwatch-2", severity_id=5, risk_score=1)
    assert state(tmp_path / "b", alert(), two) == (
        BoardState.ACT,
        ["{n} serious incidents not acknowledged"],
    )
    known = decided(0, Kind.ACKNOWLEDGE)
    assert state(tmp_path / "c", alert(), known) == (
        BoardState.LOOK,
        ["{n} serious incident in progress"],
    )
    breach = decided(1, Kind.BREACH)
    assert state(tmp_path / "d", alert(), known, breach) == (
        BoardState.ACT,
        ["{n} breach is not yet notified to the authority"],
    )
    lost = Feed(caught_up=True, lost_ms=1)
    assert state(tmp_path / "e", alert(), breach, feed=lost) == (
        BoardState.ACT,
        [
            "{n} breach is not yet notified to the authority",
            "Kafka does not answer: this page may be out of date",
        ],
    )
    over = decided(2, Kind.DISPOSITION, reason="over")
    assert state(tmp_path / "f", alert(), breach, over)[0] is BoardState.ACT
    notified = decided(3, Kind.NOTIFIED, reason="by mail")
    assert state(tmp_path / "g", alert(), breach, notified)[0] is BoardState.LOOK
    assert state(tmp_path / "h", alert(), breach, over, notified)[0] is BoardState.CALM


def test_it_says_that_it_is_blind(tmp_path: Path) -> None:
    """While Kafka does not answer, or not everything has been read, it is never calm."""
    assert state(tmp_path / "a", feed=Feed(caught_up=True, lost_ms=7))[0] is BoardState.BLIND
    assert state(tmp_path / "b", feed=Feed()) == (
        BoardState.BLIND,
        ["The index is being built: not everything has been read yet"],
    )


def test_the_worst_stands_first(tmp_path: Path) -> None:
    """Open incidents by risk, at most fifty, and how many more there are; clocks by what ends first."""
    many = [alert(n, f"crmwatch-{n:02}", risk_score=n) for n in range(60)]
    words = [decided(n, Kind.BREACH, incident=f"crmwatch-{n:02}") for n in (5, 3, 9)]
    found = board(index(tmp_path / "a", *many, *words).reader(), WELL, 0, START_MS)
    assert [one.risk for one in found.incidents] == list(range(59, 9, -1))
    assert found.more == 10
    assert found.severities == {4: 60}
    assert [one.uid for one in found.clocks] == ["crmwatch-03", "crmwatch-05", "crmwatch-09"]


def test_a_clock_says_whether_awareness_is_entered(tmp_path: Path) -> None:
    """Without it the deadline is the latest possible; a correction moves it, and the latest entry holds."""
    breach = decided(5, Kind.BREACH)
    entered = [decided(n, Kind.AWARENESS, aware_ms=START_MS - n * HOUR_MS) for n in (6, 7)]
    clocks = [
        board(index(tmp_path / str(n), alert(), breach, *entered[:n]).reader(), WELL, 0, START_MS).clocks[0]
        for n in range(3)
    ]
    assert [one.aware_ms for one in clocks] == [None, START_MS - 6 * HOUR_MS, START_MS - 7 * HOUR_MS]
    ends = [one.deadline_ms for one in clocks]
    assert ends == [START_MS + 72 * HOUR_MS + 5 * 60_000, START_MS + 66 * HOUR_MS, START_MS + 65 * HOUR_MS]


def test_what_leaves_now_is_held_against_the_same_hour(tmp_path: Path) -> None:
    """By kind of data: the newest hour beside median and most of the same hour before; more than ever is above."""
    hour = [
        tick(100 + n, UNTIL_MS + n * TICK_MS, {"contact": 50, "payment": 900}, {"elf/query": 3})
        for n in range(6)
    ]
    usual = {"contact": 45, "customer_service": 1}
    found = outflow(index(tmp_path / "a", *ticks(9, usual, {"elf/query": 3}), *hour).reader())
    assert found.end_ms == UNTIL_MS + HOUR_MS
    by_name = {one.category: (one.rows, one.usual, one.most, one.days, one.above) for one in found.categories}
    assert by_name["contact"] == (300, 270, 270, 7, False)
    assert by_name["payment"] == (5400, 0, 0, 7, True)
    assert by_name["customer_service"] == (0, 6, 6, 7, False)
    assert by_name["health"] == (0, 0, 0, 7, False)
    assert found.categories[0].category == "payment"
    assert found.hours[-1] == 5700
    assert found.hours[0] == 6 * 46


def test_nothing_is_normal_before_enough_is_known(tmp_path: Path) -> None:
    """With a few days only, no kind of data is above normal, and no source is quiet."""
    db = index(tmp_path / "a", *ticks(2, {"contact": 99_999}, {"elf/query": 3})).reader()
    assert {(one.usual, one.above) for one in outflow(db).categories} == {(None, False)}
    assert outflow(index(tmp_path / "b").reader()).end_ms is None


def test_a_source_is_fine_quiet_or_in_trouble(tmp_path: Path) -> None:
    """Quiet if nothing came in an hour in which much usually does; in trouble if an open incident says so."""
    targets = {"analysis_targets": [{"name": "t/elf/login", "type": "source"}]}
    title = Message("trouble.silence", "A source has gone silent")
    silent = alert(
        0,
        "crmwatch-9",
        severity_id=1,
        anomaly_analyses=[analysis("elf/login.events", 0, 1, HOUR_MS, START_MS) | targets],
        unmapped={"crmwatch": {"title": msgspec.to_builtins(title)}},
    )
    last = [tick(50 + n, UNTIL_MS + n * TICK_MS, {}, {"elf/query": 9, "elf/login": 1}) for n in range(6)]
    history = ticks(6, {}, {"elf/query": 9, "elf/report": 4, "elf/login": 1})
    found = board(index(tmp_path / "a", silent, *history, *last).reader(), WELL, 0, START_MS).sources
    assert [(one.name, one.state, one.hour, one.usual) for one in found] == [
        ("elf/login", SourceStatus.TROUBLE, 6, 6),
        ("elf/report", SourceStatus.QUIET, 0, 24),
        ("elf/query", SourceStatus.FINE, 54, 54),
    ]
    assert (found[0].incident, found[0].trouble) == ("crmwatch-9", title)
    assert found[1].newest_ms == UNTIL_MS
