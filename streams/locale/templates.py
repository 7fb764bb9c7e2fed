"""Jinja templates in one language: escaped, nothing in log text hidden, messages and numbers translated.

A template says ``_('Since {time}', time=…)``, ``ngettext('{n} row', '{n} rows', count)``, ``count|number``. The text of
a message is ours; the values filled in are escaped like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from detector.message import Message
from streams.locale.alerts import alert_text
from streams.locale.log_text import clipped, visible
from streams.locale.times import clock, day, minute, second
from streams.locale.translator import Language, Translator

__all__ = ["environment"]


def environment(folder: str, translator: Translator, shown_text: int) -> Environment:
    """An environment for the templates in a folder of `streams`; ``clipped`` cuts after `shown_text` characters."""
    templates = Environment(
        loader=PackageLoader("streams", folder),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def gettext(message: str, **values: Any) -> Markup:
        return _filled(translator.gettext(message), values)

    def ngettext(one: str, many: str, n: int, **values: Any) -> Markup:
        # Braces other than {n} pass through the translator's formatting as they are.
        return _filled(translator.ngettext(one, many, n, **{name: f"{{{name}}}" for name in values}), values)

    def alert(messages: Message | str | Sequence[Message | str]) -> Markup:
        said = alert_text(translator, messages)
        english = translator.language is not Language.ENGLISH and said == _english(messages)
        opening = Markup('<bdi lang="en">') if english else Markup("<bdi>")
        return opening + escape(visible(said)) + Markup("</bdi>")

    templates.globals |= {"_": gettext, "ngettext": ngettext, "language": translator.language}
    templates.filters |= {
        "alert": alert,
        "alert_text": partial(alert_text, translator),
        "clipped": lambda text: clipped(str(text), shown_text),
        "clock": clock,
        "day": day,
        "duration": translator.duration,
        "listed": translator.listed,
        "minute": minute,
        "number": translator.number,
        "percent": translator.percent,
        "second": second,
    }
    return templates


def _english(messages: Message | str | Sequence[Message | str]) -> str | None:
    """An alert's own text; ``None`` for what a person wrote, of which nobody knows the language."""
    if isinstance(messages, Message):
        return messages.text
    sentences = [] if isinstance(messages, str) else [_english(message) for message in messages]
    return " ".join(sentence or "" for sentence in sentences) or None


def _filled(text: str, values: dict[str, Any]) -> Markup:
    shown = escape(text)
    return shown.format(**{name: visible(value) for name, value in values.items()}) if values else shown
