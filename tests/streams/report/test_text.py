from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from detector.catalogue import Category
from detector.event import ActorKind, Operation
from detector.triage.risk import Severity
from streams.report.text import (
    CATEGORIES,
    KINDS,
    LONGEST,
    OPERATIONS,
    SEVERITIES,
    day,
    duration,
    minute,
    second,
    visible,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode, 客戶", "plain, ünïcode, 客戶"),
        ("\x00\x1b\x7f\x9b", "⟨U+0000⟩⟨U+001B⟩⟨U+007F⟩⟨U+009B⟩"),
        ("a\u202eb\u2066c", "a⟨U+202E⟩b⟨U+2066⟩c"),
        ("a\u200bb\u00adc\ufeff", "a⟨U+200B⟩b⟨U+00AD⟩c⟨U+FEFF⟩"),
        ("a\nb\tc\u2028d", "a⟨U+000A⟩b⟨U+0009⟩c⟨U+2028⟩d"),
        ("\ud800\ue000\u3164", "⟨U+D800⟩⟨U+E000⟩⟨U+3164⟩"),
        ("e\u0301" + "\u0301" * 5, "e" + "\u0301" * 3 + "⟨U+0301⟩" * 3),
    ],
)
def test_nothing_is_hidden(text: str, shown: str) -> None:
    """What would not be seen, or would move other text, is spelt out; every script's letters stay."""
    assert visible(text) == shown


@given(st.text(st.characters(), max_size=80))
def test_no_text_hides_anything(text: str) -> None:
    """Whatever the text, nothing of it is invisible, and it can be written as UTF-8."""
    shown = visible(text)
    assert isinstance(shown, str)
    shown.encode("utf-8")
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_long_text_is_cut_and_says_so() -> None:
    """A megabyte in one field makes no megabyte of a page."""
    shown = visible("x" * 1_000_000)
    assert isinstance(shown, str)
    assert shown.endswith(f" … ({1_000_000 - LONGEST:,} more characters)")
    assert len(shown) < LONGEST + 50


def test_what_is_no_text_passes() -> None:
    """Numbers, nothing, and markup of our own."""
    markup = Markup("<b>\n</b>")
    assert visible(markup) is markup
    assert visible(7) == 7
    assert visible(None) is None


def test_every_word_of_the_vocabularies_has_a_name() -> None:
    """So that a report never shows one that only a programmer knows."""
    assert set(CATEGORIES) == set(Category)
    assert set(OPERATIONS) == set(Operation)
    assert set(KINDS) == set(ActorKind)
    assert [SEVERITIES[level] for level in Severity] == [level.name.lower() for level in Severity]


@pytest.mark.parametrize("time_ms", [-(10**18), -1, 0, 253_402_300_800_000, 10**18])
def test_times_outside_the_calendar_are_its_ends(time_ms: int) -> None:
    """A log may say anything; a report still has a time to show."""
    assert day(time_ms) == minute(time_ms)[:10] == second(time_ms)[:10]


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [(-5, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (600_000, "10 min"), (7_200_000, "2 h"),
     (47 * 3_600_000 + 60_000, "47 h 1 min"), (48 * 3_600_000, "2 days")],
)  # fmt: skip
def test_a_duration_has_at_most_two_units(span_ms: int, text: str) -> None:
    """The finer it is, the shorter."""
    assert duration(span_ms) == text
