from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.alert.ocsf import Activity
from detector.event import RecordOrigin
from detector.settings import Settings, TriageSettings
from streams.replay.replay import DeadLetter, Summary
from streams.report.page import (
    FIRST_LISTED,
    LISTED_INCIDENTS,
    OPEN_INCIDENTS,
    SHOWN_INCIDENTS,
    SHOWN_ROWS,
    Report,
    Setting,
    render,
)
from streams.report.report import settings_used
from tests.detector.make import HOUR_MS, START_MS, event
from tests.streams.report.make import (
    AWAY,
    MINUTE_MS,
    THEFT_MS,
    alert,
    body,
    everyday,
    incidents,
    report,
    stolen,
    untold,
)

VOID = {"meta", "input", "br", "link", "img"}


class Page(HTMLParser):
    """A page's elements, ids, headings and text, as a parser that knows no more than HTML's rules sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.headings: list[int] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter an element."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter an element that has nothing in it."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Leave the element that was entered last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Enter text that is to be read."""
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """What is to be read, in one line."""
        return " ".join(" ".join(self.texts).split())

    def values(self, name: str) -> list[str]:
        """An attribute's values."""
        return [value for _, attribute, value in self.attributes if attribute == name]


def theft() -> str:
    """The page on the theft."""
    return render(report(everyday() + stolen(), incidents()))


def test_the_page_says_all_of_it() -> None:
    """Verdict, sentence, stages, origins, what was taken and what was not, evidence, techniques, steps, coverage."""
    page = Page(theft())
    for part in (
        "One incident, high: the integration sync (u) took out 6,000 rows of customer-service content since",
        "Read: 235 events from 1 identity, 2026-03-02 00:00 to 2026-03-11 03:06 UTC.",
        "Every record could be read.",
        "The integration “sync” (u) took out 6,000 rows of Case by bulk export on 2026-03-11",
        "risk 71 of 100",
        "Taken by the first alert 3,020 50%",
        "First sign 2026-03-11 03:00",
        "First sign to alert 4m",
        "New network 2026-03-11 03:00:00 first access from 192.0.2.0/24, which this identity had not used",
        "expected: at most 1,500 rows by bulk exports in a day",
        "customer-service content Case 6,000",
        "Not seen taken in these logs identity documents",
        "It does not prove that none of it was taken:",
        "192.0.2.77 192.0.2.0/24 new network 6,020 10 2026-03-11 03:00:00 2026-03-11 03:06:00 python-requests/2.32.4",
        "2026-03-11 03:04:00 bulk exports 3,000 Case 192.0.2.77 python-requests/2.32.4 test log:7",
        "T1213.004 Data from Information Repositories: Customer Relationship Management Software Collection",
        "Ask the integration's owner whether this was planned; if not, revoke its tokens now.",
        "Sources and event types",
        "All settings have their defaults.",
        "triage.alert_risk",
    ):
        assert part in page.text


def test_the_page_needs_nothing_else() -> None:
    """No script, nothing to load, and a policy that would not let either happen."""
    text = theft()
    page = Page(text)
    assert not {"script", "iframe", "object", "embed", "link", "img", "base", "form"} & set(page.tags)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page.values("content")
    assert not re.search(r"@import|url\(|expression\(", text)
    assert page.values("src") == []
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    for address in page.values("href"):
        assert address.startswith(("#", "https://attack.mitre.org/techniques/T"))
    ids = set(page.values("id"))
    assert {address[1:] for address in page.values("href") if address.startswith("#")} <= ids


def test_the_page_is_built_well() -> None:
    """Every element is closed, ids are unique and exist where they are meant, headings go down step by step."""
    many = incidents(*(alert(uid=f"i-{n}", risk_score=n) for n in range(5)))
    page = Page(render(report(everyday() + stolen(), many)))
    assert page.open == []
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    meant = " ".join(page.values("aria-labelledby")).split()
    assert set(meant) <= set(ids)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in zip(page.headings, page.headings[1:], strict=False))
    assert page.tags.count("table") == page.tags.count("caption")
    assert ("html", "lang", "en") in page.attributes


def spoilt(word: str) -> Report:
    """A report with one word in each field that a log, or a file's name, gives."""
    found = body()
    found["finding_info"] |= {"title": word, "desc": word, "types": [word]}
    found["finding_info"]["attacks"][0]["sub_technique"] = {"uid": word, "name": word}
    found["evidences"][0] |= {
        "uid": word,
        "actor": {"user": {"uid": word, "name": word}, "app_uid": word},
        "api": {"operation": word},
        "src_endpoint": {"ip": word},
        "http_request": {"user_agent": word},
    }
    found["evidences"][0]["data"]["objects"] = [word]
    found["resources"][0]["name"] = word
    found["remediation"]["desc"] = word
    found["unmapped"]["crmwatch"]["identity"] = f"t/{word}"
    origin = RecordOrigin(word, word)
    fields = {
        "actor": word,
        "objects": (word,),
        "user_agent": word,
        "app": word,
        "country": word,
        "origin": origin,
    }
    events = [event(9, time_ms=START_MS, actor=word, ip="198.51.100.9", origin=origin)]
    events += [
        event(n, time_ms=THEFT_MS + n * 1000, ip=ip, rows=n, **fields)
        for n, ip in enumerate((word, AWAY, word), 1)
    ]
    events += [event(9, time_ms=THEFT_MS + 4000, actor="other " + word, ip=word, origin=origin)]
    letter = DeadLetter(word, word, word, word, word, word.encode(), 5)
    return report(
        events,
        incidents(alert(**found)),
        [letter],
        paths=(word,),
        summary=Summary(records=9, events=5, first_ms=START_MS, last_ms=THEFT_MS, unknown={word: 1}),
        settings=(Setting(word, word, word, False),),
        versions=((word, word),),
    )


@pytest.mark.slow
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
@settings(max_examples=40)
def test_log_text_is_text(text: str) -> None:
    """Whatever it is and wherever it stands, the page has the same elements and attributes, and hides nothing."""
    attack = text + "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;\u202e\x00{{7*7}}"
    plain, hostile = Page(render(spoilt("benign"))), Page(render(spoilt(attack)))
    assert hostile.tags == plain.tags
    assert [(tag, name) for tag, name, _ in hostile.attributes] == [
        (tag, name) for tag, name, _ in plain.attributes
    ]
    assert hostile.values("href") == plain.values("href")
    assert hostile.values("style") == plain.values("style")
    shown = "".join(hostile.texts)
    assert shown.count("<script>alert(1)</script>") == "".join(plain.texts).count("benign") > 25
    assert "⟨U+202E⟩⟨U+0000⟩{{7*7}}" in shown
    hidden = {
        letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp")
    }
    assert hidden <= {"\n"}


def test_a_missing_hour_and_an_unreadable_record_are_named() -> None:
    """In the verdict, in the table before the map, and in the incident whose time they are of."""
    hours = [hour for hour in range(24 * 12) if hour != 24 * 9 + 2]
    events = [event(n, time_ms=START_MS + hour * HOUR_MS) for hour in hours for n in range(12)]
    letter = DeadLetter("odd.csv:7", "odd.csv:7", "salesforce_elf", "bad_value", "no number", b"x,y", 3)
    text = Page(render(report([*events, *stolen()], incidents(), [letter]))).text
    assert "Hours are missing: 1 gap . Could not be read: 1 record ." in text
    assert "2026-03-11, 02:00 to 03:00 UTC test all 12 events" in text
    assert "Logs are missing in this period: 2026-03-11, 02:00 to 03:00 UTC." in text
    assert "salesforce_elf bad_value 1 odd.csv:7 no number x,y 3 bytes" in text


def test_without_incidents_the_verdict_says_what_was_covered() -> None:
    """That nothing stands out is worth as much as what was read."""
    text = Page(render(report(everyday()))).text
    assert "Nothing stands out in 225 events from 1 identity." in text
    assert (
        "Not covered: reports, report exports, list views, record views, searches or file downloads;" in text
    )
    assert "too few to tell" in text
    assert "Incident" not in text.replace("Incidents", "")


def test_what_the_map_leaves_out_is_said() -> None:
    """Logs of many years have a map of their last days."""
    long = [event(n, time_ms=START_MS + n * 100 * 24 * HOUR_MS) for n in range(9)]
    told = "The map begins on 2027-04-06, the logs on 2026-03-02"
    assert told in Page(render(report(long))).text
    assert "The map begins" not in Page(render(report(everyday()))).text


def test_of_nothing_nothing_is_claimed() -> None:
    """Neither that every hour is there nor that every record could be read."""
    text = Page(render(report())).text
    assert "Nothing could be read, so nothing can be concluded." in text
    assert "No event was read." in text
    assert "No hour is missing" not in text


def test_without_a_second_reading_the_alerts_must_do() -> None:
    """No curve, no origins, and no word on what was not taken; what the alert has is there."""
    found = incidents()
    text = Page(render(report(everyday(), found, reread=False, told=untold(found), interrupted=True))).text
    assert "Interrupted. The rest of the input was not read" in text
    assert "The logs could not be read a second time, so there is no curve" in text
    assert "Unknown: this needs all events, and the alerts quote only some." in text
    assert "customer-service content Case 6,000" in text
    assert "Where from" not in text


@pytest.mark.slow
def test_much_is_folded_counted_and_left_out() -> None:
    """A thousand incidents and ten thousand origins make a page to be read, which says what is not on it."""
    many = incidents(*(alert(uid=f"i-{n}", risk_score=n % 100) for n in range(1000)))
    events = [
        event(n, time_ms=THEFT_MS + n, ip=f"10.{n >> 8}.{n & 255}.1", objects=(f"O{n}__c",), rows=2)
        for n in range(10_000)
    ]
    page = Page(render(report(events, many)))
    folded = [(name, value) for tag, name, value in page.attributes if tag == "details"]
    assert len([value for name, value in folded if value == "story"]) == SHOWN_INCIDENTS
    assert len([name for name, _ in folded if name == "open"]) == OPEN_INCIDENTS
    assert f"{LISTED_INCIDENTS - FIRST_LISTED} more incidents" in page.text
    assert f"… and {1000 - LISTED_INCIDENTS} more incidents." in page.text
    assert f"… and {500 - SHOWN_ROWS} more origins." in page.text
    assert "… and 9,500 more events from further origins." in page.text


def test_changed_settings_are_named() -> None:
    """What was not as it comes stands before the rest, with its value."""
    changed = settings_used(Settings(triage=TriageSettings(alert_risk=60)))
    text = Page(render(report(settings=changed))).text
    assert "Changed settings: triage.alert_risk = 60 . All others have their defaults." in text
    assert "triage.alert_risk 60 changed" in text


def test_what_is_closed_provisional_or_cold_is_said() -> None:
    """Each of them changes what a reader should make of the incident."""
    own = {"crmwatch": {"identity": "t/u", "rows_taken": 1, "judged_by_peers": True, "provisional": True}}
    text = Page(render(report(stolen(), incidents(alert(Activity.CLOSE, unmapped=own))))).text
    assert "closed, quiet since then" in text
    assert "of 100, judged by its peers" in text
    assert "A decision in it is provisional" in text


@pytest.mark.parametrize("time_ms", [-(10**15), 10**17])
def test_impossible_times_make_a_page(time_ms: int) -> None:
    """A log may be of any year."""
    strange = alert(start_time=time_ms, end_time=time_ms, time=time_ms)
    events = [event(1, time_ms=time_ms, rows=5000), event(2, time_ms=time_ms + 9 * MINUTE_MS, ip=AWAY)]
    assert "5,000" in Page(render(report(events, incidents(strange)))).text
