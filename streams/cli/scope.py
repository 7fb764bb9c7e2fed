"""``crmwatch scope``: what an intruder read, with bounds, and what was not touched."""

from __future__ import annotations

import csv
import io
import os
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text

from detector.adapters import AUTO
from detector.alert.finding import Finding, FindingError, read
from detector.catalogue import Category, category
from detector.event import Operation
from detector.response.coverage import CoverageMatrix
from detector.response.exposure import Exposure, Grade
from detector.response.scope_ledger import Bounds, ScopeLedger
from detector.response.selection import Selection, of_finding
from streams.atomic_file import AtomicFile, assert_writable
from streams.cli.progress import progress
from streams.cli.screen import fail, nothing_read, out, plain, plugins, printable, settings, utc
from streams.console.pages.tables import inert
from streams.files.decode import events_in_order
from streams.files.reader import ReadError
from streams.scope.store import SqliteScopeStore

__all__ = ["scope"]

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
SHOWN_EVERY = 20_000
_TABLE = re.compile(r"(\S+)=(\d{1,12})")
_GRADES = {
    Grade.READ: "read",
    Grade.NOT_READ: "not touched by this intruder, in these logs",
    Grade.FREE_TEXT: "not read as a field, but free text that may hold it was",
    Grade.CANNOT_BE_SAID: "cannot be said",
}


class _Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The result, as ``--json`` prints it. Times are in milliseconds since 1970 UTC."""

    first_ms: int | None
    last_ms: int | None
    """The intruder's first and last event that reads."""
    events: int
    intruder_events: int
    unread: int
    """Records that could not be read."""
    complete: bool
    """Whether somebody vouches for the logs."""
    dark_hours: int | None
    """Hours of the span without an event of anybody; ``None`` without a span."""
    absent: tuple[Operation, ...]
    objects: list[Bounds]
    categories: dict[Category, Grade]


def scope(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, or globs.")],
    alerts: Annotated[
        Path | None, typer.Option(help="A file of replay --alerts that holds the incident.")
    ] = None,
    incident: Annotated[str | None, typer.Option(help="The incident's id.")] = None,
    identity: Annotated[
        list[str] | None, typer.Option(help="tenant/account. May be repeated, as the next three.")
    ] = None,
    address: Annotated[list[str] | None, typer.Option(help="An IP address.")] = None,
    app: Annotated[list[str] | None, typer.Option(help="An app, as the log names it.")] = None,
    session: Annotated[list[str] | None, typer.Option(help="A session, as the log names it.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=TIMES, help="Count from then on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(formats=TIMES, help="Count before then (UTC).")] = None,
    table: Annotated[
        list[str] | None, typer.Option(help="A table's size: Contact=120000. May be repeated.")
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="You vouch that the logs hold every event of the span.")
    ] = False,
    ids: Annotated[
        Path | None, typer.Option(help="Write the listed record ids to this file, as CSV.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="The records' format by name, or auto.")] = AUTO,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Bound what an intruder read, for each object, and say what was not touched.

    Exit code: 0 success, 2 unreadable input, an unknown incident or bad options, 130 interrupted.
    """
    config = settings(settings_file, dict(os.environ), {})
    try:
        adapters = config.adapters(form, plugins().adapters)
    except ValueError as error:
        fail(str(error))
    selection = _selection(alerts, incident)
    selection = replace(
        selection,
        identities=selection.identities | frozenset(identity or ()),
        addresses=selection.addresses | frozenset(address or ()),
        apps=frozenset(app or ()),
        sessions=frozenset(session or ()),
        since_ms=_milliseconds(since) if since else selection.since_ms,
        until_ms=_milliseconds(until) if until else selection.until_ms,
    )
    if selection.empty:
        fail("Whose reading? Give --incident with --alerts, --identity, --address, --app or --session.")
    tables = dict(map(_size, table or ()))
    try:
        if ids is not None:
            assert_writable(ids)
        with SqliteScopeStore() as store, progress("reading …") as show:
            ledger, exposure, coverage = ScopeLedger(store), Exposure(), CoverageMatrix()
            unread: Counter[str] = Counter()
            found = counted = 0
            first_ms = last_ms = None
            events = events_in_order(
                paths,
                on_unread=lambda raw, error: unread.update((error.reason,)),
                adapters=adapters,
                arrived_ms=time.time_ns() // 1_000_000,
            )
            for found, event in enumerate(events, 1):
                if found % SHOWN_EVERY == 0:
                    show(f"{found:,} events")
                if selection.spans(event.time_ms):
                    coverage.observe(event)
                if selection.matches(event) and ledger.observe(event):
                    counted += 1
                    exposure.observe(event)
                    first_ms = event.time_ms if first_ms is None else first_ms
                    last_ms = event.time_ms
            if not found:
                fail(nothing_read(unread.total()))
            start_ms = first_ms if selection.since_ms is None else selection.since_ms
            end_ms = last_ms + 1 if selection.until_ms is None and last_ms is not None else selection.until_ms
            result = _Scope(
                first_ms=first_ms,
                last_ms=last_ms,
                events=found,
                intruder_events=counted,
                unread=unread.total(),
                complete=complete,
                dark_hours=None
                if start_ms is None or end_ms is None
                else coverage.dark_hours(start_ms, end_ms),
                absent=coverage.absent(),
                objects=ledger.bounds(tables, complete=complete and not unread),
                categories=exposure.grades(complete=complete and not unread),
            )
            if ids is not None:
                with AtomicFile(ids) as file:
                    for line in _csv(store):
                        file.write(line)
    except (ReadError, OSError, sqlite3.Error) as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("Interrupted: nothing was written.", 130)
    if as_json:
        typer.echo(printable(msgspec.json.encode(result)))
    else:
        _show(result)


def _selection(alerts: Path | None, incident: str | None) -> Selection:
    """The incident's events; of an incident that was published several times, the last finding counts."""
    if not incident:
        return Selection()
    if alerts is None:
        fail("--incident needs --alerts, the file that holds it.")
    latest: Finding | None = None
    try:
        with alerts.open("rb") as file:
            for line in file:
                if incident.encode() in line and (finding := read(line)).uid == incident:
                    latest = finding
    except (OSError, FindingError) as error:
        fail(f"{alerts}: {error}")
    if latest is None:
        fail(f"{alerts}: no incident {incident}; name the intruder by --identity or --address instead.")
    selection = of_finding(latest)
    if selection.empty:
        fail(f"{incident}: names no identity and no address; there is nobody whose reading could be counted.")
    return selection


def _size(text: str) -> tuple[str, int]:
    match = _TABLE.fullmatch(text)
    if match is None:
        fail(f"--table {text}: is not an object and a size, such as Contact=120000")
    return match[1].lower(), int(match[2])


def _milliseconds(time_utc: datetime) -> int:
    return int(time_utc.replace(tzinfo=UTC).timestamp() * 1000)


def _csv(store: SqliteScopeStore) -> Iterator[bytes]:
    yield b'"object","record_id"\r\n'
    for row in store.ids():
        line = io.StringIO()
        csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(map(inert, row))
        yield line.getvalue().encode()


def _show(result: _Scope) -> None:
    screen = out()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("object", "category", "records", "listed", "operations", "downloads", "refused", "because"):
        table.add_column(name)
    for one in result.objects:
        upper = "open" if one.upper is None else f"{one.upper:,}"
        exact = one.lower == one.upper
        table.add_row(
            Text(plain(one.object)),
            category(one.object),
            f"exactly {one.lower:,}" if exact else f"{one.lower:,} to {upper}",
            f"{one.listed:,}",
            f"{one.operations:,}",
            f"{one.downloads:,}",
            f"{one.refused:,}",
            ", ".join(one.reasons).replace("_", " "),
        )
    screen.print(table)
    screen.print()
    grades = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for kind, grade in result.categories.items():
        grades.add_row(kind, _GRADES[grade])
    screen.print(grades)
    screen.print()
    screen.print(f"{result.intruder_events:,} of {result.events:,} events read for this intruder")
    screen.print(f"from {utc(result.first_ms)} to {utc(result.last_ms)}")
    if result.dark_hours:
        screen.print(f"hours without any event of anybody: {result.dark_hours:,}")
    if result.absent:
        screen.print(f"operations of which these logs hold nothing: {', '.join(result.absent)}")
    if result.unread:
        screen.print(f"records that could not be read: {result.unread:,}; so the logs are not complete")
    if not result.complete:
        screen.print("Nobody vouches for these logs (--complete), so what they lack may have been read, too.")
