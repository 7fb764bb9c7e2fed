"""The adapters' contract, and finding them: every module in this package that defines `ADAPTER` is one."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Protocol

import detector.adapters as _package
from detector.event import AccessEvent

__all__ = ["ADAPTERS", "FUTURE_MS", "Adapter", "RecordError", "believed", "decode", "recognise"]

FUTURE_MS = 10 * 60 * 1000
"""An event whose time is this far ahead of its record's arrival is not believed."""


class RecordError(ValueError):
    """A record that cannot be read: which adapter tried, where the record lies, and why it failed.

    It is the only exception that leaves an adapter. `adapter` is empty when none recognised the record.
    `reason` is a stable word for counters (``malformed``, ``unknown_format``, ``missing_field``,
    ``bad_value``, ``bad_time``, ``future``); `detail` is for a person and may quote at most 80 characters
    of the record.
    """

    def __init__(self, adapter: str, position: str, reason: str, detail: str) -> None:
        super().__init__(f"{position}: {adapter or 'no adapter'}: {reason}: {detail}")
        self.adapter = adapter
        self.position = position
        self.reason = reason
        self.detail = detail


class Adapter(Protocol):
    """What reads one vendor's records.

    A record is one JSON object in UTF-8 bytes; a CSV row arrives as an object of strings, its header as keys.
    """

    name: str
    """Short and stable: it names the adapter in settings, metrics and errors."""

    def recognises(self, record: bytes) -> bool:
        """Whether this record looks like one of this vendor's; cheap, by content alone, never raises."""
        ...

    def decode(self, record: bytes, position: str) -> AccessEvent:
        """The event that this record tells of.

        Raises `RecordError`, and nothing else, for whatever bytes.
        """
        ...


def _found() -> dict[str, Adapter]:
    names = sorted(module.name for module in pkgutil.iter_modules(_package.__path__))
    modules = (importlib.import_module(f"{_package.__name__}.{name}") for name in names if name != "registry")
    return {module.ADAPTER.name: module.ADAPTER for module in modules if hasattr(module, "ADAPTER")}


ADAPTERS: dict[str, Adapter] = _found()
"""Every adapter by its name."""


def recognise(record: bytes) -> Adapter | None:
    """The adapter whose format the record has, or ``None``."""
    for adapter in ADAPTERS.values():
        if adapter.recognises(record):
            return adapter
    return None


def decode(record: bytes, position: str) -> AccessEvent:
    """The event that a record of whatever vendor tells of.

    Raises `RecordError` if no adapter knows the format or the one that does cannot read it.
    """
    adapter = recognise(record)
    if adapter is None:
        raise RecordError("", position, "unknown_format", f"no adapter recognises {record[:60]!r}")
    return adapter.decode(record, position)


def believed(event: AccessEvent, arrived_ms: int) -> AccessEvent:
    """The event, unless it is from well after its record arrived: that must not move a clock.

    Raises `RecordError` then.

    >>> from detector.event import AccessEvent, ActorKind, Operation
    >>> event = AccessEvent(time_ms=FUTURE_MS, event_id="a", tenant="t", actor="u",
    ...                     actor_kind=ActorKind.HUMAN, operation=Operation.QUERY)
    >>> believed(event, 0) is event
    True
    """
    if event.time_ms > arrived_ms + FUTURE_MS:
        origin = event.origin
        raise RecordError(origin.adapter, origin.position, "future", f"event time {event.time_ms} ms")
    return event
