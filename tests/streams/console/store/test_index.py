from __future__ import annotations

import contextlib
import sqlite3
import stat
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

from detector.alert.ocsf import Activity
from detector.decision import Kind, decode
from streams.config import ConsoleSettings
from streams.console.pages.board import board
from streams.console.store import incidents
from streams.console.store.freshness import Feed
from streams.console.store.index import Index, IndexFileError
from streams.kafka.signing import Signatures, Unsigned
from tests.detector.make import DAY_MS, START_MS
from tests.streams.console.make import (
    NAMES,
    alert,
    content,
    decided,
    entry_record,
    identity_record,
    index,
    record,
    tick,
    ticks,
)
from tests.streams.report.make import THEFT_MS


def story() -> list[Any]:
    """Records of all topics, of two incidents that grow, are decided about and end."""
    return [
        alert(0, count=10, time=THEFT_MS),
        alert(1, "crmwatch-2", time=THEFT_MS + 1, severity_id=2, risk_score=20),
        alert(2, time=THEFT_MS + 60_000, activity_id=2, risk_score=90, severity_id=5),
        decided(0, Kind.ACKNOWLEDGE),
        decided(1, Kind.BREACH, reason="it is them"),
        decided(2, Kind.DISPOSITION, incident="crmwatch-2", reason="a test"),
        decided(3, Kind.MUTE, incident="", identity="t/u", until_ms=THEFT_MS + DAY_MS),
        *ticks(2, {"contact": 5}, {"elf/query": 3}),
        identity_record(0),
        identity_record(1, "v"),
        record(NAMES.feedback, b"no decision", 4),
        record(NAMES.alerts, b'{"finding_info": {}}', 3),
    ]


def test_a_rebuilt_index_is_the_same(tmp_path: Path) -> None:
    """Read at once, one by one, in another order of topics, or again into an emptied index: the content is equal."""
    records = story()
    at_once = index(tmp_path / "a", *records)
    one_by_one = index(tmp_path / "b")
    for one in records:
        one_by_one.apply([one])
    other_order = index(tmp_path / "c", *sorted(records, key=lambda one: (one.topic, one.offset)))
    decisions_first = index(
        tmp_path / "d", *sorted(records, key=lambda one: (one.topic != NAMES.feedback, one.offset))
    )
    emptied = index(tmp_path / "e", *records)
    emptied.clear()
    assert sum(map(len, content(emptied, "meta").values())) == 0
    emptied.apply(records)
    expected = content(at_once)
    assert len(expected["versions"]) == 3
    assert len(expected["incidents"]) == 2
    assert len(expected["ticks"]) == 288
    assert len(expected["identities"]) == 2
    assert len(expected["unreadable"]) == 2
    for made in (one_by_one, other_order, decisions_first, emptied):
        assert content(made) == expected


def test_what_was_read_stays_over_a_restart(tmp_path: Path) -> None:
    """A file that is opened again holds the content, how far each partition is, and the newest event time."""
    made = index(tmp_path / "a", *story())
    before, offsets, newest = content(made), made.offsets(), made.newest_ms
    made.close()
    again = Index(tmp_path / "a", NAMES, made._settings)
    assert content(again) == before
    assert again.offsets() == offsets
    assert offsets == {
        (NAMES.alerts, 0): 4,
        (NAMES.feedback, 0): 5,
        (NAMES.activity, 0): 288,
        (NAMES.identities, 0): 2,
    }
    assert again.newest_ms == newest > THEFT_MS


def test_an_alert_delivered_twice_is_one(tmp_path: Path) -> None:
    """The same bytes again, even after newer ones, change nothing but how far has been read."""
    first, second = alert(0, risk_score=40), alert(1, risk_score=80, activity_id=2)
    made = index(tmp_path / "a", first, second)
    before = content(made, "offsets")
    assert made.apply([alert(2, risk_score=40), alert(3, risk_score=80, activity_id=2)]) == frozenset()
    assert content(made, "offsets") == before
    found = incidents.incident_by_uid(made.reader(), "crmwatch-1")
    assert found is not None
    assert found.risk == 80
    assert made.offsets()[NAMES.alerts, 0] == 4


def test_decisions_say_how_an_incident_stands(tmp_path: Path) -> None:
    """The first acknowledgement and confirmation, the last assignee and mute count; what ends it closes it here."""
    made = index(
        tmp_path / "a",
        decided(0, Kind.ACKNOWLEDGE, by="bo"),
        decided(1, Kind.ACKNOWLEDGE),
        decided(2, Kind.ASSIGN, assignee="cy"),
        decided(3, Kind.ASSIGN, assignee="di"),
        decided(4, Kind.MUTE, until_ms=START_MS + DAY_MS),
        decided(5, Kind.MUTE, until_ms=START_MS + 2 * DAY_MS, incident="", identity="t/u"),
        decided(6, Kind.BREACH),
        decided(7, Kind.BREACH),
        alert(0),
    )
    found = incidents.incident_by_uid(made.reader(), "crmwatch-1")
    assert found is not None
    assert (found.acknowledged_ms, found.acknowledged_by, found.assignee) == (START_MS, "bo", "di")
    assert found.confirmed_ms == START_MS + 6 * 60_000
    assert found.deadline_ms == found.confirmed_ms + 72 * 3_600_000
    assert found.muted_until_ms == START_MS + 2 * DAY_MS
    assert found.muted(START_MS)
    assert not found.muted(START_MS + 2 * DAY_MS)
    assert found.open
    made.apply([decided(8, Kind.DISPOSITION, reason="it is over", outcome="false_positive")])
    ended = incidents.incident_by_uid(made.reader(), "crmwatch-1")
    assert ended is not None
    assert (ended.open, ended.closed, ended.ended_as) == (False, False, "false_positive")
    assert incidents.state(ended) == "due"
    made.apply([decided(9, Kind.NOTIFIED, reason="by mail")])
    notified = incidents.incident_by_uid(made.reader(), "crmwatch-1")
    assert notified is not None
    assert incidents.state(notified) == "false_positive"


def test_a_breachs_clock_runs_until_the_authority_is_notified(tmp_path: Path) -> None:
    """Closing the incident does not stop it; the first that was said about it does, before or after."""
    made = index(
        tmp_path / "a", alert(0), decided(0, Kind.BREACH), decided(1, Kind.DISPOSITION, reason="over")
    )
    [due] = incidents.clocks(made.reader())
    assert (due.open, due.due, incidents.state(due)) == (False, True, "due")
    made.apply([decided(2, Kind.NOTIFIED, reason="by mail"), decided(3, Kind.NOTIFIED, reason="again")])
    assert incidents.clocks(made.reader()) == []
    told = incidents.incident_by_uid(made.reader(), "crmwatch-1")
    assert told is not None
    assert (told.due, told.notified_ms, incidents.state(told)) == (False, START_MS + 2 * 60_000, "closed")
    still_open = index(
        tmp_path / "b", alert(0), decided(0, Kind.BREACH), decided(1, Kind.NOTIFIED, reason="x")
    )
    found = incidents.incident_by_uid(still_open.reader(), "crmwatch-1")
    assert found is not None
    assert (found.open, found.due, incidents.state(found)) == (True, False, "breach")


def test_a_withdrawn_decision_is_as_if_it_had_not_been_made(tmp_path: Path) -> None:
    """Each of them, in whatever order they arrive; a second acknowledgement or breach decision remains."""
    made = [
        decided(0, Kind.ACKNOWLEDGE, by="bo"),
        decided(1, Kind.ASSIGN, assignee="cy"),
        decided(2, Kind.MUTE, "", "t/u", until_ms=START_MS + DAY_MS),
        decided(3, Kind.BREACH),
        decided(4, Kind.NOTIFIED, reason="by mail"),
        decided(5, Kind.EXPECTED, identity="t/u", reason="x"),
    ]
    backs = [
        decided(10 + n, one.kind, one.subject.incident, one.subject.identity, withdraws=one.id)
        for n, one in enumerate(decode(record.value) for record in made)
    ]
    for name, records in (("a", [*made, *backs]), ("b", [*backs, *made]), ("c", [*made, *backs, *made])):
        found = incidents.incident_by_uid(index(tmp_path / name, alert(0), *records).reader(), "crmwatch-1")
        assert found is not None
        assert (found.acknowledged_ms, found.acknowledged_by, found.assignee) == (None, "", "")
        assert (found.muted_until_ms, found.confirmed_ms, found.notified_ms) == (None, None, None)
        assert (found.open, found.ended_as, incidents.state(found)) == (True, "", "new")
    again = [decided(20, Kind.BREACH, by="cy"), decided(21, Kind.ACKNOWLEDGE, by="cy")]
    kept = incidents.incident_by_uid(
        index(tmp_path / "d", alert(0), *made, *backs, *again).reader(), "crmwatch-1"
    )
    assert kept is not None
    assert (kept.confirmed_ms, kept.acknowledged_by) == (START_MS + 20 * 60_000, "cy")


def test_an_identitys_mute_holds_for_all_of_its_incidents(tmp_path: Path) -> None:
    """Also when it was decided on the page of another incident, as the detector has it."""
    mute = decided(0, Kind.MUTE, "crmwatch-1", "t/u", until_ms=START_MS + DAY_MS)
    db = index(tmp_path / "a", alert(0), alert(1, "crmwatch-2"), mute).reader()
    muted = [incidents.incident_by_uid(db, uid) for uid in ("crmwatch-1", "crmwatch-2")]
    assert [found is not None and found.muted_until_ms for found in muted] == [START_MS + DAY_MS] * 2


@pytest.mark.slow
def test_decisions_in_force_outlive_what_is_dropped(tmp_path: Path) -> None:
    """A breach's clock, a long mute with its withdrawal and an exception stay, however much is newer; a breach that was
    notified or withdrawn, an expired mute and closings go."""
    long = decided(1, Kind.MUTE, "", "t/u", until_ms=THEFT_MS + 99 * DAY_MS)
    kept = [
        decided(0, Kind.BREACH, "crmwatch-b"),
        decided(0, Kind.BREACH, "crmwatch-unseen"),
        long,
        decided(2, Kind.MUTE, "", "t/u", withdraws=decode(long.value).id),
        decided(3, Kind.EXCEPTION, "", "t/u"),
    ]
    gone = [
        decided(0, Kind.BREACH, "crmwatch-c"),
        decided(1, Kind.NOTIFIED, "crmwatch-c"),
        decided(4, Kind.MUTE, "", "t/v", until_ms=THEFT_MS),
        (other := decided(5, Kind.BREACH, "crmwatch-d")),
        decided(6, Kind.BREACH, "crmwatch-d", withdraws=decode(other.value).id),
    ]
    flood = [decided(7, Kind.DISPOSITION, f"crmwatch-x{n}") for n in range(2_000)]
    newer = [alert(n, f"crmwatch-{n}", time=THEFT_MS + n) for n in range(30)]
    made = index(tmp_path / "a", alert(0, "crmwatch-b"), *newer, *kept, *gone, *flood, incidents=20, days=7)
    made.apply([tick(0, THEFT_MS + 3_600_000, {"contact": 1}, {"elf/query": 1})])
    assert incidents.incident_by_uid(made.reader(), "crmwatch-b") is not None
    made.apply([tick(1, THEFT_MS + 40 * DAY_MS, {"contact": 1}, {"elf/query": 1})])
    [due] = incidents.clocks(made.reader())
    assert due.uid == "crmwatch-b"
    ids = {name for (name,) in made.reader().execute("SELECT id FROM decisions")}
    assert ids == {decode(record.value).id for record in kept}


def test_an_incident_closed_by_the_detector_is_closed(tmp_path: Path) -> None:
    """And one that an identity's mute is about stays open."""
    made = index(tmp_path / "a", alert(0), alert(1, activity_id=int(Activity.CLOSE), time=THEFT_MS + DAY_MS))
    assert incidents.open_incidents(made.reader(), 9) == []
    found = incidents.incident_by_uid(made.reader(), "crmwatch-1")
    assert found is not None
    assert found.closed


def test_it_is_bounded_by_days_and_number(tmp_path: Path) -> None:
    """What is older than the days kept goes with all that is its, but no open breach; of too many, ended ones first."""
    old = [
        alert(
            n,
            f"crmwatch-{n}",
            time=THEFT_MS + n,
            activity_id=int(Activity.CLOSE if n % 2 else Activity.CREATE),
        )
        for n in range(30)
    ]
    breach = decided(0, Kind.BREACH, incident="crmwatch-4")
    made = index(tmp_path / "a", *old, breach, days=7, incidents=20)
    made.apply([tick(0, THEFT_MS + 3_600_000, {"contact": 1}, {"elf/query": 1})])
    left = {found.uid for found in incidents.found_by(made.reader(), {}, None, None, 99)[0]}
    assert left == {f"crmwatch-{n}" for n in range(30) if n % 2 == 0 or n >= 20}
    made.apply([tick(1, THEFT_MS + 8 * DAY_MS, {"contact": 1}, {"elf/query": 1})])
    assert [found.uid for found in incidents.found_by(made.reader(), {}, None, None, 99)[0]] == ["crmwatch-4"]
    for table in ("versions", "evidence", "terms"):
        uids = {uid for (uid,) in made.reader().execute(f"SELECT DISTINCT uid FROM {table}")}  # noqa: S608
        assert uids == {"crmwatch-4"}
    assert made.reader().execute("SELECT count(*) FROM ticks").fetchone()[0] == 1


def test_a_tick_published_again_takes_its_own_place(tmp_path: Path) -> None:
    """Rows and events of one shard's tick count once however often it is published; another shard's are added."""
    made = index(
        tmp_path / "a",
        tick(0, START_MS, {"contact": 5, "payment": 1}, {"elf/query": 3, "elf/login": 9}),
        tick(1, START_MS, {"contact": 7}, {"elf/query": 4}),
        tick(2, START_MS, {"contact": 100}, {"elf/query": 50}, shard=1),
    )
    db = made.reader()
    assert [tuple(row) for row in db.execute("SELECT category, sum(rows) FROM ticks GROUP BY 1")] == [
        ("contact", 107)
    ]
    assert db.execute("SELECT sum(events) FROM arrivals").fetchone()[0] == 54


def test_a_record_that_cannot_be_read_leaves_nothing_half_done(tmp_path: Path) -> None:
    """It is noted with its position and why, and what comes after it is read."""
    bad = [
        record(NAMES.alerts, b"[1]", 0),
        record(NAMES.alerts, b"\xff\xfe", 1),
        alert(2, count=10**30, unmapped={"crmwatch": {"rows_taken": 10**17, "identity": ["x"], "actors": 7}}),
        record(NAMES.identities, b"{}", 0, b"t/u"),
        record(NAMES.identities, identity_record(0).value.replace(b'"version":1', b'"version":2'), 1, b"t/v"),
        record(NAMES.activity, b"\x00", 0),
        record(NAMES.feedback, None, 0),
    ]
    made = index(tmp_path / "a", *bad, alert(9, "crmwatch-9"))
    noted = (
        made.reader().execute("SELECT topic, position FROM unreadable ORDER BY topic, position").fetchall()
    )
    assert {tuple(row) for row in noted} >= {(NAMES.alerts, 0), (NAMES.alerts, 1), (NAMES.activity, 0)}
    assert (NAMES.identities, 1) in {tuple(row) for row in noted}  # only the newest of a batch is read by key
    assert incidents.incident_by_uid(made.reader(), "crmwatch-9") is not None
    uids = {uid for (uid,) in made.reader().execute("SELECT uid FROM versions")}
    assert uids == {uid for (uid,) in made.reader().execute("SELECT uid FROM incidents")}


def test_a_file_that_is_no_index_is_not_touched(tmp_path: Path) -> None:
    """It is refused by its name; an index of another version is built anew."""
    notes = tmp_path / "notes.txt"
    notes.write_text("my notes, and more than sixteen bytes of them", encoding="utf-8")
    with pytest.raises(IndexFileError, match=r"notes\.txt is there and is no index"):
        index(notes)
    assert notes.read_text(encoding="utf-8").startswith("my notes")
    with contextlib.closing(sqlite3.connect(tmp_path / "mine.db")) as db:
        db.execute("CREATE TABLE meta (name TEXT, value TEXT)")
        db.commit()
    mine = (tmp_path / "mine.db").read_bytes()
    with pytest.raises(IndexFileError, match=r"mine\.db is there and is no index of crmwatch's"):
        index(tmp_path / "mine.db")
    assert (tmp_path / "mine.db").read_bytes() == mine
    made = index(tmp_path / "a", alert(0))
    made.close()
    with sqlite3.connect(tmp_path / "a") as db:
        db.execute("UPDATE meta SET value = '0' WHERE name = 'schema'")
    db.close()
    assert index(tmp_path / "a").offsets() == {}


def test_a_damaged_index_is_built_anew(tmp_path: Path) -> None:
    """Bytes of its pages that are wrong are found when it is opened; nobody else may read the file."""
    path = tmp_path / "a"
    made = index(path, *[alert(number, f"crmwatch-{number}") for number in range(40)])
    made.close()
    pages = bytearray(path.read_bytes())
    pages[4_096:] = Random(1).randbytes(len(pages) - 4_096)
    path.write_bytes(pages)
    path.with_name("a-wal").unlink(missing_ok=True)
    again = index(path, alert(0))
    assert again.offsets() == {(NAMES.alerts, 0): 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_boards_questions_are_answered_from_indexes(tmp_path: Path) -> None:
    """However many incidents are over: none of the questions reads through the table itself."""
    db = index(tmp_path / "a", alert(0)).reader()
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    incidents.open_incidents(db, 50)
    incidents.by_severity(db)
    incidents.clocks(db)
    board(db, Feed(caught_up=True), 0, START_MS)
    db.set_trace_callback(None)
    about = [query for query in asked if "FROM incidents" in query]
    assert len(about) >= 5
    for query in about:
        plan = [row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {query}")]
        assert all("USING" in step or "TEMP B-TREE" in step for step in plan), (query, plan)
        assert not any(step.startswith("SCAN incidents USING INDEX sqlite") for step in plan), (query, plan)


def test_a_threads_connection_goes_after_it(tmp_path: Path) -> None:
    """Threads that answer requests come and go for months: hardly more files stay open than for one."""
    made = index(tmp_path / "a", alert(0))
    made.reader()
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(50):
        thread = threading.Thread(target=lambda: incidents.open_incidents(made.reader(), 5))
        thread.start()
        thread.join()
    assert len(list(Path("/dev/fd").iterdir())) <= before + 3
    made.close()


def signed(record: Any, signer: Signatures) -> Any:
    """A record with a signature."""
    return record._replace(headers=signer.headers(record.topic, record.key, record.value))


def test_the_console_believes_what_workers_believe(tmp_path: Path) -> None:
    """With a key, a decision, entry or withdrawal that is not signed, or whose role may not decide, changes nothing and
    is listed with its reason."""
    ours = Signatures([b"k" * 32], Unsigned.REFUSE)
    made = Index(tmp_path / "a", NAMES, ConsoleSettings(), ours)
    entry = entry_record(0, id="a", name="Anna Berg")
    made.apply(
        [
            alert(0),
            decided(0, Kind.BREACH),
            signed(decided(1, Kind.DISPOSITION, role="viewer"), ours),
            signed(decided(2, Kind.ACKNOWLEDGE), Signatures([b"s" * 32])),
            signed(decided(3, Kind.ASSIGN, assignee="bo"), ours),
            signed(entry, ours),
            entry._replace(offset=1, value=None),
        ]
    )
    [incident] = incidents.open_incidents(made.reader(), 9)
    assert (incident.assignee, incident.confirmed_ms) == ("bo", None)
    found = content(made)
    assert [row[0] for row in found["directory"]] == [entry.key.decode()]
    assert [(row[0], row[2], row[3].partition(":")[0]) for row in found["unreadable"]] == [
        (NAMES.directory, 1, "SignatureError"),
        (NAMES.feedback, 0, "SignatureError"),
        (NAMES.feedback, 1, "DecisionError"),
        (NAMES.feedback, 2, "SignatureError"),
    ]


def test_an_index_of_other_keys_is_built_anew(tmp_path: Path) -> None:
    """What was believed under another policy is read again; under the same one it stays, and no key is in the file."""
    made = index(tmp_path / "a", *story())
    made.close()
    keys = [b"k" * 32]
    again = Index(tmp_path / "a", NAMES, ConsoleSettings(), Signatures(keys, Unsigned.REFUSE))
    assert (again.offsets(), again.newest_ms, content(again)["decisions"]) == ({}, 0, [])
    again.apply(story())
    before = content(again)
    again.close()
    assert b"k" * 32 not in (tmp_path / "a").read_bytes()
    same = Index(tmp_path / "a", NAMES, ConsoleSettings(), Signatures(keys, Unsigned.REFUSE))
    assert content(same) == before
    assert before["incidents"]
    assert before["decisions"] == []
