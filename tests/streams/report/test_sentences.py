from __future__ import annotations

import msgspec
import pytest

from detector.catalogue import Category, category
from detector.event import Counting, Operation
from streams.locale import Language, Translator
from streams.replay.coverage import Coverage, Gap
from streams.replay.read_share import ReadScope, ReadShare
from streams.replay.replay import Summary
from streams.report.sentences import (
    absent,
    bound_text,
    cautions,
    curve_text,
    exposure,
    gap_list,
    headline,
    mark_text,
    mark_title,
    read_share_text,
    severities_text,
    who,
)
from tests.detector.make import DAY_MS, HOUR_MS, START_MS, event
from tests.streams.report.make import (
    THEFT_MS,
    account,
    alert,
    everyday,
    incident,
    stolen,
)

T, FRENCH = Translator(), Translator(Language.FRENCH)
SUMMARY = Summary(events=1200, identities=31)
EVERY = frozenset(Operation)


@pytest.mark.parametrize(
    ("count", "objects", "sentence"),
    [
        (1, {"Case": 6000}, "One incident, high: the integration sync (u) took out 6,000 rows of"
         " customer-service content"),
        (3, {"Case": 4000, "Contact": 2000},
         "3 incidents, the worst high: the integration sync (u) took out 6,000 rows of customer-service content"
         " and contact data"),
        (1, {"Case": 4000, "Contact": 1990, "Voucher": 10},
         "One incident, high: the integration sync (u) took out 6,000 rows, mostly customer-service content and contact"
         " data,"),
        (1, {}, "One incident, high: the integration sync (u) took out 6,000 rows"),
    ],
)  # fmt: skip
def test_the_verdict_is_one_sentence(count: int, objects: dict[str, int], sentence: str) -> None:
    """How many, how bad, who, what and since when."""
    one = incident(
        alert(
            resources=[
                {"name": name, "type": "CRM object", "data": {"rows": rows, "category": category(name)}}
                for name, rows in objects.items()
            ]
        )
    )
    assert headline(T, [one], count, SUMMARY) == f"{sentence} since 2026-03-11 03:00 UTC."


def test_the_verdict_may_be_that_nothing_stands_out() -> None:
    """In so many events; but of what could not be read, nothing is said."""
    assert headline(T, [], 0, SUMMARY) == "Nothing stands out in 1,200 events from 31 identities."
    assert headline(T, [], 0, Summary(records=9)) == "Nothing could be read, so nothing can be concluded."


def test_whom_it_is_about_is_said_plainly() -> None:
    """By kind and name; several are counted."""
    assert who(T, incident()) == "the integration sync (u)"
    assert who(FRENCH, incident()) == "l’intégration sync (u)"
    several = {"identity": "", "network": "192.0.2.0/24", "actors": {"a": 1, "b": 2}}
    assert who(T, incident(alert(unmapped={"crmwatch": several}))) == "2 identities"
    assert severities_text(T, [4, 3, 3, 5, 4, 3]) == "1 critical, 2 high and 3 medium"


def test_marks_say_what_they_mean() -> None:
    """Every stage in a few words, alerts with their severity."""
    found = account(everyday() + stolen())
    told = [(mark_title(T, mark), mark_text(T, mark, incident())) for mark in found.marks]
    assert told == [
        ("New network", "first access from 192.0.2.0/24, which this identity had not used"),
        ("Reconnaissance", "objects described or counted, from 192.0.2.0/24"),
        ("Sample", "first rows read, from 192.0.2.0/24"),
        ("Bulk read", "first large read, from 192.0.2.0/24"),
        ("Above the baseline", "at most 1,500 rows by bulk exports in a day"),
        ("Alert, high", ""),
        ("Traces deleted", "an export was deleted: Case"),
    ]


def test_the_curve_is_told_to_those_who_do_not_see_it() -> None:
    """From when to when, how much, and when the bound was crossed, if it was."""
    found = account(everyday() + stolen())
    assert curve_text(T, incident(), found) == (
        "Rows taken, cumulative: 6,020 between 2026-03-11 03:02 and 2026-03-11 03:06 UTC. Expected: at most 1,500"
        " rows by bulk exports in a day; exceeded at 2026-03-11 03:04 UTC. The list beside the chart explains the"
        " marks."
    )
    few = account([event(1, time_ms=THEFT_MS, rows=1)])
    assert "in a day; not exceeded." in curve_text(T, incident(), few)


def test_bounds_are_in_words() -> None:
    """Hours and days as such, other windows by their length."""
    bound = incident().bound
    assert bound is not None
    hour = msgspec.structs.replace(bound, horizon_ms=HOUR_MS, operation=None, rows=1.2)
    assert bound_text(T, hour) == "at most 1 row in an hour"
    assert bound_text(T, msgspec.structs.replace(bound, horizon_ms=7 * DAY_MS)) == (
        "at most 1,500 rows by bulk exports in 7 days"
    )


def test_what_left_and_what_did_not() -> None:
    """Every category has its share, what left first; a read without a number is neither nothing nor a row."""
    events = [
        event(1, time_ms=THEFT_MS, rows=7, objects=("Contact",)),
        event(2, time_ms=THEFT_MS, rows=None, objects=("Passport__c",)),
        event(3, time_ms=THEFT_MS, rows=0, objects=("Payment",)),
    ]
    shares = {share.category: share for share in exposure(incident(), account(events))}
    assert list(shares)[:2] == [Category.CONTACT, Category.IDENTITY_DOCUMENTS]
    assert set(shares) == set(Category)
    contact, documents, payment = (
        shares[kind] for kind in (Category.CONTACT, Category.IDENTITY_DOCUMENTS, Category.PAYMENT)
    )
    assert (contact.rows, contact.objects, contact.unknown) == (7, (("Contact", 7),), 0)
    assert (documents.rows, documents.unknown, documents.named) == (0, 1, True)
    assert (payment.rows, payment.unknown, payment.named) == (0, 0, True)
    assert not shares[Category.HEALTH].named
    assert exposure(incident(), None)[0].objects == (("Case", 6000),)


def test_what_may_not_be_concluded_is_said() -> None:
    """Each reason why something may have left unseen, and none that does not hold."""
    events = [
        event(1, time_ms=THEFT_MS, rows=None, objects=()),
        *[
            event(10 + n, time_ms=THEFT_MS + 1, rows=1, operation_id=f"o-{n}", counting=Counting.MAXIMUM)
            for n in range(50)
        ],
    ]
    gone = (THEFT_MS - START_MS) // HOUR_MS
    hours = [hour for hour in range(24 * 12) if hour != gone]
    coverage = Coverage()
    for hour in hours:
        for n in range(12):
            coverage.observe(event(n, time_ms=START_MS + hour * HOUR_MS))
    sources = coverage.sources()
    told = cautions(T, account(events), sources, EVERY - {Operation.SEARCH, Operation.LOGIN}, 3)
    assert told == [
        "1 of these reads does not say how many rows it returned.",
        "1 of these reads does not name its object.",
        "Logs are missing in this period: 2026-03-11, 03:00 to 04:00 UTC.",
        "These logs hold no searches at all, from anyone.",
        "3 records could not be read.",
        "2 operations dropped out of the count’s memory: if they report again later, their rows count twice.",
    ]
    assert cautions(T, account(stolen()), [], EVERY, 0) == []


def test_only_ways_by_which_rows_leave_are_missed() -> None:
    """That nobody logged in takes nothing from the picture."""
    assert absent(T, EVERY) == []
    assert absent(T, frozenset({Operation.QUERY, Operation.SEARCH, Operation.RECORD_VIEW, Operation.LIST_VIEW})) == [
        "bulk exports", "reports", "report exports", "file downloads",
    ]  # fmt: skip


def test_gaps_are_listed_shortly() -> None:
    """The earliest three, hours that were not to be expected told apart, and how many more."""
    gaps = [
        Gap(START_MS + n * DAY_MS, START_MS + n * DAY_MS + 3 * HOUR_MS, 2 + (n > 0), 9)
        for n in (4, 0, 1, 2, 3)
    ]
    assert gap_list(T, gaps) == (
        "2026-03-02, 00:00 to 03:00 UTC (2 hours); 2026-03-03, 00:00 to 03:00 UTC;"
        " 2026-03-04, 00:00 to 03:00 UTC; 2 more gaps"
    )


def test_a_headline_says_when_too_little_was_read() -> None:
    """Instead of that nothing stands out, and after what was found; the share is rounded down."""
    short = (ReadShare(ReadScope.ALL, "", 2_399, 2_400), ReadShare(ReadScope.DAY, "2026-03-02", 0, 1))
    summary = Summary(events=2_399, identities=31, too_little_read=short)
    doubt = "It cannot be said whether anything stands out: too little could be read."
    assert headline(T, [], 0, summary) == doubt
    assert headline(FRENCH, [], 0, summary).startswith("Impossible de dire si quelque chose")
    found = headline(T, [incident()], 1, summary)
    assert found.startswith("One incident, ")
    assert found.endswith(" It cannot be said whether anything else stands out: too little could be read.")
    assert [read_share_text(T, share) for share in short] == [
        "2,399 of 2,400 records (99.9%)",
        "of 2026-03-02: 0 of 1 record (0%)",
    ]
    assert read_share_text(FRENCH, short[0]) == "2\u202f399 sur 2\u202f400 enregistrements (99,9\u202f%)"
