"""``crmwatch replay``: runs historic logs through the worker's engine."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from detector.adapters import AUTO
from detector.alert.alert import Alert
from streams.cli.detector_settings import detector_settings
from streams.cli.output_files import OutputFiles
from streams.cli.progress import progress
from streams.cli.screen import (
    counted_records,
    fail,
    line_of,
    out,
    panel_of,
    plain,
    plugins,
    printable,
    settings,
    show_line,
    utc,
)
from streams.files.reader import ReadError
from streams.locale import Language
from streams.replay.parallel import ShardError
from streams.replay.read_share import ReadScope, ReadShare
from streams.replay.replay import DeadLetter, Replay, Summary
from streams.report import DeadLetters, Findings, write

__all__ = ["replay"]

SHOWN_PANELS = 3
"""Incidents shown in full, the worst first, …"""
SHOWN_LINES = 15
"""… and incidents shown on one line each: with the summary, about a screenful."""
SHOWN_SHARES = 10
"""How many days and formats of which too little was read are named; so of files and types."""
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def replay(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs, or - for standard input.")],
    alerts: Annotated[
        Path | None,
        typer.Option(
            help="Write the alerts to this file, one OCSF finding per line; dead letters beside it."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a report to this file: one self-contained HTML page."),
    ] = None,
    language: Annotated[
        Language, typer.Option("--lang", help="The language of the report.")
    ] = Language.ENGLISH,
    form: Annotated[
        str,
        typer.Option(
            "--format", help="The records' format by name, or auto: detected for each record by content."
        ),
    ] = AUTO,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=1, max=256, help="Number of processes that share the work; the alerts are the same."
        ),
    ] = 1,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=TIMES,
            help="Report only what became known from then on (UTC); learn from everything before.",
        ),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=TIMES, help="Ignore what happened from then on (UTC).")
    ] = None,
    fail_on: Annotated[
        int | None,
        typer.Option(min=1, max=5, help="Exit with 1 if an alert has this severity (1-5) or more."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Read a CRM's access logs from files and report who exported more than they should.

    Exit code: 0 success, 1 an alert at least as severe as --fail-on, 2 unreadable input, too little of it read for a
    verdict (sources.read_share), or bad settings.
    """
    config = settings(settings_file, dict(os.environ), {})
    detector = detector_settings(config)
    installed = plugins()
    try:
        config.adapters(form, installed.adapters)
    except ValueError as error:
        fail(str(error))
    files = OutputFiles(alerts, report)
    for path in files.paths:
        if path.is_file() and any(Path(name).resolve() == path.resolve() for name in paths):
            fail(f"{path}: is an input, so it cannot be written")
    latest: dict[str, Alert] = {}
    worst = 0
    interrupted = False
    findings, dead_letters = Findings(), DeadLetters()

    def on_letter(letter: DeadLetter) -> None:
        files.letter(letter)
        dead_letters.observe(letter)

    with files, progress("reading …") as show:
        run = Replay(
            paths,
            detector,
            time.time_ns() // 1_000_000,
            on_letter,
            lambda records: show(f"{records:,} records"),
            files.paths,
            form=form,
            mappings=config.sources.mappings,
            plugins=installed,
            workers=workers,
            since_ms=_milliseconds(since),
            until_ms=_milliseconds(until),
            read_share=config.sources.read_share,
        )
        try:
            for alert in run.alerts():
                files.alert(alert)
                worst = max(worst, alert.severity)
                latest[alert.uid] = alert
                if report is not None:
                    findings.observe(alert)
        except (ReadError, ShardError) as error:
            fail(str(error))
        except KeyboardInterrupt:
            interrupted = True
        summary = run.summary()
        if report is not None:
            show("writing the report …")
            write_report = functools.partial(
                write,
                report,
                paths=paths,
                incidents=findings,
                summary=summary,
                coverage=run.coverage,
                letters=dead_letters,
                settings=detector,
                made_ms=time.time_ns() // 1_000_000,
                interrupted=interrupted,
                language=language,
                read_share=config.sources.read_share,
            )
            again = not interrupted and not any(map(_is_stream, paths))
            try:
                write_report(events=run.events() if again else None)
            except (KeyboardInterrupt, ReadError):  # then as far as the alerts alone tell
                interrupted = True
                write_report(events=None)
    if as_json:
        typer.echo(printable(msgspec.json.encode({"interrupted": interrupted, "summary": summary})))
    else:
        adapters = config.adapters(plugins=installed.adapters) if form == AUTO else ()
        _show(summary, list(latest.values()), {adapter.name: adapter.sign for adapter in adapters})
    if interrupted:
        fail(
            "Interrupted: the output written so far is complete, but the rest of the input was not read.", 130
        )
    if summary.too_little_read:
        raise typer.Exit(2)
    if fail_on is not None and worst >= fail_on:
        raise typer.Exit(1)


def _milliseconds(time_utc: datetime | None) -> int | None:
    return None if time_utc is None else int(time_utc.replace(tzinfo=UTC).timestamp() * 1000)


def _is_stream(path: str) -> bool:
    """Whether a path can be read only once: standard input, a pipe."""
    return path == "-" or (Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir())


def _show(summary: Summary, alerts: list[Alert], signs: dict[str, str]) -> None:
    """Show the worst alerts and the summary; `signs` say how adapters recognised their records."""
    screen = out()
    ranked = sorted(alerts, key=lambda alert: (-alert.severity, alert.time_ms))
    shown = SHOWN_PANELS + SHOWN_LINES
    for place, alert in enumerate(ranked[:shown]):
        points = msgspec.json.decode(alert.body)["risk_score"]
        if place < SHOWN_PANELS:
            screen.print(panel_of(alert, points))
        else:
            show_line(screen, line_of(alert, points))
    if len(ranked) > shown:
        screen.print(
            f"… and {len(ranked) - shown:,} more incidents; --alerts and --report write all of them."
        )
    if ranked:
        screen.print()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("records", f"{summary.records:,}")
    table.add_row("events", f"{summary.events:,} ({summary.duplicates:,} duplicates)")
    table.add_row("from, to", f"{utc(summary.first_ms)}, {utc(summary.last_ms)}")
    for name, count in summary.adapters.items():
        sign = f" (by {signs[name]})" if name in signs else ""
        table.add_row(Text(f"read as {name}"), Text(f"{count:,}{sign}"))
    table.add_row("identities", f"{summary.identities:,}")
    for category, rows in summary.rows_taken.items():
        table.add_row(f"rows taken: {category}", f"{rows:,}")
    for reason, count in summary.dead_letters.items():
        table.add_row(Text(f"dead letters: {plain(reason)}"), f"{count:,}")
    for one in summary.not_understood[:SHOWN_SHARES]:
        what = Text(plain(f"not understood: {one.adapter} {one.name}"))
        table.add_row(what, f"{one.events:,} events, {one.rows:,} rows")
    table.add_row("alerts", f"{summary.alerts:,} on {len(ranked):,} incidents")
    screen.print(table)
    for file in summary.skipped[:SHOWN_SHARES]:
        screen.print(Text(plain(f"passed over: {file.path}: {file.reason}"), "dim"))
    if len(summary.skipped) > SHOWN_SHARES:
        screen.print(f"passed over: {len(summary.skipped) - SHOWN_SHARES:,} more files")
    if summary.too_little_read:
        screen.print()
        for sentence in _doubts(summary.too_little_read, bool(ranked)):
            screen.print(Text(plain(sentence), "bold"))
    if not summary.records:
        screen.print("There were no records: is this the right path?")
    if summary.unknown:
        screen.print("No adapter recognises the records in:")
        for folder, count in summary.unknown.items():
            screen.print(Text(f"  {plain(folder)} ({counted_records(count)})"))
    if summary.faults:
        screen.print("Damaged, or no text:")
        for fault in summary.faults:
            screen.print(Text(f"  {plain(fault)}"))


def _doubts(shares: Sequence[ReadShare], incidents: bool) -> list[str]:
    """Why there is no verdict."""
    lines = [
        f"It cannot be said whether anything {'else ' if incidents else ''}stands out. Too little could be read:"
    ]
    for share in shares[:SHOWN_SHARES]:
        name = "all" if share.scope is ReadScope.ALL else share.name
        part = f"{share.read / share.records:.1%}"
        lines.append(
            f"  of {name}: {share.read:,} of {share.records:,} record{'s' * (share.records != 1)} ({part})"
        )
    if len(shares) > SHOWN_SHARES:
        lines.append(f"  and {len(shares) - SHOWN_SHARES:,} more days and formats")
    return lines
