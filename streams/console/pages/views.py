"""What each page shows, from the index and a visit: no HTTP, no Kafka."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from detector.directory import Directory
from detector.errors import CrmwatchError
from detector.units import DAY_MS
from streams.console.pages import sources as health
from streams.console.pages.board import board, outflow_table
from streams.console.pages.identity import identities, identity
from streams.console.pages.incident import incident_view
from streams.console.pages.mutes import mutes_table
from streams.console.pages.tables import Column, ColumnKind, Table
from streams.console.store import incidents
from streams.console.store.freshness import Feed
from streams.console.store.incidents import found_by, incident_table
from streams.console.web.auth import Session, User
from streams.locale import Translator

__all__ = [
    "NotFound",
    "Page",
    "PageRequest",
    "board_page",
    "identity_page",
    "incident_page",
    "mutes_page",
    "namer",
    "search_page",
    "sources_page",
    "with_names",
]

MOST_FOUND = 200
MOST_EXPORTED = 100_000
MOST_TEXT = 300


class NotFound(CrmwatchError):  # noqa: N818 - nothing has gone wrong
    """What was asked for does not exist; a message for a person."""


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a page: who, at what, how, and when."""

    method: str
    path: str
    query: Mapping[str, str]
    params: Mapping[str, str]
    form: Mapping[str, str]
    same_origin: bool
    session: Session
    address: str
    translator: Translator
    theme: str
    chosen: tuple[tuple[str, str], ...]
    """Language and theme, if they were chosen just now."""
    db: Callable[[], sqlite3.Connection]
    feed: Feed
    newest_ms: int
    now_ms: int
    secure: bool
    open: bool
    by_token: bool
    longest_mute_days: int
    directory: Callable[[], Directory] = Directory
    """Who is who, now."""

    def link(self, **changes: str) -> str:
        """This page with something else in its query."""
        return f"{self.path}?{urlencode({**self.query, **changes})}"

    @property
    def person(self) -> User:
        """Who it is."""
        return self.session.person


class Page(msgspec.Struct, frozen=True):
    """What a template needs, and the tables that can be had as files."""

    values: dict[str, Any]
    tables: dict[str, Table]


def board_page(visit: PageRequest) -> Page:
    """The board."""
    db = visit.db()
    found = board(db, visit.feed, visit.newest_ms, visit.now_ms)
    shown = incident_table("incidents", "Open incidents", found.incidents, found.more)
    if visit.query.get("as"):
        shown = incident_table("incidents", "Open incidents", incidents.open_incidents(db, MOST_EXPORTED))
    return _page({"board": found}, shown, outflow_table(found.outflow), _sources_table(found.sources))


def incident_page(visit: PageRequest) -> Page:
    """An incident."""
    found = incident_view(visit.db(), visit.params["uid"])
    if found is None:
        raise NotFound("There is no such incident.")
    name = namer(visit)
    tables = (
        found.taken,
        found.origins,
        with_names(found.seen_elsewhere, name),
        with_names(found.evidence, name),
        found.techniques,
        found.history,
    )
    whom = found.incident.identities
    entry = visit.directory().find(*_account(whom[0])) if len(whom) == 1 else None
    values = {
        "story": found,
        "names": {one: name(one) for one in whom},
        "owner": "" if entry is None else entry.owner,
        "said": visit.query.get("said", ""),
    }
    return _page(values, *tables)


def identity_page(visit: PageRequest) -> Page:
    """An identity."""
    name = visit.query.get("id", "")
    found = identity(visit.db(), name)
    if found is None:
        raise NotFound("This identity is unknown.")
    return _page(
        {"identity": found, "entry": visit.directory().find(*_account(name))},
        found.takes,
        found.seen,
        incident_table("incidents", "Its incidents", found.incidents),
    )


def sources_page(visit: PageRequest) -> Page:
    """The sources."""
    db = visit.db()
    end_ms, found = health.sources(db)
    unreadable = db.execute(
        "SELECT topic, part, position, reason FROM unreadable ORDER BY topic, part, position DESC LIMIT 50"
    )
    wrong = Table(
        "unreadable",
        "Messages that the console could not read",
        (
            Column("topic", "Topic", ColumnKind.CODE),
            Column("partition", "Partition", ColumnKind.NUMBER),
            Column("offset", "Offset", ColumnKind.NUMBER),
            Column("reason", "Why"),
        ),
        tuple(tuple(row) for row in unreadable.fetchall()),
    )
    return _page({"sources": found, "end_ms": end_ms}, _sources_table(found), wrong)


def mutes_page(visit: PageRequest) -> Page:
    """The mutes and expectations in force."""
    most = MOST_EXPORTED if visit.query.get("as") else MOST_FOUND
    table = with_names(mutes_table(visit.db(), visit.now_ms, most), namer(visit))
    return _page({"longest_days": visit.longest_mute_days}, table)


def search_page(visit: PageRequest) -> Page:
    """What was searched for."""
    query = {name: visit.query.get(name, "").strip()[:MOST_TEXT] for name in ("user", "address", "app", "q")}
    terms = {kind: text for kind, text in query.items() if text and kind != "q"}
    if query["q"].startswith("crmwatch-"):
        terms["uid"] = query["q"]
    elif query["q"]:
        terms["any"] = query["q"]
    since, until = (_day(visit.query.get(name, "")) for name in ("since", "until"))
    open_only = visit.query.get("open") == "yes"
    most = MOST_EXPORTED if visit.query.get("as") else MOST_FOUND
    db = visit.db()
    found, more = found_by(
        db,
        terms,
        None if since is None else _ms(since),
        None if until is None else _ms(until) + DAY_MS,
        most,
        open_only=open_only,
    )
    text = query["user"] or query["q"]
    people = (
        identities(db, text, 50, visit.directory())
        if text and "uid" not in terms
        else identities(db, "\x00", 0)
    )
    values = {
        "query": query,
        "since": "" if since is None else since.date().isoformat(),
        "until": "" if until is None else until.date().isoformat(),
        "open_only": open_only,
        "asked": bool(terms or since or until or open_only),
    }
    shown = with_names(incident_table("incidents", "Incidents", found, more), namer(visit))
    return _page(values, shown, people)


def _page(values: dict[str, Any], *tables: Table) -> Page:
    found = {table.name: table for table in tables}
    return Page({**values, "tables": found}, found)


def _sources_table(found: tuple[health.SourceRow, ...]) -> Table:
    return Table(
        "sources",
        "Sources, those in trouble first",
        (
            Column("state", "State", ColumnKind.WORD),
            Column("tenant", "Tenant", ColumnKind.CODE),
            Column("source", "Source", ColumnKind.CODE),
            Column("hour", "Events in the latest hour", ColumnKind.NUMBER),
            Column("usual", "Usual", ColumnKind.NUMBER),
            Column("newest", "Last event, UTC", ColumnKind.TIME),
            Column("trouble", "Problem", page="incident", by="incident"),
            Column("incident", "Name", ColumnKind.CODE, hidden=True),
        ),
        tuple(
            (
                one.state.value,
                one.tenant,
                one.name,
                one.hour,
                one.usual,
                one.newest_ms,
                one.trouble,
                one.incident,
            )
            for one in found
        ),
    )


def namer(visit: PageRequest) -> Callable[[str], str]:
    """Identity → its name in the directory, or the one that its records carry; empty if neither has one."""
    directory, db = visit.directory(), visit.db()

    def name(identity: str) -> str:
        known = directory.name(*_account(identity))
        if known or not identity:
            return known
        row = db.execute("SELECT name FROM identities WHERE identity = ?", (identity,)).fetchone()
        return "" if row is None else str(row["name"])

    return name


def with_names(table: Table, name: Callable[[str], str]) -> Table:
    """The table with a column of names behind that of identities, if any of them has one."""
    place = next((at for at, column in enumerate(table.columns) if column.page == "identity"), None)
    if place is None:
        return table
    names = [name(str(row[place] or "")) for row in table.rows]
    if not any(names):
        return table
    return msgspec.structs.replace(
        table,
        columns=(*table.columns[: place + 1], Column("named", "Name"), *table.columns[place + 1 :]),
        rows=tuple(
            (*row[: place + 1], named, *row[place + 1 :])
            for row, named in zip(table.rows, names, strict=True)
        ),
    )


def _account(identity: str) -> tuple[str, str]:
    """The account and the tenant of an identity, as the directory asks for them."""
    tenant, _, account = identity.partition("/")
    return account, tenant


def _day(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
