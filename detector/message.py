"""Text with a code: what an alert says in English, and the parameters to say it in another language.

A message is published whole: its code, its parameters and its English text. A translation is a template by code;
readers that have none show the English. Templates are written where the message is made, as
``message("code", "English {template}")``, or in a module's table ``TEMPLATES``; a test collects them and holds every
catalogue against them.

>>> rows = message("rows", ("{n} row", "{n} rows"), n=1200)
>>> taken = message("taken", "{who} took out {rows}", who="u", rows=rows)
>>> taken.text
'u took out 1,200 rows'
>>> french = {"rows": "{n} lignes", "taken": "{rows} sorties par {who}"}
>>> render(taken, lambda code, n: french.get(code), number=str)
'1200 lignes sorties par u'
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["Message", "Template", "Translate", "join", "message", "render"]

Template = str | tuple[str, str]
"""An English template, or one for a single thing and one for several, chosen by the parameter ``n``."""

Translate = Callable[[str, int | None], str | None]
"""The template for a code, and for the number of things in it if it counts any; ``None`` for an unknown code."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A phrase or a sentence."""

    code: str
    """Stable, such as ``novelty.reason``; which codes there are may grow, and a code's parameters may."""
    text: str = ""
    """In English; left out of a message within another, whose text holds it."""
    params: dict[str, int | float | str | Message | list[Message | str]] = {}
    """Numbers, text from a log (in quotes already), other messages, and lists of these."""


def message(code: str, template: Template, **params: Any) -> Message:
    """The message of a code, with its English text filled in."""
    if isinstance(template, tuple):
        template = template[params["n"] != 1]
    text = _Filler(_in_english, _grouped, join).format(template, **params)
    return Message(code, text, {name: _without_text(value) for name, value in params.items()})


def render(
    message: Message,
    translate: Translate,
    *,
    number: Callable[[int | float], str],
    listed: Callable[[Sequence[str]], str] | None = None,
) -> str:
    """The message in another language; in English if a template is missing for it or for a part of it."""

    def said(part: Message) -> str:
        count = part.params.get("n")
        template = translate(part.code, count if isinstance(count, int) else None)
        if template is None:
            raise KeyError(part.code)
        return filler.format(template, **part.params)

    filler = _Filler(said, number, listed or join)
    try:
        return said(message)
    except (
        KeyError,
        IndexError,
        ValueError,
    ):  # a code without a template, or one that asks for what is not there
        return message.text


def join(things: Sequence[str]) -> str:
    """Several things, one after the other.

    >>> join(["a"]), join(["a", "b"]), join(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    if len(things) < 2:
        return "".join(things)
    return f"{', '.join(things[:-1])} and {things[-1]}"


def _without_text(value: Any) -> Any:
    if isinstance(value, Message):
        return Message(value.code, "", value.params)
    return [_without_text(item) for item in value] if isinstance(value, list) else value


def _in_english(part: Message) -> str:
    return part.text


def _grouped(number: float) -> str:
    return f"{number:,}"


class _Filler(string.Formatter):
    """Fills a template in; ``{step!l}`` begins with a small letter. A template reaches no attribute of a parameter."""

    def __init__(
        self,
        said: Callable[[Message], str],
        number: Callable[[int | float], str],
        listed: Callable[[Sequence[str]], str],
    ) -> None:
        self._said = said
        self._number = number
        self._listed = listed

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, str]:
        """A parameter as text."""
        return self._text(kwargs[field_name]), field_name

    def convert_field(self, value: str, conversion: str | None) -> str:
        """``!l`` makes the first letter small."""
        return value[:1].lower() + value[1:] if conversion == "l" else value

    def _text(self, value: Any) -> str:
        if isinstance(value, Message):
            return self._said(value)
        if isinstance(value, list):
            return self._listed([self._text(item) for item in value])
        return value if isinstance(value, str) else self._number(value)
