from __future__ import annotations

import pytest

from streams.locale import Language, Translator, gettext_noop, negotiate, ngettext_noop

ENGLISH, FRENCH = Translator(Language.ENGLISH), Translator(Language.FRENCH)
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS


def test_a_message_is_translated_and_filled_in() -> None:
    """Braces in values stay what they are, and an empty message stays empty."""
    assert FRENCH.gettext("Board") == "Tableau"
    assert ENGLISH.gettext("since {day}", day="{x}") == "since {x}"
    assert FRENCH.gettext("since {day}", day="{x}") == "depuis le {x}"
    assert FRENCH.gettext("") == ""


def test_numbers_and_plurals_are_those_of_the_language() -> None:
    """French counts none as one thing, and sets thousands apart by a narrow space."""
    assert [ENGLISH.ngettext("{n} row", "{n} rows", n) for n in (0, 1, 2000)] == [
        "0 rows",
        "1 row",
        "2,000 rows",
    ]
    assert [FRENCH.ngettext("{n} row", "{n} rows", n) for n in (0, 1, 2000)] == [
        "0 ligne",
        "1 ligne",
        "2\u202f000 lignes",
    ]
    assert [t.number(1234.6) for t in (ENGLISH, FRENCH)] == ["1,235", "1\u202f235"]
    assert [t.number(None) for t in (ENGLISH, FRENCH)] == ["–", "–"]
    assert [t.percent(0.5) for t in (ENGLISH, FRENCH)] == ["50%", "50\u00a0%"]


def test_lists_and_weekdays_are_those_of_the_language() -> None:
    """Things are joined by and or or; a week begins on Monday."""
    assert [ENGLISH.listed(things) for things in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [t.listed(["a", "b", "c"], "or") for t in (ENGLISH, FRENCH)] == ["a, b or c", "a, b ou c"]
    assert [t.weekdays()[0] for t in (ENGLISH, FRENCH)] == ["Mon", "lun."]
    assert ENGLISH.weekdays()[6] == "Sun"


@pytest.mark.parametrize(
    ("span_ms", "english", "french"),
    [
        (-5, "0s", "0s"),
        (59_999, "59s", "59s"),
        (222_000, "3m 42s", "3min 42s"),
        (10 * MINUTE_MS, "10m", "10min"),
        (90 * MINUTE_MS, "1h 30m", "1h 30min"),
        (72 * 60 * MINUTE_MS, "72h", "72h"),
        (5 * DAY_MS, "5 days", "5\u202fj"),
    ],
)
def test_a_duration_has_at_most_two_units(span_ms: int, english: str, french: str) -> None:
    """The longer it is, the coarser; what is negative is none."""
    assert (ENGLISH.duration(span_ms), FRENCH.duration(span_ms)) == (english, french)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,en;q=0.5", "fr"),
        ("en;q=0.5,fr;q=0.9", "fr"),
        ("de", "en"),
        ("de-AT,*;q=0.1", "en"),
        ("x;q=y,fr", "fr"),
        (",".join(["de"] * 20 + ["fr"]), "en"),
    ],
)
def test_a_browser_is_answered_in_its_language(header: str, language: str) -> None:
    """In the first that it asks for and that has a catalogue; in English otherwise, and after twenty entries."""
    assert negotiate(header) == language


def test_a_language_names_itself() -> None:
    """So that somebody who reads no other finds it."""
    assert [language.name_in_itself for language in Language] == ["English", "Français"]


def test_a_marked_constant_stays_as_it_is() -> None:
    """It is translated where it is shown."""
    assert gettext_noop("Board") == "Board"
    assert ngettext_noop("{n} row", "{n} rows") == ("{n} row", "{n} rows")
