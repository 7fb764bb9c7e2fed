"""An adapter that another distribution brings, for ``{"toy_user": "ann", "at": "2026-03-02T09:00:00Z", "rows": 3}``."""

from __future__ import annotations

import msgspec

from detector.adapters.access import AccessFields, event_of
from detector.adapters.adapter import PAGE_KEYS, Adapter
from detector.adapters.rejection import FieldError, Rejection
from detector.adapters.timestamps import utc_ms
from detector.adapters.values import count, digest, has_key, normalise_actor
from detector.event import AccessEvent, ActorKind, Operation, RecordOrigin

__all__ = ["ADAPTER"]

NAME = "toy_crm"


class _Record(msgspec.Struct):
    toy_user: str = ""
    at: str = ""
    rows: int | None = None


_decoder = msgspec.json.Decoder(_Record)


def _event(raw: bytes, position: str) -> AccessEvent:
    record = _decoder.decode(raw)
    if not record.toy_user:
        raise FieldError(Rejection.MISSING_FIELD, "toy_user is blank")
    return event_of(
        AccessFields(operation=Operation.QUERY, objects=("Contact",), rows=count(record.rows, "rows")),
        utc_ms(record.at),
        f"toy:{digest(raw)}",
        ("toy", normalise_actor(record.toy_user), ActorKind.HUMAN, None),
        None,
        None,
        None,
        None,
        None,
        RecordOrigin(NAME, position),
    )


ADAPTER = Adapter(
    name=NAME,
    sign="key toy_user",
    recognises=lambda record: has_key(record, b"toy_user"),
    event=_event,
    reads_objects_only=True,
    page_keys=(*PAGE_KEYS, "toy_rows"),
)
