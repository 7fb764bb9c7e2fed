"""A report as one HTML page: no script, nothing to load, all log text escaped and nothing in it hidden."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from detector.alert.finding import Finding
from detector.catalogue import Category, category
from streams.replay.coverage import LEVELS, Coverage, SourceCoverage
from streams.replay.replay import Summary
from streams.report import sentences
from streams.report.chart import bars, curve, shown_marks
from streams.report.dead_letters import Group
from streams.report.findings import FindingHistory
from streams.report.text import (
    CATEGORIES,
    OPERATIONS,
    SEVERITIES,
    clipped,
    day,
    duration,
    joined,
    minute,
    number,
    second,
    visible,
)
from streams.report.timeline import Timeline

__all__ = ["Report", "ReportedIncident", "Setting", "render"]

SHOWN_INCIDENTS = 25
"""How many incidents are told in full, the worst; the others stand in the list."""
OPEN_INCIDENTS = 3
"""How many of these are unfolded."""
LISTED_INCIDENTS = 200
FIRST_LISTED = 10
"""How many incidents of the list are unfolded."""
SHOWN_ROWS = 20
"""How many rows a table of log text has; more are counted."""
SHOWN_TEXT = 160
"""How much of one field of a log a table shows."""


class Setting(msgspec.Struct, frozen=True):
    """A setting as it was used."""

    section: str
    name: str
    value: str
    default: bool


class ReportedIncident(msgspec.Struct, frozen=True):
    """An incident with its account, if one could be taken."""

    history: FindingHistory
    account: Timeline | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that a page says."""

    paths: tuple[str, ...]
    made_ms: int
    interrupted: bool
    reread: bool
    """Whether the logs were read a second time, for the accounts."""
    told: tuple[ReportedIncident, ...]
    """The worst first."""
    severities: tuple[int, ...]
    """Of every incident, those that are not told included."""
    summary: Summary
    coverage: Coverage
    letters: tuple[Group, ...]
    settings: tuple[Setting, ...]
    versions: tuple[tuple[str, str], ...]


def render(report: Report) -> str:
    """The page."""
    coverage = report.coverage
    sources = coverage.sources()
    incidents = [told.history.finding for told in report.told]
    return _template().render(
        report=report,
        summary=report.summary,
        style=_style(),
        headline=sentences.headline(incidents, len(report.severities), report.summary),
        others=sentences.others_text(report.severities),
        left=_left(incidents),
        stories=[_story(told, sources, report) for told in report.told[:SHOWN_INCIDENTS]],
        listed=incidents[:LISTED_INCIDENTS],
        adapters=[(name, list(found)) for name, found in groupby(sources, attrgetter("adapter"))],
        gaps=[(source, gap) for source in sources for gap in source.gaps],
        judged=any(source.judged for source in sources),
        hours=coverage.rows(),
        strips=coverage.strips(),
        absent=sentences.absent(coverage.operations),
        dead_letters=sum(group.records for group in report.letters),
    )


def _left(incidents: Sequence[Finding]) -> list[tuple[Category, int]]:
    """What the incidents together took, by kind of data."""
    rows: Counter[Category] = Counter()
    for incident in incidents:
        for name, count in incident.objects:
            rows[category(name)] += count
    return rows.most_common()


def _story(told: ReportedIncident, sources: Sequence[SourceCoverage], report: Report) -> dict[str, Any]:
    """An incident as the template takes it."""
    incident, account = told.history.finding, told.account
    found: dict[str, Any] = {
        "incident": incident,
        "positions": told.history.positions,
        "account": account,
        "shares": sentences.exposure(incident, account),
        "curve": None,
    }
    if account is not None:
        dead = sum(group.records for group in report.letters)
        found |= {
            "curve": curve(incident, account),
            "bars": bars(incident, account.days),
            "marks": shown_marks(account),
            "cautions": sentences.cautions(account, sources, report.coverage.operations, dead),
            "first_alert": next((mark for mark in account.marks if mark.severity), None),
            "first_sign": next((mark for mark in account.marks if not mark.severity), None),
        }
    return found


@cache
def _style() -> Markup:
    text = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - our own file


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("streams", "report"),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clipped": lambda text: clipped(text, SHOWN_TEXT),
        "day": day,
        "duration": duration,
        "joined": joined,
        "minute": minute,
        "number": number,
        "second": second,
    }
    environment.globals |= {
        "CATEGORIES": CATEGORIES,
        "LEVELS": LEVELS,
        "OPERATIONS": OPERATIONS,
        "SEVERITIES": SEVERITIES,
        "SHOWN_INCIDENTS": SHOWN_INCIDENTS,
        "FIRST_LISTED": FIRST_LISTED,
        "OPEN_INCIDENTS": OPEN_INCIDENTS,
        "SHOWN_ROWS": SHOWN_ROWS,
        "say": sentences,
    }
    return environment.get_template("page.html.jinja")
