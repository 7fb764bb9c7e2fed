"""Pages as HTML: everything that is put in is escaped, and nothing in it is hidden."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from detector.alert.ocsf import Activity
from streams.console.i18n import french_alerts
from streams.console.i18n.locale import Language
from streams.console.store.incidents import state
from streams.report.text import SEVERITIES, clipped, clock, day, minute, second, visible
from streams.report.timeline import TimelineStage

__all__ = ["address", "render"]

SHOWN_TEXT = 240
"""How much of one field of a log a table shows."""


def render(template: str, **values: Any) -> Markup:
    """A page, or a part of one."""
    return Markup(_environment().get_template(f"{template}.html.jinja").render(values))  # noqa: S704 - escaped by it


def address(page: str, value: object) -> str:
    """Where a cell leads that names an incident, an identity, or something to search by.

    >>> address("incident", "crmwatch-1"), address("identity", "t/a b")
    ('/incidents/crmwatch-1', '/identity?id=t%2Fa+b')
    """
    if page == "incident":
        return f"/incidents/{quote(str(value), safe='')}"
    if page == "identity":
        return f"/identity?{urlencode({'id': str(value)})}"
    return f"/search?{urlencode({page: str(value)})}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("streams", "console/templates"),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clipped": lambda text: clipped(str(text), SHOWN_TEXT),
        "clock": clock,
        "day": day,
        "kind": lambda code, t: t.word(code),
        "minute": minute,
        "second": second,
    }
    environment.globals |= {
        "Activity": Activity,
        "Language": Language,
        "SEVERITIES": SEVERITIES,
        "Stage": TimelineStage,
        "address": address,
        "french": french_alerts,
        "state_of": state,
    }
    return environment
