"""``crmwatch notify``: drafts what a breach of personal data asks for, and shows its clocks."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from detector import decision as decisions
from detector.alert.finding import Finding, FindingError, read
from detector.decision import Awareness, AwarenessSource, Decision, DecisionError
from detector.decision_index import DecisionIndex
from detector.errors import CrmwatchError
from detector.response.clock import Duty, awareness_history, clock, deadline, nis2_clocks
from detector.response.notification import (
    AwarenessEntry,
    Notification,
    NotificationPhase,
    ShownTime,
    named,
    notification,
    read_notification,
)
from detector.response.notification_document import documents
from detector.response.notification_extent import Extent, of_finding, read_extent
from detector.response.notification_facts import Facts, facts_of
from streams.atomic_file import AtomicFile
from streams.cli.screen import fail, out, plain
from streams.drafts.render import html, markdown
from streams.locale import Language, Translator
from streams.locale.entered_time import entered_ms, in_zone

__all__ = ["notify"]


def notify(
    facts_file: Annotated[
        Path, typer.Argument(metavar="FACTS", help="What people know of the breach: TOML.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where the drafts are written; made if it is missing.")],
    incident: Annotated[str, typer.Option(help="The incident's name, the alert's finding_info.uid.")],
    extent_file: Annotated[
        Path | None, typer.Option("--extent", help="What was taken, with bounds: JSON.")
    ] = None,
    alerts: Annotated[
        Path | None, typer.Option(help="Alerts: the span of the incident, and names to keep out.")
    ] = None,
    decided: Annotated[
        Path | None, typer.Option("--decisions", help="Operators' decisions: one JSON record a line.")
    ] = None,
    phase: Annotated[
        NotificationPhase, typer.Option(help="Where a notification in phases stands.")
    ] = NotificationPhase.INITIAL,
    earlier_file: Annotated[
        Path | None, typer.Option("--earlier", help="The notification.json of the phase before.")
    ] = None,
    why: Annotated[str, typer.Option(help="Why this phase replaces answers of the one before.")] = "",
    at: Annotated[str, typer.Option(help="When the draft is made, with its offset; by default now.")] = "",
) -> None:
    """Draft the notification of a breach, the letters and the register; show the clocks. People decide and send.

    Exit code: 0 drafted, 2 unreadable input, or a draft that may not be.
    """
    try:
        now_ms = entered_ms(at, "UTC") if at else round(time.time() * 1000)
        facts = facts_of(tomllib.loads(facts_file.read_text(encoding="utf-8")))
        finding = _finding(alerts, incident) if alerts else None
        extent = _extent(extent_file, finding, incident)
        index = _decisions(decided)
        earlier = read_notification(earlier_file.read_bytes()) if earlier_file else None
        draft = _draft(facts, extent, index, incident, phase, now_ms, earlier, why)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        fail(f"{facts_file}: not a TOML file: {error}")
    except CrmwatchError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    found = named(draft, _names(finding)) if finding else []
    if found:
        fail(f"the answer {found[0][0]} names {found[0][1]}: take it out, no authority is told a name")
    _write(folder, draft, facts, extent)
    _show(draft, facts)


def _finding(path: Path, incident: str) -> Finding | None:
    newest = None
    for line in path.read_bytes().splitlines():
        if line.strip():
            try:
                one = read(line)
            except FindingError as error:
                fail(f"{path}: {error}")
            if one.uid == incident:
                newest = one
    if newest is None:
        fail(f"{path}: holds no alert {incident}")
    return newest


def _extent(path: Path | None, finding: Finding | None, incident: str) -> Extent:
    if path is None:
        return Extent(incident=incident) if finding is None else of_finding(finding)
    extent = read_extent(path.read_bytes())
    if extent.incident not in ("", incident):
        fail(f"{path}: is the extent of {extent.incident}, not of {incident}")
    return msgspec.structs.replace(extent, incident=incident)


def _decisions(path: Path | None) -> DecisionIndex:
    found: list[Decision] = []
    for number, line in enumerate(path.read_bytes().splitlines() if path else (), 1):
        if line.strip():
            try:
                found.append(decisions.decode(line))
            except DecisionError as error:
                fail(f"{path}:{number}: {error}")
    return DecisionIndex(found)


def _draft(
    facts: Facts,
    extent: Extent,
    index: DecisionIndex,
    incident: str,
    phase: NotificationPhase,
    now_ms: int,
    earlier: Notification | None,
    why: str,
) -> Notification:
    entries = _entered(facts) or _decided(index, incident)
    due = deadline(index, incident)
    end_ms = None if due is None else due.deadline_ms
    if entries:
        end_ms = clock(Duty.GDPR_NOTIFICATION, entries[-1].aware.time_ms).deadline_ms
    zone = next((entry.zone for entry in reversed(facts.awareness) if entry.zone), "UTC")
    return notification(
        facts,
        extent,
        phase=phase,
        drafted=_shown(now_ms, zone),
        awareness=entries,
        deadline=None if end_ms is None else _shown(end_ms, zone),
        span=tuple(None if ms is None else _shown(ms, zone) for ms in (extent.start_ms, extent.end_ms)),  # type: ignore[arg-type] # two
        earlier=earlier,
        why=why,
    )


def _entered(facts: Facts) -> tuple[AwarenessEntry, ...]:
    return tuple(
        AwarenessEntry(
            aware=_shown(entered_ms(entry.at, entry.zone), entry.zone),
            source=entry.source,
            reason=entry.reason,
        )
        for entry in facts.awareness
    )


def _decided(index: DecisionIndex, incident: str) -> tuple[AwarenessEntry, ...]:
    return tuple(
        AwarenessEntry(
            aware=_shown(one.payload.aware_ms, one.payload.zone),
            source=one.payload.source or AwarenessSource.OTHER,
            reason=one.reason,
        )
        for one in awareness_history(index, incident)
        if isinstance(one.payload, Awareness) and not index.withdrawal(one)
    )


def _shown(time_ms: int, zone: str) -> ShownTime:
    return ShownTime(time_ms, in_zone(time_ms, zone))


def _names(finding: Finding) -> set[str]:
    """Names and accounts of people that the alert knows."""
    extension = finding.extension
    actors = {extension.identity.partition("/")[2], *extension.actors}
    return {name for name in (*extension.names.values(), *actors) if name}


def _write(folder: Path, draft: Notification, facts: Facts, extent: Extent) -> None:
    made = documents(draft, facts, extent)
    files = {
        "notification.json": msgspec.json.format(msgspec.json.encode(draft), indent=1),
        "documents.json": msgspec.json.format(msgspec.json.encode(made), indent=1),
    }
    for language in Language:
        t = Translator(language)
        for document in made:
            files[f"{document.name}.{language}.html"] = html(document, t).encode()
            files[f"{document.name}.{language}.md"] = markdown(document, t).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            with AtomicFile(folder / name) as file:
                file.write(data)
    except OSError as error:
        fail(f"{error.filename}: cannot be written: {error.strerror}")


def _show(draft: Notification, facts: Facts) -> None:
    screen = out()
    if not draft.awareness:
        screen.print(Text("breach, awareness not entered", style="bold red"))
    if draft.deadline is not None:
        latest = "" if draft.awareness else " at the latest"
        screen.print(Text(f"notify the authority by {plain(draft.deadline.text)}{latest}"))
    aware_ms = draft.awareness[-1].aware.time_ms if draft.awareness else None
    sent = facts.nis2.notification_submitted
    sent_ms = entered_ms(sent, facts.nis2.notification_zone) if sent else None
    for one in nis2_clocks(aware_ms, facts.organisation.nis2, facts.nis2.significant, sent_ms):
        end = "not started" if one.deadline_ms is None else in_zone(one.deadline_ms, "UTC")
        unsure = "" if one.certain else ", to be checked against national law"
        screen.print(Text(f"{one.duty.value.replace('_', ' ')}: {end} ({one.source}{unsure})"))
    open_answers = sum(not answer.known for answer in draft.answers)
    screen.print(Text(f"{len(draft.answers)} answers, {open_answers} not yet known"))
