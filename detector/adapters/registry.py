"""Finds the adapters, and the one that reads a record: every module in this package that defines `ADAPTER` is one."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Sequence

import detector.adapters as _package
from detector.adapters.adapter import Adapter
from detector.adapters.rejection import RecordError, Rejection
from detector.event import AccessEvent

__all__ = ["ADAPTERS", "AUTO", "FUTURE_MS", "choose", "decode", "recognise", "reject_future"]

FUTURE_MS = 10 * 60 * 1000
"""An event whose time is further ahead of its record's arrival is rejected."""

_FIRST = ("salesforce_elf", "salesforce_rtem")
"""Asked before the others, because most records are theirs; the order does not change what is recognised."""


def _discovered() -> dict[str, Adapter]:
    walked = pkgutil.walk_packages(_package.__path__, f"{_package.__name__}.")
    names = sorted(module.name for module in walked if not module.ispkg and module.name != __name__)
    modules = (importlib.import_module(name) for name in names)
    adapters: list[Adapter] = [module.ADAPTER for module in modules if hasattr(module, "ADAPTER")]
    return {
        adapter.name: adapter for adapter in sorted(adapters, key=lambda adapter: adapter.name not in _FIRST)
    }


ADAPTERS: dict[str, Adapter] = _discovered()
"""Every built-in adapter by its name."""

_EVERY = tuple(ADAPTERS.values())


AUTO = "auto"
"""Every adapter: the one that recognises a record reads it."""


def choose(name: str, sources: Sequence[Adapter] = ()) -> tuple[Adapter, ...]:
    """The adapters that a format's name stands for: all for ``auto``, else the one of that name.

    `sources` are further adapters: an operator's mappings, then those of plug-ins. They are asked first, in their
    order, and replace a built-in one of their name. Raises `ValueError`, with a sentence for a person, for an
    unknown name.

    >>> [adapter.name for adapter in choose("salesforce_elf")]
    ['salesforce_elf']
    >>> choose("salesfroce_elf")
    Traceback (most recent call last):
    ValueError: there is no format salesfroce_elf; did you mean salesforce_elf?
    """
    replaced = {source.name for source in sources}
    every = (*sources, *(adapter for adapter in _EVERY if adapter.name not in replaced))
    if name == AUTO:
        return every
    for adapter in every:
        if adapter.name == name:
            return (adapter,)
    names = [AUTO, *dict.fromkeys([*ADAPTERS, *(source.name for source in sources)])]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
    raise ValueError(f"there is no format {name}; {hint}")


def recognise(record: bytes, adapters: Iterable[Adapter] = _EVERY) -> Adapter | None:
    """The first of some adapters that recognises the record, or ``None``."""
    for adapter in adapters:
        if adapter.recognises(record):
            return adapter
    return None


def decode(record: bytes, position: str, adapters: Sequence[Adapter] = _EVERY) -> AccessEvent:
    """The event of a record, read by the first of some adapters that recognises it.

    A single adapter has been chosen by name: it reads the record whether it recognises it or not. Raises
    `RecordError` if no adapter recognises the record or the one that does cannot read it.
    """
    adapter = adapters[0] if len(adapters) == 1 else recognise(record, adapters)
    if adapter is None:
        detail = f"no adapter recognises {_quoted(record)}"
        raise RecordError("", position, Rejection.UNKNOWN_FORMAT, detail)
    return adapter.decode(record, position)


def _quoted(record: bytes) -> str:
    """The beginning of a record; undecodable bytes are not shown."""
    try:
        record.decode()
    except UnicodeDecodeError:
        return f"{len(record):,} bytes that are no text in UTF-8"
    return repr(record[:60])


def reject_future(event: AccessEvent, arrived_ms: int) -> AccessEvent:
    """The event, unless its time is well after its record's arrival: such an event must not move a clock.

    Raises `RecordError` then.

    >>> from detector.event import AccessEvent, ActorKind, Operation
    >>> event = AccessEvent(time_ms=FUTURE_MS, event_id="a", tenant="t", actor="u",
    ...                     actor_kind=ActorKind.HUMAN, operation=Operation.QUERY)
    >>> reject_future(event, 0) is event
    True
    """
    if event.time_ms > arrived_ms + FUTURE_MS:
        origin = event.origin
        detail = f"event time {event.time_ms} ms"
        raise RecordError(origin.adapter, origin.position, Rejection.FUTURE, detail)
    return event
