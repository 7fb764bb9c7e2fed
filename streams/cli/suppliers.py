"""``crmwatch suppliers``: every app that reads the CRM, from its logs."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from detector.adapters import RecordError
from detector.response.suppliers import SupplierApp, Suppliers
from streams.cli.screen import errors, fail, nothing_read, out, plain, printable, utc
from streams.files.reader import ReadError, read_in_order

__all__ = ["suppliers"]

SHOWN = 50


def suppliers(
    paths: Annotated[list[str], typer.Argument(help="Logs: files, folders, globs.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List every app that reads the CRM: what it takes, from where, since when, and what is a weak link.

    Exit code: 0 listed, 2 unreadable logs, or logs without an event.
    """
    collected = Suppliers()
    events = unread = 0
    try:
        for _, event in read_in_order(paths):
            if isinstance(event, RecordError):
                unread += 1
            else:
                events += 1
                collected.observe(event)
    except ReadError as error:
        fail(str(error))
    if not events:
        fail(nothing_read(unread))
    if unread:
        errors().print(f"records that could not be read: {unread:,}; what they say of apps is not counted")
    found = list(collected.found())
    if as_json:
        typer.echo(printable(msgspec.json.encode(found)))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in (
        "app",
        "rows",
        "last 30 days",
        "90 before",
        "networks",
        "accounts",
        "last use",
        "weak link",
    ):
        table.add_column(title, justify="right" if title in ("rows", "last 30 days", "90 before") else "left")
    for one in found[:SHOWN]:
        table.add_row(
            Text(plain(one.name)),
            f"{one.rows:,}",
            f"{one.recent_rows:,}",
            f"{one.earlier_rows:,}",
            str(len(one.networks)),
            str(len(one.accounts)),
            utc(one.last_ms),
            Text(plain("; ".join(_weak(one)))),
        )
    out().print(table)
    if len(found) > SHOWN:
        out().print(f"and {len(found) - SHOWN} more: --json lists them")
    if collected.dropped_apps:
        out().print(f"{collected.dropped_apps:,} events of further apps are not counted")


def _weak(one: SupplierApp) -> list[str]:
    weak = ["dormant"] if one.dormant else []
    weak += [f"hardly reads {of.value.replace('_', ' ')}" for of in one.hardly_used]
    weak += [f"new {sort}: {', '.join(values[:3])}" for sort, values in one.drifted.items()]
    return weak + [f"like “{other.name}”: {other.how}" for other in one.lookalikes[:3]]
