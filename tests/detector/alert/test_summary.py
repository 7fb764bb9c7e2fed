from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.anomaly import Anomaly
from detector.event import ActorKind, Operation
from detector.identity.detectors.chain import STAGES
from detector.signal import NewValue
from detector.triage.incident import Incident
from detector.units import DAY_MS, MINUTE_MS
from tests.detector.incidents import (
    HOSTILE,
    describe,
    finding,
    incident,
    of_network,
    part,
    ranked,
    strange,
    title,
    words,
)
from tests.detector.make import START_MS, new

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"


def of_novelty(*things: NewValue, **fields: Any) -> Incident:
    """An incident about something new."""
    return incident(strange("novelty", 3.0, news=list(things)), **fields)


# --- whole sentences


def test_the_whole_sentence() -> None:
    """Word for word what a tired analyst reads."""
    assert describe(incident()) == (
        "The integration “Sky Sync” (0054R) took out 60,000 rows (Case 40,000, Contact 20,000) by bulk export "
        "on 2026-03-02 between 00:01 and 00:10 UTC, from 192.0.2.77 with “python-requests/2.32”. "
        "In one hour it took out 60,000 rows by bulk export; about 3,200 are usual, at most 21,000 expected, known "
        "from 14 of its own days. None of the 900 days of its peers came near. "
        "The Case records hold what customers wrote to customer service. "
        "Next: ask the integration's owner whether this was planned; if not, revoke its tokens now."
    )


def test_the_whole_sentence_of_a_network() -> None:
    """Of accounts that turned up together it says how many, from where, and what they took together."""
    assert describe(of_network(4, 900)) == (
        "4 accounts took out 900 rows of Contact on 2026-03-02 between 00:01 and 00:10 UTC, from the network "
        "192.0.2.0/24 with “curl/8”. All of them turned up there for the first time within a day, and hardly anybody "
        "else is seen there. The Contact records hold contact data, which is what phishing is made of. "
        "Next: find out whose network this is; unless it is one of yours, block it and end all sessions from it."
    )
    assert describe(of_network(3, 0)).startswith(
        "3 accounts turned up on one network, with no rows taken out yet, on 2026-03-02 between"
    )


def test_the_end_is_said() -> None:
    """When an incident closes, the sentence says so and is otherwise what it was."""
    for one in (incident(), of_network()):
        before, after = describe(one), describe(one, over=True)
        assert after == before.replace(" Next: ", " Nothing more has been seen since. Next: ")


# --- who, what, when, where


@pytest.mark.parametrize(
    ("kind", "name", "who"),
    [
        (ActorKind.INTEGRATION, "Sky Sync", "The integration “Sky Sync” (0054R) took out"),
        (ActorKind.HUMAN, "ada@sky.example", "The user “ada@sky.example” (0054R) took out"),
        (ActorKind.HUMAN, "0054R", "The user 0054R took out"),
        (ActorKind.HUMAN, "", "The user 0054R took out"),
        (ActorKind.GUEST, None, "The guest 0054R took out"),
    ],
)
def test_it_says_who(kind: ActorKind, name: str | None, who: str) -> None:
    """What kind of actor it is, by name and id, comes first; who is called by the id is named once."""
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
    assert how_much in describe(incident(parts=[part(sum(objects.values()), objects)]))


@pytest.mark.parametrize(
    ("channel", "nothing"),
    [
        ("login", "did something unusual, with no rows taken out yet, on 2026-03-02 between"),
        ("query:calls", "did something unusual, of which the log does not tell the rows, on 2026-03-02 between"),
        ("file_download:kilobytes", "did something unusual, of which the log does not tell the rows, on"),
    ],
)  # fmt: skip
def test_it_says_if_no_rows_taken(channel: str, nothing: str) -> None:
    """None yet is something else than not told; why it matters is then not what records hold."""
    sentence = describe(incident(finding(channel=channel, span="day"), parts=[]))
    assert nothing in sentence
    expected = (
        "What was taken must be looked up elsewhere."
        if ":" in channel
        else "Attackers log in and look around"
    )
    assert f" {expected}" in sentence


@pytest.mark.parametrize(
    ("channels", "how"),
    [
        (["query"], "rows of Case by API query on"),
        (["report"], "rows of Case in reports on"),
        (["report", "query"], "rows of Case in reports and by API query on"),
        (["report", "query", "search"], "rows of Case in reports and in other ways on"),
        (["query", "query:internal"], "rows of Case by API query on"),
        (["admin"], "rows of Case on"),
        (["all"], "rows of Case on"),
    ],
)
def test_it_says_how(channels: list[str], how: str) -> None:
    """By what means, those with most rows first, each once."""
    parts = [part(900 - number, channel=channel) for number, channel in enumerate(channels)]
    assert how in describe(incident(parts=parts))


def test_it_says_how_even_if_only_the_whole_counts() -> None:
    """Where the rows of all operations together are the most that is known, its parts still say by what means."""
    parts = [part(900, channel="all"), part(200, channel="report"), part(400, channel="query")]
    assert "took out 900 rows of Case by API query and in reports on" in describe(incident(parts=parts))


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "when"),
    [
        (START_MS + 1_000, START_MS + 2_000, " on 2026-03-02 at 00:00 UTC, from"),
        (START_MS + 1_000, START_MS + 90_000, " on 2026-03-02 between 00:00 and 00:01 UTC, from"),
        (START_MS, START_MS + DAY_MS + MINUTE_MS, " between 2026-03-02 00:00 and 2026-03-03 00:01 UTC, from"),
        (START_MS, START_MS + DAY_MS - 1, " on 2026-03-02 (UTC), from"),
        (START_MS, START_MS + 5 * DAY_MS - 1, " from 2026-03-02 to 2026-03-06 (UTC), from"),
        (-(10**18), 10**18, " from 0001-01-01 to 9999-12-31 (UTC), from"),
    ],
)
def test_it_says_since_when(first_ms: int, last_ms: int, when: str) -> None:
    """A minute, a span within a day, whole days, or from day to day; times outside the calendar break nothing."""
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
        ({}, {CHROME: 1}, ", with “Chrome on windows”. "),
    ],
)
def test_it_says_from_where(ips: dict[str, int], agents: dict[str, int], where: str) -> None:
    """The address and the agent seen most, and how many others; a long agent by its family; nothing if not known."""
    assert where in describe(incident(ips=ips, user_agents=agents))


def test_where_it_is_new_is_told_first() -> None:
    """A thief's address and program are named before those that the account has always used, however often."""
    seen = {"ips": {"203.0.113.7": 90, "192.0.2.77": 1}, "user_agents": {"sync/3.2": 90, "curl/8.1": 1}}
    assert ", from 203.0.113.7 and 1 other address with “sync/3.2”." in describe(incident(**seen))
    one = of_novelty(new("network", "192.0.2.0/24"), new("agent", "curl"), **seen)
    assert ", from 192.0.2.77 and 1 other address with “curl/8.1”." in describe(one)


@pytest.mark.parametrize(
    ("rows", "age_days", "where"),
    [
        (39_999, 0.0, "UTC, at least 39,999 of them from 192.0.2.77 with “curl/8.1”. "),
        (40_000, 0.0, "UTC, from 192.0.2.77 and 1 other address with “curl/8.1”. "),
        (0, 0.0, "UTC, from 192.0.2.77 and 1 other address with “curl/8.1”. "),
        (39_999, 0.1, "UTC, from 192.0.2.77 and 1 other address with “curl/8.1”. "),
    ],
)
def test_an_account_s_own_rows_are_not_the_thief_s(rows: int, age_days: float, where: str) -> None:
    """Where far more rows are counted than left to the new network, it says how many did at least; not of a network
    seen before the incident, whose rows may be of before, nor if what was last said of them may just be older."""
    seen = {"ips": {"203.0.113.7": 90, "192.0.2.77": 1}, "user_agents": {"sync/3.2": 90, "curl/8.1": 1}}
    news = [new("network", "192.0.2.0/24", rows=rows, age_days=age_days), new("agent", "curl", rows=9)]
    one = incident(finding(), strange("novelty", 3.0, news=news), **seen)
    assert where in describe(one)


# --- why it is unusual


@pytest.mark.parametrize(
    ("fields", "normal"),
    [
        (
            {"span": "day"},
            "In one day it took out 60,000 rows by bulk export; about 3,200 are usual, at most 21,000 expected, known",
        ),
        (
            {"value": 1, "typical": 0.2, "bound": 0.9},
            "In one hour it took out 1 row by bulk export; hardly any are usual, known from 14 of its own days.",
        ),
        ({"typical": 1.3, "bound": 5.9}, "; about 1 is usual, at most 5 expected, known from"),
        ({"typical": -0.5, "bound": 7.0}, "; hardly any are usual, at most 7 expected, known from"),
        ({"bound": 70_000.0}, "; about 3,200 are usual, known from"),
        ({"own_days": 4}, ", judged by its peers, with 4 days of its own known."),
        ({"own_days": 1}, ", judged by its peers, with 1 day of its own known."),
        ({"own_days": 0}, ", judged by its peers: it has not done this before."),
        ({"own_days": 5}, ", known from 5 of its own days."),
        ({"channel": "all"}, "In one hour it took out 60,000 rows; about"),
        ({"channel": "query:internal"}, "In one hour it took out 60,000 rows by API query; about"),
        ({"channel": "admin"}, "In one hour it took out 60,000 rows; about"),
        ({"channel": "search:calls", "value": 700}, "In one hour there were 700 searches; about"),
        ({"channel": "query:calls", "value": 1}, "In one hour there was 1 API query; about"),
        ({"channel": "other:calls", "value": 2}, "In one hour there were 2 operations; about"),
        (
            {"channel": "file_download:kilobytes", "span": "day"},
            "In one day it took out 60,000 kilobytes by downloading files; about 3,200 are usual, at most",
        ),
        (
            {"detector": "export", "channel": "report", "span": "operation"},
            "A single report had 60,000 rows; about 3,200 are usual, at most 21,000 expected, known from",
        ),
        ({"detector": "export", "channel": "query", "span": "operation"}, "A single API query had 60,000 rows;"),
        ({"detector": "export", "channel": "admin", "span": "operation"}, "A single operation had 60,000 rows;"),
    ],
)  # fmt: skip
def test_it_says_what_is_normal(fields: dict[str, Any], normal: str) -> None:
    """What the quantity was, what is usual, the most to be expected if it was more, and whence that is known."""
    assert normal in describe(incident(finding(**fields)))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            strange("drip", facts={"days": 9.0, "week_rows": 2_500.0, "typical_day": 120.4}),
            "For 9 days it has taken more than it used to: 2,500 rows in the last week; about 120 a day are usual.",
        ),
        (
            strange("drip", facts={"days": 1.0, "week_rows": 1.0, "typical_day": 0.3}),
            "It has begun to take more than it used to: 1 row in the last week; hardly any are usual.",
        ),
        (
            strange("drip", facts={"days": 2.0, "week_rows": 9.0, "typical_day": 1.2}),
            "For 2 days it has taken more than it used to: 9 rows in the last week; about 1 a day is usual.",
        ),
        (
            strange("rhythm", facts={"actions": 1_200.0, "low_seconds": 1.96, "high_seconds": 2.5, "ascending": 3.0}),
            "1,200 actions in a row, half of them 2.0 to 2.5 s apart: a program's rhythm, not a person's.",
        ),
        (
            strange("rhythm", facts={"actions": 90.0, "low_seconds": 2.0, "high_seconds": 9.0, "ascending": 88.0}),
            "90 actions in a row, 88 of them through ids in ascending order, as a program does.",
        ),
        (
            strange("chain", facts={"recon": 1.0, "bulk": 2.0}),
            "It looked around and exported in bulk, which it seldom or never does.",
        ),
        (
            strange("chain", facts=dict.fromkeys(STAGES, 1.0)),
            "It looked around, tried queries or reports, exported in bulk and deleted its export jobs, which it",
        ),
        (strange("chain", facts={"clean-up": 1.0}), "It deleted its export jobs, which it seldom or never does."),
        (strange("vendor", facts={"findings": 1.0}), "The vendor's own detection raised 1 finding about it."),
        (strange("vendor", facts={"findings": 4.0}), "The vendor's own detection raised 4 findings about it."),
        (
            strange("intel", news=[new("indicator", "leaked token"), new("indicator", "bot net")]),
            "What it came from, or with, is known to be bad: “leaked token” and “bot net”.",
        ),
        (strange("population"), "Taken together, what it did that day is a rare mixture."),
    ],
)  # fmt: skip
def test_it_says_what_was_strange(found: Anomaly, said: str) -> None:
    """Each detector's reason in its own words, with its figures, for one and for many."""
    assert f". {said}" in describe(incident(found))


@pytest.mark.parametrize(
    ("things", "named"),
    [
        ([new("network", "192.0.2.0/24")], "after 14 active days: the network 192.0.2.0/24."),
        ([new("agent", "Chrome on windows"), new("app", "0H4")], ": the agent “Chrome on windows” and the app 0H4."),
        ([new("country", "NL", age_days=1.2)], ": the country NL (1 day ago)."),
        ([new("network", "203.0.113.0/24", age_days=3.4)], ": the network 203.0.113.0/24 (3 days ago)."),
        ([new("operation", "bulk_export"), new("operation", "login")], ": bulk exports and logging in."),
        ([new("object", "Contact"), new("object", "*")], ": Contact records and unnamed records."),
        ([new("query", "select ? from x")], ": the query that it ran."),
        ([new("hour", "03:00 UTC")], ": being active at 03:00 UTC."),
        ([new("hour", "weekend 23:00 UTC")], ": being active at 23:00 UTC at a weekend."),
        ([new("app", f"a{n}") for n in range(3)], ": the app a0, the app a1 and the app a2."),
        ([new("app", f"a{n}") for n in range(5)], ": the app a0, the app a1, the app a2 and 2 more."),
    ],
)  # fmt: skip
def test_it_says_what_is_new(things: list[NewValue], named: str) -> None:
    """The strangest first, three by name, those of days ago with their age."""
    sentence = describe(of_novelty(*things))
    assert ". New for it after 14 active days: " in sentence
    assert named in sentence
    assert "after 1 active day:" in describe(of_novelty(*things, known_days=1))


@pytest.mark.parametrize("operation", list(Operation))
def test_every_operation_has_words(operation: Operation) -> None:
    """No sentence shows an operation's bare name, whatever it was: as a channel, as what was new, or as counted."""
    for found in (
        finding(channel=operation.value),
        finding(channel=f"{operation.value}:calls"),
        finding(detector="export", channel=operation.value, span="operation"),
        strange("novelty", news=[new("operation", operation.value)]),
    ):
        one = incident(found, parts=[part(900, channel=operation.value)])
        assert "_" not in describe(one) + title(one)
        assert not re.search(rf"\b(New for it.*|In one.*) {operation.value}\.", describe(one))


def test_two_grounds_are_given_unless_it_grows_too_long() -> None:
    """The most surprising first; a second one only while the sentence stays short."""
    two = (
        finding(surprise=4.0),
        strange("novelty", 2.0, news=[new()]),
        strange("chain", 1.5, facts={"bulk": 1.0}),
    )
    sentence = describe(incident(*two))
    assert sentence.index("In one hour") < sentence.index("New for it")
    assert "exported in bulk" not in sentence
    long = describe(
        incident(
            finding(surprise=4.0, own_days=3),
            finding(detector="export", channel="report", span="operation", surprise=2.0, own_days=2),
            parts=[part(900, {f"Object{number}__c": 100 for number in range(9)}, channel="report")],
            ips={"192.0.2.1": 1, "192.0.2.2": 1},
            last_ms=START_MS + 9 * DAY_MS,
        )
    )
    assert "In one hour" in long
    assert "A single report" not in long


def test_what_only_supports_comes_last() -> None:
    """An odd mixture is never the first reason, however surprising; the others go by surprise, then by name."""
    one = incident(
        strange("population", 5.0), finding(surprise=2.0), strange("chain", 3.0, facts={"bulk": 1.0}),
        strange("novelty", 2.0, news=[new()]),
    )  # fmt: skip
    assert [found.detector for found in ranked(one)] == ["chain", "novelty", "volume", "population"]
    assert title(one).startswith("The steps of a theft")


@pytest.mark.parametrize(
    ("found", "rare"),
    [
        (finding(surprise=2.9), "About 1 in 790 of its peers' days reaches this."),
        (finding(surprise=3.4), "None of the 900 days of its peers came near."),
        (finding(surprise=5.0, population_days=1), "The 1 known day of its peers did not come near."),
        (
            strange("chain", 0.31, facts={"bulk": 1.0}, population_days=40),
            "About 1 in 2 of its peers' days reaches this.",
        ),
        (finding(surprise=5.0, population_days=0), None),
        (finding(surprise=0.2), None),
        (strange("vendor", 3.0), None),
        (strange("intel", 3.0), None),
    ],
)
def test_it_says_how_rare_that_is(found: Anomaly, rare: str | None) -> None:
    """Of the peers' days that were seen, to two digits; not of what others' word is, nor of what half of them do."""
    sentence = describe(incident(found))
    assert (f" {rare} " in sentence) if rare else ("of its peers" not in sentence)


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ({"Contact": 5}, "The Contact records hold contact data, which is what phishing is made of."),
        ({"Passport__c": 1, "Case": 9}, "The Passport__c records hold identity documents."),
        ({"Passport__c": 20, "Case": 9_000}, "The Passport__c records hold identity documents."),
        (
            {"Passport__c": 19, "Case": 9_000},
            "The Case records hold what customers wrote to customer service.",
        ),
        ({"Contact": 1, "Product2": 10_000}, "The Product2 records are the company's own."),
        ({"Product2": 5}, "The Product2 records are the company's own."),
        ({"Sprocket__c": 5}, "Nobody has said yet what the Sprocket__c records hold."),
        ({"*": 5}, "Nobody has said yet what the records hold."),
    ],
)
def test_it_says_why_it_matters(objects: dict[str, int], why: str) -> None:
    """What the most sensitive of the records hold of which more than a few left."""
    sentence = describe(incident(parts=[part(sum(objects.values()), objects)]))
    assert f" of its peers came near. {why} Next: " in sentence


# --- titles


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (incident(), "Unusually many rows by bulk export: “Sky Sync”"),
        (incident(finding(channel="all"), actor_name=None), "Unusually many rows taken out: 0054R"),
        (incident(finding(channel="query:internal")), "Unusually many rows by API query: “Sky Sync”"),
        (incident(finding(channel="search:calls")), "Unusually many searches: “Sky Sync”"),
        (
            incident(finding(channel="file_download:kilobytes")),
            "Unusually many kilobytes by downloading files: “Sky Sync”",
        ),
        (incident(finding(detector="export", channel="report")), "Unusually large report by “Sky Sync”"),
        (of_novelty(new("network", "x"), new("app", "y")), "New network for “Sky Sync”"),
        (of_novelty(new("operation", "query")), "New kind of operation for “Sky Sync”"),
        (of_novelty(new("hour", "03:00 UTC")), "New hour of activity for “Sky Sync”"),
        (incident(strange("drip")), "More than usual for days: “Sky Sync”"),
        (incident(strange("rhythm")), "An account driven by a program: “Sky Sync”"),
        (incident(strange("chain")), "The steps of a theft: “Sky Sync”"),
        (incident(strange("vendor")), "The vendor's own finding about “Sky Sync”"),
        (incident(strange("intel")), "A known-bad origin for “Sky Sync”"),
        (incident(strange("population")), "Unusual access by “Sky Sync”"),
        (of_network(12), "12 accounts on one new network: 192.0.2.0/24"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_titles_say_what_it_was(one: Incident, expected: str) -> None:
    """What is unusual in a few words, and whose."""
    assert title(one) == expected


# --- length and hostile text


def everything() -> Incident:
    """An incident of which there is very much to say."""
    many = {f"Object{number}__c": 10_000_000 for number in range(9)}
    return incident(
        finding(own_days=3, channel="report_export"),
        finding(detector="export", channel="report_export", span="operation", own_days=2),
        strange("novelty", news=[new("network", "2001:db8:1::/48", age_days=4.0)] * 5),
        actor_name="ada.lovelace@skyward.example.com",
        parts=[part(90_000_000, many, channel=channel) for channel in ("report_export", "query", "search")],
        ips=dict.fromkeys(("192.0.2.1", "192.0.2.2"), 1),
        user_agents={CHROME: 1},
        last_ms=START_MS + 9 * DAY_MS,
        actor_kind=ActorKind.HUMAN,
    )


def test_it_is_short() -> None:
    """Eighty words or so, 110 whatever there is to say; no brackets within brackets."""
    assert words(describe(incident())) <= 90
    for one in (everything(), incident(), of_network()):
        for over in (False, True):
            sentence = describe(one, over=over)
            assert words(sentence) <= 110
            assert not re.search(r"\([^()]*\(|\)\)|\) \(", re.sub("“[^“”]*”", "_", sentence))


def contains_only_text(sentence: str) -> bool:
    """Whether nothing in it could move a cursor, turn the direction of writing or begin a line."""
    return sentence.isprintable() and not any(
        unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in sentence
    )


def full_of(text: str) -> list[Incident]:
    """Incidents in which all that comes from a log is one text."""
    things = [
        new(what, text) for what in ("network", "agent", "app", "country", "operation", "object", "hour", "x")
    ]
    about = {"actor": f"/{text}", "actor_name": text or "x", "user_agents": {text: 1}, "apps": {text: 1}}
    return [
        incident(found, **about, ips={text: 1}, parts=[part(9, {text: 9, "Case": 4}, channel="query")])
        for found in (
            finding(), strange("novelty", news=things), strange("intel", news=things), strange("chain", facts={})
        )
    ] + [of_network(network=text or "x", user_agents={text: 1}, actors={text: 1})]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_breaks_nothing(text: str) -> None:
    """Escapes, bidi marks, line ends, endless names, halves of pairs: what is ours stays as it is, and short."""
    for one in full_of(text):
        sentence = describe(one)
        assert contains_only_text(sentence)
        assert contains_only_text(title(one))
        assert len(sentence) < 1_200
        assert len(title(one)) < 150
        assert sentence.count("“") == sentence.count("”")
        unquoted = re.sub("“[^“”]*”", "_", sentence)
        assert unquoted.count(" took out ") == 1 + ("In one hour" in unquoted)
        assert unquoted.count(" Next: ") == 1
        assert words(unquoted) <= 105


@given(st.text(st.characters(), max_size=80))
@example("“”")
def test_any_text_stays_within_its_quotes(text: str) -> None:
    """Whatever a name is, outside of quotes the sentence reads as it always does."""
    plain = re.sub("“[^“”]*”", "_", describe(incident(actor_name="x", actor="/", user_agents={"y": 1})))
    hostile = describe(incident(actor_name=text or "x", actor=f"/{text}", user_agents={text: 1}))
    assert contains_only_text(hostile)
    assert re.sub(r"“[^“”]*”", "_", re.sub(r"\((/[\w.:@+/-]*)\)", "(_)", hostile, flags=re.ASCII)) == re.sub(
        r"\(/\)", "(_)", plain
    )
