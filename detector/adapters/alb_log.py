"""The access log of AWS's application load balancer, in front of a CRM that somebody hosts themselves.

A line a request, read as one of the combined log is. The balancer knows no users: every request is a guest's. Its
bytes are those that it sent, with headers; its tenant is the host that the request names.

See https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
"""

from __future__ import annotations

import re
from hashlib import blake2b
from urllib.parse import urlsplit

from detector.adapters.access import event_of
from detector.adapters.adapter import Adapter
from detector.adapters.combined_log import GUEST, MAX_TARGET, UNNAMED_TENANT, request_access
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.timestamps import iso_ms
from detector.adapters.values import agent, ip_without_port, normalise_actor
from detector.event import AccessEvent, ActorKind, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "alb_log"
_LINE = re.compile(
    r"(?P<kind>https?|h2|grpcs|wss?) (?P<time>\S{20,40}) (?P<balancer>\S{1,300}) (?P<client>\S{3,60}) \S{1,60} "
    r"(?:-?[\d.]{1,20} ){3}(?P<status>\d{3}|-) (?:\d{3}|-) \d{1,15} (?P<size>\d{1,15}) "
    r'"(?P<request>[^"]{0,9000})" "(?P<agent>[^"]{0,2000})" .{0,9000}',
    re.DOTALL,
)
_HEAD = re.compile(
    rb"(?:https?|h2|grpcs|wss?) \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z \S{1,300} [0-9A-Fa-f.:\[\]]{3,60} "
)


def _event(record: bytes, position: str) -> AccessEvent:
    line = _LINE.fullmatch(record.rstrip(b"\r\n").decode("utf-8", "replace"))
    if line is None:
        raise FieldError(Rejection.MALFORMED, "not a line of the load balancer's log")
    method, _, rest = line["request"].partition(" ")
    try:
        url = urlsplit(rest.rpartition(" ")[0][: 2 * MAX_TARGET])
        host = url.hostname or ""
    except ValueError:
        host, url = "", urlsplit("/")
    target = f"{url.path}?{url.query}" if url.query else url.path
    return event_of(
        request_access(
            f"{method} {target} HTTP/1.1"[: MAX_TARGET + 40], line["status"].encode(), line["size"].encode()
        ),
        iso_ms(line["time"]),
        "line:" + blake2b(record.rstrip(b"\r\n"), digest_size=12).hexdigest(),
        (normalise_actor(host) if host else UNNAMED_TENANT, GUEST, ActorKind.GUEST, None),
        None,
        None,
        ip_without_port(line["client"]),
        agent(line["agent"] if line["agent"] != "-" else None),
        None,
        RecordOrigin(NAME, position),
    )


def _recognises(record: bytes) -> bool:
    """Whether it begins with a protocol, a time, a balancer and an address."""
    return _HEAD.match(record) is not None


ADAPTER = Adapter(
    name=NAME,
    sign="a line that begins with http, https, h2, grpcs, ws or wss, a time, a load balancer and an address",
    recognises=_recognises,
    event=_event,
)
"""The adapter for the load balancer's log."""
