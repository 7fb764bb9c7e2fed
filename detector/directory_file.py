"""Parses a directory's files: CSV with a header, a JSON array, JSON lines, or an export that wraps an array.

Columns may bear the names that exports give them (``displayName``, ``Email``, ``manager``); those that nothing is made
of are passed over. A row that cannot be read refuses the whole file, by its line: half a directory would show half
of the owners and say nothing of the rest.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec

from detector.directory_entry import DirectoryEntry, DirectoryKind, tidy
from detector.errors import CrmwatchError

__all__ = ["MOST_ENTRIES", "DirectoryFileError", "parse_directory"]

MOST_ENTRIES = 100_000
"""The most entries of a directory unless its settings say otherwise."""

_COLUMNS = {
    "id": ("id", "userid", "accountid", "actor", "account", "appid", "clientid"),
    "aliases": (
        "aliases",
        "alias",
        "username",
        "login",
        "userprincipalname",
        "upn",
        "objectid",
        "samaccountname",
    ),
    "name": ("name", "displayname", "fullname", "appname", "clientname", "label"),
    "mail": ("mail", "email", "emailaddress", "emails", "primaryemail"),
    "first_name": ("firstname", "givenname"),
    "last_name": ("lastname", "surname", "familyname"),
    "owner": ("owner", "ownername", "manager", "managername", "responsible"),
    "department": ("department", "departmentname", "dept"),
    "kind": ("kind",),
    "site": ("site", "office", "officelocation", "location", "city"),
    "peer_group": ("peergroup", "peers"),
    "supplier": ("supplier", "vendor", "publisher", "publishername"),
    "networks": ("networks", "network", "iprange", "ipranges"),
    "absent_from_ms": ("absentfrom", "awayfrom"),
    "absent_until_ms": ("absentto", "absentuntil", "awayto", "awayuntil"),
}
"""Field → the columns that it may be called, without blanks and punctuation; the first is ours."""
MAX_COLUMN = 256
"""How many characters of a column's name are looked at."""
_FIELDS = {column: field for field, columns in _COLUMNS.items() for column in columns}
_KINDS = {
    DirectoryKind.HUMAN: ("human", "person", "people", "user", "employee"),
    DirectoryKind.INTEGRATION: ("integration", "service", "service account", "bot", "robot", "system"),
    DirectoryKind.GUEST: ("guest", "visitor"),
    DirectoryKind.APP: ("app", "application", "connected app"),
}
_WRAPPERS = ("entries", "value", "records", "users", "Resources", "result", "data")
"""Where an export keeps its array: Microsoft Graph, Salesforce, SCIM and others."""
_INNER = ("displayName", "formatted", "Name", "name", "value", "address")
"""Which attribute of an object is its text."""
_DELIMITERS = (",", ";", "\t")


class DirectoryFileError(CrmwatchError, ValueError):
    """A file that is no directory; one sentence that names the line and quotes nothing of it: it may be logged."""


def parse_directory(data: bytes, most: int = MOST_ENTRIES) -> tuple[DirectoryEntry, ...]:
    """The entries of a file's content, in its order. Raises `DirectoryFileError`.

    >>> parse_directory(b"id,name,department\\n0051,Anna Berg,Sales\\n")[0].name
    'Anna Berg'
    """
    text = _text(data)
    rows = _of_json(text) if text.lstrip().startswith(("{", "[")) else _of_csv(text)
    entries: dict[str, tuple[DirectoryEntry, str]] = {}
    for where, row in rows:
        entry = _entry(row, where)
        known = entries.get(entry.key)
        if known is not None:
            raise DirectoryFileError(f"{where}: the same id as in {known[1]}")
        if len(entries) >= most:
            raise DirectoryFileError(f"{where}: more than {most:,} entries (directory.most_entries)")
        entries[entry.key] = entry, where
    if not entries:
        raise DirectoryFileError("it has no entries")
    return tuple(entry for entry, _ in entries.values())


def _text(data: bytes) -> str:
    """The content as text: UTF-8, UTF-16 by its mark, or Windows-1252 as spreadsheets save it."""
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            text = "\x00"
        if "\x00" in text:
            raise DirectoryFileError("it is not text in UTF-8, UTF-16 or Windows-1252") from None
        return text


def _of_csv(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    lines = text.splitlines(keepends=True)
    skipped = 0
    delimiter = ""
    if lines and re.fullmatch(r"sep=.\s*", lines[0]):
        delimiter = lines[0][4]
        skipped = 1
    header_text = next(iter(lines[skipped:]), "")
    delimiter = delimiter or max(_DELIMITERS, key=header_text.count)
    reader = csv.reader(io.StringIO("".join(lines[skipped:]), newline=""), delimiter=delimiter, strict=True)
    fields: list[str] = []
    try:
        for cells in reader:
            where = f"line {reader.line_num + skipped}"
            if not any(cell.strip() for cell in cells):
                continue
            if not fields:
                fields = _header(cells)
                continue
            if len(cells) > len(fields) and not any(cell.strip() for cell in cells[len(fields) :]):
                cells = cells[: len(fields)]
            if len(cells) != len(fields):
                raise DirectoryFileError(f"{where}: {len(cells)} fields, where the header has {len(fields)}")
            yield where, {field: cell for field, cell in zip(fields, cells, strict=True) if field}
    except csv.Error as error:
        raise DirectoryFileError(f"line {reader.line_num + skipped}: not CSV: {error}") from error


def _header(cells: list[str]) -> list[str]:
    """Each column's field, empty for one that is passed over. Raises `DirectoryFileError`."""
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    fields = _named(cells, "the header")
    if not {"id", "aliases", "mail", "name"} & {field.partition(":")[0] for field in fields}:
        raise DirectoryFileError("the header has no column id, mail or name")
    return fields


def _named(columns: Iterable[str], where: str) -> list[str]:
    """The field of each column: of several columns for one field the first of our list, but aliases add up."""
    cells = [re.sub(r"\s*\[[^\]]*\]|[\W_]+", "", column[:MAX_COLUMN]).lower() for column in columns]
    fields = [_FIELDS.get(cell, "") for cell in cells]
    for field in set(fields) - {"", "aliases"}:
        places = [place for place, found in enumerate(fields) if found == field]
        places.sort(key=lambda place: _COLUMNS[field].index(cells[place]))
        if len(places) > 1 and cells[places[0]] == cells[places[1]]:
            raise DirectoryFileError(f"{where}: two columns for {field}")
        for place in places[1:]:
            fields[place] = "aliases" if field == "id" else ""
    return [f"{field}:{place}" if field == "aliases" else field for place, field in enumerate(fields)]


def _of_json(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        if not text.lstrip().startswith("{") or "\n" not in text.strip():
            raise DirectoryFileError(f"not JSON: {str(error)[:120]}") from None
        yield from _of_lines(text)
        return
    if isinstance(content, dict):
        content = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), list)), [content])
    for number, one in enumerate(content, 1):
        yield f"entry {number}", _object(one, f"entry {number}")


def _of_lines(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                one = msgspec.json.decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                raise DirectoryFileError(f"line {number}: not JSON: {str(error)[:120]}") from None
            yield f"line {number}", _object(one, f"line {number}")


def _object(one: Any, where: str) -> dict[str, Any]:
    if not isinstance(one, dict):
        raise DirectoryFileError(f"{where}: not an object")
    if isinstance(one.get("profile"), dict):  # as Okta exports users
        one = one["profile"] | {key: value for key, value in one.items() if key == "id"}
    keys = list(one)
    return {field: one[key] for key, field in zip(keys, _named(keys, where), strict=True) if field}


def _entry(row: dict[str, Any], where: str) -> DirectoryEntry:
    values: dict[str, Any] = {}
    aliases: list[str] = []
    for field, value in row.items():
        if field.startswith("aliases"):
            aliases += _list(value, where, "aliases")
        elif field == "networks":
            values["networks"] = tuple(_list(value, where, field))
        else:
            text = tidy(_one(value, where, field))
            if text:
                values[field] = text
    parts = [values.pop(field, "") for field in ("first_name", "last_name")]
    values.setdefault("name", " ".join(part for part in parts if part))
    if "kind" in values:
        values["kind"] = _kind(values["kind"], where)
    for field, inclusive in (("absent_from_ms", False), ("absent_until_ms", True)):
        if field in values:
            values[field] = _ms(values[field], field.removesuffix("_ms"), inclusive=inclusive, where=where)
    if "id" not in values:
        named = [*aliases, values.get("mail", ""), values.get("name", "")]
        values["id"] = next((text for text in named if text), "")
    others = dict.fromkeys(alias for alias in aliases if alias != values["id"])
    try:
        return DirectoryEntry(**values, aliases=tuple(others))
    except ValueError as error:
        raise DirectoryFileError(f"{where}: {error}") from error


def _one(value: Any, where: str, field: str) -> str:
    """A field's text; what refers to somebody may be an object with a name, and an address one of a list."""
    if field == "mail" and isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = next((value[key] for key in _INNER if key in value), None)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise DirectoryFileError(f"{where}: {field} is not text")


def _list(value: Any, where: str, field: str) -> list[str]:
    parts = re.split(r"[;,\s]+" if field == "networks" else r";", value) if isinstance(value, str) else value
    if not isinstance(parts, list):
        parts = [parts]
    return [text for text in (tidy(_one(part, where, field)) for part in parts) if text]


def _kind(text: str, where: str) -> DirectoryKind:
    found = next((kind for kind, words in _KINDS.items() if text.lower().replace("_", " ") in words), None)
    if found is None:
        raise DirectoryFileError(f"{where}: kind is none of {', '.join(DirectoryKind)}")
    return found


def _ms(text: str, field: str, *, inclusive: bool, where: str) -> int:
    """A time in milliseconds; a day without a time is its start in UTC, or its end where it is the last."""
    try:
        if len(text) <= len("2026-01-01"):
            day = date.fromisoformat(text) + timedelta(days=1 if inclusive else 0)
            at = datetime.combine(day, time(), UTC)
        else:
            at = datetime.fromisoformat(text)
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return round(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise DirectoryFileError(f"{where}: {field} is not a day such as 2026-03-01") from None
