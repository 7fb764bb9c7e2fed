"""What an alert says, in a language: its messages by code, from the catalogue `alerts`.

An entry of that catalogue has the code as its context and the English template as its message.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from gettext import c2py

from detector.message import Message, Translate, render
from streams.locale.catalogue import catalogue, path_of
from streams.locale.translator import Language, Translator

__all__ = ["alert_text", "templates"]


def alert_text(t: Translator, messages: Message | str | Sequence[Message | str]) -> str:
    """A message, or sentences with what people wrote; English where the language has no template for a message.

    That is so for a third party's detector.
    """
    if isinstance(messages, str):
        return messages
    if not isinstance(messages, Message):
        return " ".join(alert_text(t, message) for message in messages)
    if t.language is Language.ENGLISH:
        return messages.text
    return render(messages, templates(t.language), number=t.number, listed=partial(Translator.listed, t))


@cache
def templates(language: Language) -> Translate:
    """The template for a code, and for a number of things."""
    if not path_of(language.value, "alerts").is_file():
        return lambda code, n: None
    known = catalogue(language.value, "alerts")
    forms = {
        message.context: (message.string,) if isinstance(message.string, str) else tuple(message.string)
        for message in known
        if message.context and message.string
    }
    plural = c2py(known.plural_expr)

    def template(code: str, n: int | None) -> str | None:
        found = forms.get(code)
        return None if found is None else found[plural(n) if n is not None and len(found) > 1 else 0]

    return template
