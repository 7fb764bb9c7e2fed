"""Pages as HTML, in the visitor's language."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment
from markupsafe import Markup

from streams.console.labels import LABELS
from streams.console.store.incidents import state
from streams.locale import Language, Translator
from streams.locale.templates import environment
from streams.locale.vocabulary import SEVERITIES
from streams.report.sentences import mark_title

__all__ = ["address", "render"]

SHOWN_TEXT = 240
"""How much of one field of a log a table shows."""


def render(template: str, language: Language, **values: Any) -> Markup:
    """A page, or a part of one."""
    page = _environment(language).get_template(f"{template}.html.jinja")
    return Markup(page.render(values))  # noqa: S704 - the template escapes


def address(page: str, value: object) -> str:
    """Where a cell leads that names an incident, an identity, or a search term.

    >>> address("incident", "crmwatch-1"), address("identity", "t/a b")
    ('/incidents/crmwatch-1', '/identity?id=t%2Fa+b')
    """
    if page == "incident":
        return f"/incidents/{quote(str(value), safe='')}"
    if page == "identity":
        return f"/identity?{urlencode({'id': str(value)})}"
    return f"/search?{urlencode({page: str(value)})}"


@cache
def _environment(language: Language) -> Environment:
    t = Translator(language)
    templates = environment("console/templates", t, SHOWN_TEXT)

    def label(code: object) -> str:
        name = LABELS.get(str(code))
        return str(code) if name is None else t.gettext(name)

    templates.filters |= {
        "label": label,
        "mark_title": lambda mark: mark_title(t, mark),
        "severity": lambda level: t.gettext(SEVERITIES[level]),
    }
    templates.globals |= {
        "address": address,
        "languages": tuple(Language),
        "state_of": state,
        "weekdays": t.weekdays(),
    }
    return templates
