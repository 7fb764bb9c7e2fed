"""The combined log of nginx and Apache, in front of a CRM that somebody hosts themselves.

A line a request: address, user, time, request, status, bytes, referrer, agent. What was done is read from method
and path, with the habits of widespread CRMs (``module=Contacts&view=Detail``, ``/api/v1/Contact/…``). How many
rows were taken is not in it: a page of one record is one row, a list's or an export's rows are unknown and its bytes
stand for them. A line has no id, so that two equal lines of one second are one event. Where nobody is signed in,
and where the password was refused, the identity is the site's guest. The tenant is the virtual host, where the
line begins with one, else ``web``.

See https://httpd.apache.org/docs/2.4/mod/mod_log_config.html
and https://nginx.org/en/docs/http/ngx_http_log_module.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import parse_qsl, unquote

import msgspec

from detector.adapters.access import AccessFields, event_of
from detector.adapters.adapter import Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.timestamps import epoch_ms
from detector.adapters.values import agent, count, id_texts, ip_without_port, normalise_actor
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

__all__ = ["ADAPTER", "GUEST", "MAX_TARGET", "UNNAMED_TENANT", "local_ms", "request_access"]

NAME = "combined_log"
UNNAMED_TENANT = "web"
GUEST = "guest"
"""The account of visitors who are not signed in."""
MAX_TARGET = 2_000
"""How many characters of a request's path and query are looked at."""
MAX_PARAMETERS = 50
MAX_SHAPE = 300

_QUOTED = rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_LINE = re.compile(
    # A virtual host has a letter in it, so that a user's name with a blank is not taken for the rest.
    rb"(?:(?P<host>(?=[^ ]*[A-Za-z])[\w.-]++(?::\d{1,5})?) )?"
    rb"(?P<ip>\w[\w.:-]{0,254}|\[[0-9A-Fa-f:.]{2,45}\]) (?P<ident>\S{1,64}) (?P<user>[^\[\]]{1,256}?) "
    rb"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    rb"%b (?P<status>\d{3}|-) (?P<size>[^\s\"]{1,40})(?: %b %b)?(?:\s.*+)?" % (_QUOTED, _QUOTED, _QUOTED),
    re.DOTALL,
)
_REQUEST, _REFERRER, _AGENT = (6, 9, 10)
_ESCAPE = re.compile(r'\\(?:x([0-9A-Fa-f]{2})|(["\\]))')


def _text(raw: bytes | None) -> str:
    """A quoted field as it was sent; both servers write quotes and odd bytes as escapes."""
    if not raw or raw == b"-":
        return ""
    text = raw.decode("utf-8", "replace")
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[2]


# --- time

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
    )
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@lru_cache(maxsize=4_096)
def _minute_ms(day_to_minute: bytes, zone: bytes) -> int:
    """The start of a minute such as ``10/Oct/2026:13:55`` in a zone such as ``+0200``; raises ValueError."""
    hours, minutes = int(zone[1:3]), int(zone[3:5])
    offset = timedelta(hours=hours, minutes=minutes)
    local = datetime(
        int(day_to_minute[7:11]),
        _MONTHS.get(day_to_minute[3:6], 0),
        int(day_to_minute[:2]),
        int(day_to_minute[12:14]),
        int(day_to_minute[15:17]),
        tzinfo=UTC,
    )
    utc = local + offset if zone[:1] == b"-" else local - offset
    return epoch_ms((utc - _EPOCH) // _MILLISECOND)


def local_ms(text: bytes) -> int:
    """Milliseconds of a time such as ``02/Mar/2026:09:00:00 +0000``. Raises `FieldError`."""
    seconds = int(text[18:20])
    if seconds > 60:  # 60 is a leap second
        raise FieldError(Rejection.BAD_TIME, f"not a time: {text!r}")
    try:
        return _minute_ms(text[:17], text[21:]) + seconds * 1000
    except FieldError:
        raise
    except (ValueError, OverflowError):
        raise FieldError(Rejection.BAD_TIME, f"not a time: {text!r}") from None


# --- what was asked for


class _Target(msgspec.Struct, frozen=True, gc=False):
    """The operation and object that a path stands for."""

    operation: Operation = Operation.OTHER
    objects: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    shape: str = ""


_THINGS = {
    "accounts": "account", "activities": "task", "attachments": "attachment", "calls": "call", "cases": "case",
    "comments": "comment", "companies": "company", "contacts": "contact", "customers": "customer",
    "deals": "deal", "documents": "document", "emails": "email", "helpdesk": "ticket", "incidents": "incident",
    "invoices": "invoice", "leads": "lead", "meetings": "meeting", "messages": "message", "notes": "note",
    "opportunities": "opportunity", "orders": "order", "organizations": "account", "partners": "contact",
    "people": "contact", "potentials": "opportunity", "quotes": "quote", "res.partner": "contact",
    "tasks": "task", "tickets": "ticket", "users": "user",
}  # fmt: skip
_THINGS |= {thing: thing for thing in _THINGS.values()}
_HOST = re.compile(r"\Ahttps?://[^/]*+", re.IGNORECASE)
_STATIC = re.compile(r"\.(?:css|gif|ico|jpe?g|js|json\.map|map|png|svg|ttf|webp|woff2?)\Z")
_TABLE = re.compile(r"\.(?:csv|xlsx?|ods|tsv)\Z")
_FILE = re.compile(r"\.(?:docx?|eml|msg|odt|pdf|pptx?|rar|rtf|7z|zip)\Z")
_PLAIN = re.compile(r"[a-z_-]{1,30}(?:\.php)?|v\d{1,2}")
"""A word of a path that is kept in its shape: no number, no name of a file."""
_ID = re.compile(r"\d{1,20}|[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|(?=[a-z]*\d)[0-9a-z]{15,24}")
_SIGN_IN = frozenset(
    {"authenticate", "login", "oauth", "oauth2", "saml", "sessions", "signin", "sign_in", "sso"}
)
_EXPORT = frozenset(
    {"bulk_export", "dump", "export", "exportdata", "export_data", "exports", "export_csv", "massexport"}
)
_DOWNLOAD = frozenset({"attachment", "attachments", "download", "downloads", "downloadfile", "download_file"})
_SEARCH = frozenset(
    {"find", "lookup", "name_search", "quicksearch", "search", "globalsearch", "unifiedsearch"}
)
_REPORT = frozenset({"dashboard", "report", "reports"})
_SET_UP = frozenset(
    {"admin", "administration", "permissions", "roles", "settings", "users", "user", "api_keys", "tokens"}
)
_DETAIL = frozenset({"detail", "detailview", "edit", "editview", "show", "view"})
_LISTED = frozenset({"index", "list", "listview", "popup", "search_read", "web_search_read"})
_ACTIONS = ("action", "view", "entrypoint", "mode", "operation", "task", "do")
_OBJECTS = ("module", "model", "entity", "object", "type", "parent_type")
_IDS = ("record", "id", "uid", "record_id", "ticket_id", "contact_id")
_QUERIES = frozenset({"q", "query", "search", "query_string", "searchterm", "search_value"})


def _asks(method: str, words: set[str], actions: set[str], path: str, queried: bool) -> Operation | None:
    """What a request does, where words in its path or its parameters say so."""
    vocabulary = words | actions
    if vocabulary & _SIGN_IN:
        return Operation.LOGIN
    if vocabulary & _EXPORT or _TABLE.search(path):
        return Operation.REPORT_EXPORT
    if method in ("GET", "HEAD") and (vocabulary & _DOWNLOAD or _FILE.search(path)):
        return Operation.FILE_DOWNLOAD
    if vocabulary & _SEARCH or (queried and method in ("GET", "HEAD")):
        return Operation.SEARCH
    if method not in ("GET", "HEAD", "OPTIONS"):
        if vocabulary & _LISTED:  # remote calls that read, whatever their method
            return Operation.LIST_VIEW
        return Operation.ADMIN if words & _SET_UP else Operation.WRITE
    return Operation.REPORT if words & _REPORT else None


def _parameters(query: str) -> dict[str, str]:
    """The first parameters of a query by their names; further ones are ignored."""
    first = "&".join(query.split("&", MAX_PARAMETERS)[:MAX_PARAMETERS])
    return {name.lower(): value for name, value in parse_qsl(first, errors="replace")}


@lru_cache(maxsize=8_192)
def _target(method: str, target: str) -> _Target:
    path, _, query = target.partition("?")
    path = unquote(_HOST.sub("", path), errors="replace").lower()
    parameters = _parameters(query) if query else {}
    words = [word for word in path.split("/") if word]
    actions = {parameters[name].lower() for name in _ACTIONS if name in parameters}
    if method in ("GET", "HEAD") and _STATIC.search(path) and _DOWNLOAD.isdisjoint(words):
        return _Target()
    kinds = [parameters[name].lower() for name in _OBJECTS if name in parameters]
    stems = [word.partition(".")[0] if _TABLE.search(word) else word for word in words]
    named = [_THINGS[word] for word in [*stems, *kinds] if word in _THINGS]
    ids = [word for word in words if _ID.fullmatch(word)]
    ids += [parameters[name] for name in _IDS if _ID.fullmatch(parameters.get(name, "").lower())]
    operation = _asks(method, set(words), actions, path, not _QUERIES.isdisjoint(parameters))
    if operation is None:
        if ids and (named or actions & _DETAIL):
            operation = Operation.RECORD_VIEW
        else:
            operation = Operation.LIST_VIEW if named or actions & _LISTED else Operation.OTHER
    place = "/".join(word if _PLAIN.fullmatch(word) else "?" for word in words)
    parts = sorted(word for word in {*kinds, *actions} if _PLAIN.fullmatch(word))
    return _Target(
        operation, tuple(named[-1:]), id_texts(ids[-1:]), " ".join([method, f"/{place}", *parts])[:MAX_SHAPE]
    )


_ONE_ROW = frozenset({Operation.RECORD_VIEW, Operation.FILE_DOWNLOAD})


def request_access(request: str, status: bytes, size: bytes) -> AccessFields:
    """A request that was answered with less than the thing (a redirect, an error) let none of it out."""
    method, _, rest = request.partition(" ")
    target = rest.rpartition(" ")[0] if " HTTP/" in rest else rest
    asked = _target(method.upper()[:10], target[:MAX_TARGET]) if target else _Target()
    answered = status[:1] == b"2"
    length = size.decode("ascii", "replace")
    rows = (1 if answered and method != "HEAD" else 0) if asked.operation in _ONE_ROW else None
    return AccessFields(
        operation=asked.operation,
        objects=asked.objects,
        rows=rows,
        bytes_out=None if length == "-" else count(length, "bytes"),
        record_ids=asked.ids,
        query_shape=asked.shape or None,
        status="success" if status[:1] in b"123" else status.decode() if status != b"-" else None,
    )


def _check_start(line: re.Match[bytes]) -> None:
    """Raise `FieldError` where a collector's text stands before the address, so that the address seems to be a name."""
    user = line["user"].decode("utf-8", "replace")
    ip = line["ip"].decode("ascii", "replace")
    words = [line["ident"].decode("utf-8", "replace"), *user.split(" ")]
    if (
        (":" in ip and ip_without_port(ip) is None)
        or any(ip_without_port(word) is not None for word in words)
        or user.startswith("- ")
        or " - " in user
    ):
        raise FieldError(Rejection.MALFORMED, "text before the address that no known log collector writes")


def _event(record: bytes, position: str) -> AccessEvent:
    line = _LINE.fullmatch(record.rstrip(b"\r\n"))
    if line is None:
        raise FieldError(Rejection.MALFORMED, "not a line of the combined log")
    if line["ident"] != b"-" or b" " in line["user"] or b":" in line["ip"]:
        _check_start(line)
    status = line["status"]
    # The name in a refused request is only what somebody typed.
    user = _text(line["user"].strip(b'"')) if status != b"401" else ""
    host = line["host"]
    access = request_access(_text(line[_REQUEST])[: MAX_TARGET + 40], status, line["size"])
    return event_of(
        access,
        local_ms(line["time"]),
        "line:" + blake2b(record, digest_size=12).hexdigest(),
        (
            normalise_actor(host.decode("ascii", "replace").partition(":")[0]) if host else UNNAMED_TENANT,
            normalise_actor(user) if user else GUEST,
            ActorKind.HUMAN if user else ActorKind.GUEST,
            user or None,
        ),
        None,
        None,
        ip_without_port(line["ip"].decode("ascii", "replace")),
        agent(_text(line[_AGENT])),
        None,
        RecordOrigin(NAME, position),
    )


_HEAD = re.compile(rb"[\w.:\[\]-]{2,300}(?: \S{1,300}){2,12}? \[\d\d/[A-Z][a-z]{2}/\d{4}:")


def _recognises(record: bytes) -> bool:
    """Whether it is no JSON and begins as such a line does."""
    return record[:1] != b"{" and _HEAD.match(record) is not None


ADAPTER = Adapter(
    name=NAME,
    sign="a line that begins with address, user and [day/month/year:time zone]",
    recognises=_recognises,
    event=_event,
)
"""The adapter for the combined log, with or without a virtual host before it."""
