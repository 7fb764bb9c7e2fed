"""Makes a run's report: incidents, their timelines from a second pass, and what the logs cover."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from detector.alert.ocsf import OCSF_VERSION
from detector.event import AccessEvent
from detector.settings import Settings
from streams.atomic_file import AtomicFile
from streams.locale import Language
from streams.replay.coverage import Coverage
from streams.replay.replay import READ_SHARE, Summary
from streams.report.dead_letters import DeadLetters
from streams.report.findings import FindingHistory, Findings
from streams.report.page import SHOWN_INCIDENTS, Report, ReportedIncident, Setting, render
from streams.report.timelines import Timelines

__all__ = ["settings_used", "timelines_of", "write"]


def write(
    path: Path,
    *,
    paths: Sequence[str],
    incidents: Findings,
    events: Iterable[AccessEvent] | None,
    summary: Summary,
    coverage: Coverage,
    letters: DeadLetters,
    settings: Settings,
    made_ms: int,
    interrupted: bool = False,
    language: Language = Language.ENGLISH,
    read_share: float = READ_SHARE,
) -> None:
    """Write the report of a run to a file.

    `events` are all events of the run in order of time, once more; they are read only if there are incidents, and no
    further than the last of them. ``None`` if they cannot be read again: the page then says that it rests on the alerts
    alone. Raises `OSError` if the file cannot be written.
    """
    report = Report(
        paths=tuple(paths),
        made_ms=made_ms,
        interrupted=interrupted,
        reread=events is not None,
        told=timelines_of(incidents.ranked(), events),
        severities=tuple(incidents.severities.values()),
        summary=summary,
        coverage=coverage,
        letters=tuple(letters.groups()),
        settings=settings_used(settings),
        versions=_versions(),
        read_share=read_share,
    )
    page = render(report, language).encode("utf-8")
    with AtomicFile(path) as file:
        file.write(page)


def timelines_of(
    incidents: Sequence[FindingHistory], events: Iterable[AccessEvent] | None
) -> tuple[ReportedIncident, ...]:
    """The incidents, with the timelines of those shown in full."""
    accounts = Timelines(incidents[:SHOWN_INCIDENTS])
    until_ms = accounts.until_ms
    if events is None or until_ms is None:
        return tuple(ReportedIncident(incident, None) for incident in incidents)
    for event in events:
        if event.time_ms > until_ms:
            break
        accounts.observe(event)
    return tuple(
        ReportedIncident(incident, accounts.account(incident.finding) if index < SHOWN_INCIDENTS else None)
        for index, incident in enumerate(incidents)
    )


def settings_used(settings: Settings) -> tuple[Setting, ...]:
    """Every setting of the detector as it was used; of the directory only how many entries it has."""
    used = []
    for section in msgspec.structs.fields(settings):
        if section.name == "directory":
            if settings.directory:
                used.append(Setting("directory", "entries", f"{len(settings.directory)}", False))
            continue
        values = getattr(settings, section.name)
        for field in msgspec.structs.fields(values):
            value = getattr(values, field.name)
            used.append(
                Setting(
                    section.name, field.name, msgspec.json.encode(value).decode(), value == _default(field)
                )
            )
    return tuple(used)


def _default(field: msgspec.structs.FieldInfo) -> object:
    factory = field.default_factory
    return field.default if factory is msgspec.NODEFAULT else factory()


def _versions() -> tuple[tuple[str, str], ...]:
    return (
        ("crmwatch", version("crmwatch")),
        ("Python", platform.python_version()),
        ("river", version("river")),
        ("OCSF", OCSF_VERSION),
    )
