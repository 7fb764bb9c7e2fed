"""The adapters' contract, and finding them: every module in this package that defines `ADAPTER` is one."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from typing import Protocol

import detector.adapters as _package
from detector.event import AccessEvent

__all__ = [
    "ADAPTERS",
    "AUTO",
    "FUTURE_MS",
    "Adapter",
    "RecordError",
    "choose",
    "decode",
    "recognise",
    "reject_future",
]

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

    A record is one JSON object in UTF-8 bytes, or one line of text; a CSV row arrives as an object of strings,
    its header as keys.
    """

    @property
    def name(self) -> str:
        """Short and stable: it names the adapter in settings, metrics and errors."""
        ...

    @property
    def sign(self) -> str:
        """By what it tells its records, in a few words for a person (``keys EVENT_TYPE and TIMESTAMP``)."""
        ...

    def recognises(self, record: bytes) -> bool:
        """Whether this record looks like one of this vendor's; cheap, by content alone, never raises."""
        ...

    def decode(self, record: bytes, position: str) -> AccessEvent:
        """The event that this record tells of.

        Raises `RecordError`, and nothing else, for whatever bytes.
        """
        ...


_FIRST = ("salesforce_elf", "salesforce_rtem")
"""Asked before the others, as most records are theirs; what is recognised does not depend on the order."""


def _found() -> dict[str, Adapter]:
    walked = pkgutil.walk_packages(_package.__path__, f"{_package.__name__}.")
    names = sorted(module.name for module in walked if not module.ispkg and module.name != __name__)
    modules = (importlib.import_module(name) for name in names)
    found: list[Adapter] = [module.ADAPTER for module in modules if hasattr(module, "ADAPTER")]
    return {adapter.name: adapter for adapter in sorted(found, key=lambda one: one.name not in _FIRST)}


ADAPTERS: dict[str, Adapter] = _found()
"""Every adapter by its name."""

_EVERY = tuple(ADAPTERS.values())


AUTO = "auto"
"""Every adapter, each record being read by the one that recognises it."""


def choose(name: str, sources: Sequence[Adapter] = ()) -> tuple[Adapter, ...]:
    """The adapters that a format's name stands for: all for ``auto``, else the one of that name.

    `sources` are an operator's own; they are asked first, and may bear the name of one that is built in. Raises
    `ValueError`, with a sentence for a person, for a name that there is not.

    >>> [adapter.name for adapter in choose("salesforce_elf")]
    ['salesforce_elf']
    >>> choose("salesfroce_elf")
    Traceback (most recent call last):
    ValueError: there is no format salesfroce_elf; did you mean salesforce_elf?
    """
    named = ADAPTERS | {source.name: source for source in sources}
    if name == AUTO:
        return (*sources, *(adapter for adapter in _EVERY if named[adapter.name] is adapter))
    if name in named:
        return (named[name],)
    close = difflib.get_close_matches(name, [AUTO, *named], n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join([AUTO, *named])}"
    raise ValueError(f"there is no format {name}; {hint}")


def recognise(record: bytes, adapters: Iterable[Adapter] = _EVERY) -> Adapter | None:
    """The first of some adapters whose format the record has, or ``None``."""
    for adapter in adapters:
        if adapter.recognises(record):
            return adapter
    return None


def decode(record: bytes, position: str, adapters: Sequence[Adapter] = _EVERY) -> AccessEvent:
    """The event that a record tells of, read by the first of some adapters that recognises it.

    One adapter alone has been chosen: it reads the record whether it recognises it or not. Raises
    `RecordError` if no adapter knows the format or the one that does cannot read it.
    """
    adapter = adapters[0] if len(adapters) == 1 else recognise(record, adapters)
    if adapter is None:
        raise RecordError("", position, "unknown_format", f"no adapter recognises {_shown(record)}")
    return adapter.decode(record, position)


def _shown(record: bytes) -> str:
    """How an unknown record begins; what is no text says nothing to a person."""
    try:
        record.decode()
    except UnicodeDecodeError:
        return f"{len(record):,} bytes that are no text in UTF-8"
    return repr(record[:60])


def reject_future(event: AccessEvent, arrived_ms: int) -> AccessEvent:
    """The event, unless it is from well after its record arrived: that must not move a clock.

    Raises `RecordError` then.

    >>> from detector.event import AccessEvent, ActorKind, Operation
    >>> event = AccessEvent(time_ms=FUTURE_MS, event_id="a", tenant="t", actor="u",
    ...                     actor_kind=ActorKind.HUMAN, operation=Operation.QUERY)
    >>> reject_future(event, 0) is event
    True
    """
    if event.time_ms > arrived_ms + FUTURE_MS:
        origin = event.origin
        raise RecordError(origin.adapter, origin.position, "future", f"event time {event.time_ms} ms")
    return event
