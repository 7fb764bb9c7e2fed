"""Access logs of web servers as objects: nginx's JSON, Caddy's, Traefik's, and the rows of IIS's W3C log.

A request is read as a line of the combined log is: what was done from method and path, the guest where nobody is
signed in or the password was refused, the virtual host as the tenant.

See https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format
and https://learn.microsoft.com/en-us/windows/win32/http/w3c-logging
"""

from __future__ import annotations

import re

import msgspec

from detector.adapters.access import event_of
from detector.adapters.adapter import Adapter
from detector.adapters.combined_log import GUEST, MAX_TARGET, UNNAMED_TENANT, local_ms, request_access
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.spelled_times import time_ms
from detector.adapters.values import MAX_ID, agent, clip, digest, has_key, ip_without_port, normalise_actor
from detector.event import AccessEvent, ActorKind, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "web_json"
_decode = msgspec.json.Decoder(dict[str, object]).decode

# Where the servers have each part of a request, the likeliest first.
_ADDRESS = ("remote_addr", "request.client_ip", "request.remote_ip", "remote_ip", "ClientHost", "c-ip")
_USER = ("remote_user", "user_id", "ClientUsername", "cs-username")
_TIME = ("time_iso8601", "msec", "time_local", "ts", "StartUTC", "@timestamp", "timestamp", "time")
_METHOD = ("request_method", "method", "request.method", "RequestMethod", "cs-method")
_TARGET = ("request_uri", "uri", "request.uri", "RequestPath", "path", "cs-uri-stem")
_QUERY = ("args", "query_string", "cs-uri-query")
_STATUS = ("status", "DownstreamStatus", "sc-status")
_SIZE = ("body_bytes_sent", "bytes_sent", "size", "DownstreamContentSize", "sc-bytes")
_AGENT = (
    "http_user_agent",
    "user_agent",
    "request.headers.User-Agent",
    "request_User-Agent",
    "cs(User-Agent)",
)
_HOST = ("server_name", "host", "http_host", "request.host", "RequestHost", "cs-host")
_ID = ("request_id", "req_id", "RequestId")


def _found(record: dict[str, object], names: tuple[str, ...]) -> str:
    """The first of some parts that has a text or a number; a list's first; blank for none and for ``-``."""
    for name in names:
        value: object = record
        for step in name.split(".") if "." in name else (name,):
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            text = str(value)[: 2 * MAX_TARGET]
            if text not in ("", "-"):
                return text
    return ""


_LOCAL = re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}")


def _time(record: dict[str, object]) -> int:
    day = _found(record, ("date",))
    if day and "cs-method" in record:
        return time_ms(f"{day} {_found(record, ('time',))}".strip())
    error = FieldError(Rejection.MISSING_FIELD, "no time")
    for name in _TIME:
        text = _found(record, (name,))
        if text:
            try:
                return local_ms(text.encode()) if _LOCAL.fullmatch(text) else time_ms(text)
            except FieldError as wrong:
                error = wrong
    raise error


def _request(record: dict[str, object]) -> str:
    whole = record.get("request")
    if isinstance(whole, str) and whole:
        return whole[: MAX_TARGET + 40]
    target, query = _found(record, _TARGET), _found(record, _QUERY)
    if query and "?" not in target:
        target = f"{target}?{query.removeprefix('?')}"
    return f"{_found(record, _METHOD)} {target}"[: MAX_TARGET + 40]


def _event(raw: bytes, position: str) -> AccessEvent:
    record = _decode(raw)
    if not _found(record, _ADDRESS):
        raise FieldError(Rejection.MISSING_FIELD, "no client's address")
    status = _found(record, _STATUS).removesuffix(".0")
    if status and not (len(status) == 3 and status.isascii() and status.isdecimal()):
        raise FieldError(Rejection.BAD_VALUE, f"status is {status[:40]!r}")
    # The name in a refused request is only what somebody typed.
    user = _found(record, _USER) if status != "401" else ""
    host = _found(record, _HOST).partition(":")[0].strip("_ ")
    given = _found(record, _ID)
    text = _found(record, _AGENT)
    return event_of(
        request_access(_request(record), status.encode() or b"-", _found(record, _SIZE).encode() or b"-"),
        _time(record),
        f"web:{given[:MAX_ID] if given else digest(raw)}",
        (
            normalise_actor(host) if host else UNNAMED_TENANT,
            normalise_actor(user) if user else GUEST,
            ActorKind.HUMAN if user else ActorKind.GUEST,
            clip(user),
        ),
        None,
        None,
        ip_without_port(_found(record, _ADDRESS)),
        agent(text.replace("+", " ") if "cs(User-Agent)" in record else text),
        None,
        RecordOrigin(NAME, position),
    )


def _recognises(record: bytes) -> bool:
    """Whether it has a client's address with a request and its status, as one of the servers names them."""
    if has_key(record, b"remote_addr"):
        return has_key(record, b"status") and any(
            has_key(record, key) for key in (b"request", b"request_uri", b"uri")
        )
    return (
        (has_key(record, b"ClientHost") and has_key(record, b"RequestPath"))
        or (has_key(record, b"cs-uri-stem") and has_key(record, b"c-ip"))
        or (has_key(record, b"remote_ip") and has_key(record, b"uri") and has_key(record, b"bytes_read"))
    )


ADAPTER = Adapter(
    name=NAME,
    sign="keys remote_addr, request or request_uri, and status; or ClientHost and RequestPath; or cs-uri-stem and c-ip",
    recognises=_recognises,
    event=_event,
    reads_objects_only=True,
)
"""The adapter for web servers' access logs as objects."""
