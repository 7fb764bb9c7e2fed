from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from streams.locale.log_text import MAX_SHOWN, visible


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
    assert shown.endswith(f" … (+{1_000_000 - MAX_SHOWN})")
    assert len(shown) < MAX_SHOWN + 50


def test_what_is_no_text_passes() -> None:
    """Numbers, nothing, and markup of our own."""
    markup = Markup("<b>\n</b>")
    assert visible(markup) is markup
    assert visible(7) == 7
    assert visible(None) is None
