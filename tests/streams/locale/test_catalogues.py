from __future__ import annotations

import string

import pytest
from babel.messages.catalog import Catalog, Message

from streams.locale import Language
from streams.locale.catalogue import catalogue, translations
from tests.streams.locale.extraction import TRANSLATED, alerts, screens

DOMAINS = {"screens": screens, "alerts": alerts}
Key = tuple[str | None, tuple[str, ...]]


def texts(text: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """A message's forms: one, or one for each plural."""
    return (text,) if isinstance(text, str) else tuple(text)


def fields(text: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def by_key(messages: Catalog) -> dict[Key, Message]:
    """Messages by their context and English forms."""
    return {(message.context, texts(message.id)): message for message in messages if message.id}


@pytest.mark.slow
@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_exactly_the_messages_that_there_are(language: Language, domain: str) -> None:
    """None in the code or the templates is missing, none in the catalogue is stale, and each is translated."""
    known = by_key(catalogue(language, domain))
    assert set(known) == set(by_key(DOMAINS[domain]()))
    assert not [message.id for message in known.values() if message.fuzzy or not all(texts(message.string))]


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_fills_in_the_same_values(language: Language, domain: str) -> None:
    """Each of its forms has the placeholders of the message, and no others."""
    for (_, english), message in by_key(catalogue(language, domain)).items():
        wanted = set().union(*map(fields, english))
        for form in texts(message.string):
            assert fields(form) == wanted, english


def test_a_language_without_a_catalogue_speaks_english() -> None:
    """Messages come back as they are, and so does one that a catalogue lacks."""
    assert translations("xx", "screens").gettext("Board") == "Board"
    assert translations("fr", "screens").gettext("no such message") == "no such message"
    assert translations("fr", "screens").gettext("Board") == "Tableau"


@pytest.mark.slow
def test_every_kind_of_message_is_collected() -> None:
    """From templates, from calls within calls, from marked constants, and with plural forms."""
    found = {texts(message.id) for message in screens()}
    assert ("Open incidents",) in found
    assert ("Expected maximum",) in found
    assert ("bulk exports",) in found
    assert ("{n} incident to review", "{n} incidents to review") in found
    assert ("What these logs cover",) in found
    codes = {message.context for message in alerts()}
    assert {
        "count.row",
        "step.keep_logs",
        "rhythm.ascending",
        "rhythm.regular",
        "happened",
        "title.rows",
    } <= codes
