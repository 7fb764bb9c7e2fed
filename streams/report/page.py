"""A report as one HTML page: no script, nothing to load, all log text escaped and fully visible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Template
from markupsafe import Markup

from detector.alert.finding import Finding
from detector.catalogue import Category, category
from streams.locale import Language, Translator
from streams.locale.templates import environment
from streams.locale.vocabulary import CATEGORIES, OPERATIONS, SEVERITIES
from streams.replay.coverage import LEVELS, Coverage, SourceCoverage
from streams.replay.replay import READ_SHARE, Summary
from streams.report import sentences
from streams.report.chart import bars, bars_top, curve, shown_marks
from streams.report.dead_letters import Group
from streams.report.findings import FindingHistory
from streams.report.timeline import Timeline

__all__ = ["Report", "ReportedIncident", "Setting", "render"]

SHOWN_INCIDENTS = 25
"""How many incidents are shown in full, the worst; the list has the others."""
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
    """An incident with its timeline, if the logs could be read again."""

    history: FindingHistory
    account: Timeline | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that a page shows."""

    paths: tuple[str, ...]
    made_ms: int
    interrupted: bool
    reread: bool
    """Whether the logs were read a second time, for the timelines."""
    told: tuple[ReportedIncident, ...]
    """The worst first."""
    severities: tuple[int, ...]
    """Of every incident, those not shown included."""
    summary: Summary
    coverage: Coverage
    letters: tuple[Group, ...]
    settings: tuple[Setting, ...]
    versions: tuple[tuple[str, str], ...]
    read_share: float = READ_SHARE
    """The share of records below which there is no verdict."""


def render(report: Report, language: Language = Language.ENGLISH) -> str:
    """The page in a language."""
    t = Translator(language)
    coverage = report.coverage
    sources = coverage.sources()
    incidents = [reported.history.finding for reported in report.told]
    shown = report.told[:SHOWN_INCIDENTS]
    top = max(
        (bars_top(one.history.finding, one.account.days) for one in shown if one.account is not None),
        default=0,
    )
    return _template(language).render(
        report=report,
        summary=report.summary,
        style=_style(),
        read_share=report.read_share,
        headline=sentences.headline(t, incidents, len(report.severities), report.summary),
        severities=sentences.severities_text(t, report.severities),
        taken=_taken(incidents),
        stories=[_story(t, reported, sources, report, top) for reported in shown],
        listed=incidents[:LISTED_INCIDENTS],
        adapters=[(name, list(group)) for name, group in groupby(sources, attrgetter("adapter"))],
        gaps=[(source, gap) for source in sources for gap in source.gaps],
        judged=any(source.judged for source in sources),
        hours=coverage.rows(),
        strips=coverage.strips(),
        absent=sentences.absent(t, coverage.operations),
        dead_letters=sum(group.records for group in report.letters),
    )


def _taken(incidents: Sequence[Finding]) -> list[tuple[Category, int]]:
    """The rows that the incidents took together, by category of data."""
    rows: Counter[Category] = Counter()
    for incident in incidents:
        for name, count in incident.objects:
            rows[category(name)] += count
    return rows.most_common()


def _story(
    t: Translator,
    reported: ReportedIncident,
    sources: Sequence[SourceCoverage],
    report: Report,
    bars_height: float,
) -> dict[str, Any]:
    """An incident as the template takes it; the bars of all incidents are drawn to one scale."""
    incident, account = reported.history.finding, reported.account
    story: dict[str, Any] = {
        "incident": incident,
        "positions": reported.history.positions,
        "account": account,
        "shares": sentences.exposure(incident, account),
        "curve": None,
    }
    if account is not None:
        dead = sum(group.records for group in report.letters)
        story |= {
            "curve": curve(incident, account),
            "bars": bars(incident, account.days, bars_height),
            "marks": shown_marks(account),
            "cautions": sentences.cautions(t, account, sources, report.coverage.operations, dead),
            "first_alert": next((mark for mark in account.marks if mark.severity), None),
            "first_sign": next((mark for mark in account.marks if not mark.severity), None),
        }
    return story


@cache
def _style() -> Markup:
    text = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - our own file


@cache
def _template(language: Language) -> Template:
    t = Translator(language)
    templates = environment("report", t, SHOWN_TEXT)
    labels = {code.value: name for names in (CATEGORIES, OPERATIONS) for code, name in names.items()}
    templates.filters |= {
        "label": lambda code: t.gettext(labels[code]) if code in labels else code,
        "object_name": partial(sentences.object_name, t),
        "severity": lambda level: t.gettext(SEVERITIES[level]),
    }
    templates.globals |= {
        "FIRST_LISTED": FIRST_LISTED,
        "LEVELS": LEVELS,
        "OPEN_INCIDENTS": OPEN_INCIDENTS,
        "SHOWN_INCIDENTS": SHOWN_INCIDENTS,
        "SHOWN_ROWS": SHOWN_ROWS,
        "bound_text": partial(sentences.bound_text, t),
        "curve_text": partial(sentences.curve_text, t),
        "gap_text": partial(sentences.gap_text, t),
        "read_share_text": partial(sentences.read_share_text, t),
        "mark_text": partial(sentences.mark_text, t),
        "mark_title": partial(sentences.mark_title, t),
        "span_text": partial(sentences.span_text, t),
    }
    return templates.get_template("page.html.jinja")
