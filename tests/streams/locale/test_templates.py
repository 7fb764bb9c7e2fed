from __future__ import annotations

from markupsafe import Markup

from streams.locale import Language, Translator
from streams.locale.templates import environment


def rendered(template: str, language: Language = Language.FRENCH, **values: object) -> str:
    """A template of one line in a language."""
    return environment("report", Translator(language), 5).from_string(template).render(**values)


def test_messages_numbers_and_lists_are_translated() -> None:
    """By the names that gettext has, and by filters."""
    assert rendered("{{ _('Board') }}") == "Tableau"
    assert rendered("{{ ngettext('{n} row', '{n} rows', 2000) }}") == "2\u202f000 lignes"
    assert (
        rendered("{{ ['a', 'b']|listed('or') }} {{ 2000|number }} {{ 0.5|percent }}")
        == "a ou b 2\u202f000 50\u00a0%"
    )
    assert rendered("{{ language.value }} {{ 'abcdefgh'|clipped }}") == "fr abcde … (+3)"


def test_a_value_in_a_message_is_escaped_and_shown_whole() -> None:
    """Markup in it is text, what cannot be seen is spelt out, braces stay, and only our own markup is markup."""
    hostile = "<b>{n}\u202e"
    assert rendered("{{ _('since {day}', day=x) }}", x=hostile) == "depuis le &lt;b&gt;{n}⟨U+202E⟩"
    plural = "{{ ngettext('{n} record of {all} could not be read and counts nowhere.', '', 1, all=x) }}"
    assert rendered(plural, Language.ENGLISH, x=hostile) == (
        "1 record of &lt;b&gt;{n}⟨U+202E⟩ could not be read and counts nowhere."
    )
    assert rendered("{{ _('since {day}', day=x) }}", x=Markup("<i>1</i>")) == "depuis le <i>1</i>"
    assert rendered("{{ _('Techniques of MITRE ATT&CK') }}") == "Techniques de MITRE ATT&amp;CK"
