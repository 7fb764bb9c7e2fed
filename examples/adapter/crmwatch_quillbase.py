"""Reads the audit log of Quillbase, a CRM that writes lines of text.

    quillbase 2026-03-02T09:14:07Z id=81c2 user=ada@sky.example act=export object=contact rows=1200 ip=203.0.113.9

*Cannot say*: the user agent, sessions, which records were read. *Traps*: ``rows`` is missing where nothing was
listed (unknown, not zero); a refused action has ``denied=1`` and let nothing out.
"""

from __future__ import annotations

import re

from detector.adapters.adapter import Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.timestamps import utc_ms
from detector.adapters.values import ip_without_port, normalise_actor
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

NAME = "quillbase"
LINE = re.compile(r"quillbase (?P<time>\S{19,30}) (?P<fields>\S+(?: \S+)*)")
OPERATIONS = {
    "export": Operation.BULK_EXPORT,
    "find": Operation.SEARCH,
    "login": Operation.LOGIN,
    "open": Operation.RECORD_VIEW,
    "report": Operation.REPORT,
}
"""The vendor's words end here; what is not listed is `Operation.OTHER`."""
MOST_ROWS = 10**12


def recognises(record: bytes) -> bool:
    """Whether a record begins as this vendor's lines do: runs for every record of every vendor, so no parsing."""
    return record.startswith(b"quillbase 2")


def event(record: bytes, position: str) -> AccessEvent:
    """Read one line. Raises `FieldError` if a field is missing or impossible."""
    line = LINE.fullmatch(record.decode().rstrip("\r\n"))
    if line is None:
        raise FieldError(Rejection.MALFORMED, "not a line of Quillbase's audit log")
    fields = dict(field.split("=", 1) for field in line["fields"].split(" ") if "=" in field)
    for name in ("id", "user", "act"):
        if not fields.get(name):
            raise FieldError(Rejection.MISSING_FIELD, f"{name} is blank")
    kind = ActorKind.INTEGRATION if fields["user"].startswith("api:") else ActorKind.HUMAN
    denied = fields.get("denied") == "1"
    return AccessEvent(
        time_ms=utc_ms(line["time"]),
        event_id=f"{NAME}:{fields['id'][:128]}",
        tenant=NAME,
        actor=normalise_actor(fields["user"]),
        actor_kind=kind,
        operation=OPERATIONS.get(fields["act"], Operation.OTHER),
        objects=(fields["object"][:80],) if "object" in fields else (),
        rows=0 if denied else rows_of(fields.get("rows")),
        ip=ip_without_port(fields.get("ip")),
        status="denied" if denied else "success",
        origin=RecordOrigin(NAME, position),
    )


def rows_of(text: str | None) -> int | None:
    """A number of rows; unknown is ``None``."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 13 and int(text) <= MOST_ROWS):
        raise FieldError(Rejection.BAD_VALUE, f"rows is {text[:20]!r}")
    return int(text)


ADAPTER = Adapter(
    name=NAME,
    sign="lines that begin with the word quillbase and a time",
    recognises=recognises,
    event=event,
)
