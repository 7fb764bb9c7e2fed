"""A row of an event log file: the columns that matter whatever its type, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from detector.adapters.access import AccessFields
from detector.adapters.values import clip

__all__ = ["ElfRow", "Type", "http_status", "status"]


class ElfRow(msgspec.Struct, rename="upper", gc=False):
    """The columns that every type has, or that tell who acted and from where; a missing one is an empty one.

    They are in the order of the vendor's own headers, because the decoder looks for each key from the last one
    on. Some are here only to tell rows without a request's id apart.
    """

    timestamp: str = ""
    request_id: str = ""
    organization_id: str = ""
    user_id: str = ""
    run_time: str = ""
    cpu_time: str = ""
    uri: str = ""
    session_key: str = ""
    login_key: str = ""
    user_type: str = ""
    request_status: str = ""
    db_total_time: str = ""
    client_name: str = ""
    connected_app_id: str = ""
    user_agent: str = ""
    browser_type: str = ""
    user_name: str = ""
    source_ip: str = ""
    timestamp_derived: str = ""
    user_id_derived: str = ""
    client_ip: str = ""
    connected_app_name: str = ""
    client_info: str = ""
    marker: object = msgspec.field(default=None, name="")
    """Set by the reader on a row that does not have its header's columns."""


class Type(msgspec.Struct, frozen=True):
    """A type of row: its columns, and what a row of it says."""

    row: type[Any]
    """A `ElfRow` with the type's name as its tag."""
    access: Callable[[Any], AccessFields]
    parts: tuple[str, ...] = ()
    """The fields that tell rows of this type and of one request apart, beside their time and `operation_id`."""


def status(text: str) -> str | None:
    """A request's outcome; ``None`` where it is blank."""
    return "success" if text in ("S", "Success") else clip(text)


def http_status(text: str) -> str | None:
    """``success`` for a status code from 200 to 299, else the code; ``None`` where it is blank."""
    return "success" if len(text) == 3 and text[0] == "2" else clip(text)
