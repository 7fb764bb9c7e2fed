"""Finds the adapters, and the one that reads a record: every module in this package that defines `ADAPTER` is one."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Sequence

import detector.adapters as _package
from detector.adapters.adapter import Adapter
from detector.adapters.rejection import RecordError, Rejection
from detector.adapters.wrapper import MAX_BYTES, MAX_DEPTH, MAX_PARTS, describe, parts, top_level
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

    A single adapter has been chosen by name: it reads the record whether it recognises it or not. A record that is
    not read as it is, is opened (`detector.adapters.wrapper`), and its parts are asked. Raises `RecordError` if no
    adapter recognises the record or a part of it, or the one that does cannot read it: the reason is that of the
    innermost record that an adapter recognises by its own keys.
    """
    adapter = adapters[0] if len(adapters) == 1 else recognise(record, adapters)
    refused: RecordError | None = None
    if adapter is not None:
        try:
            return adapter.decode(record, position)
        except RecordError as error:
            refused = error
    return _Opening(position, adapters, refused).event(record)


class _Opening:
    """One record being opened, as it is not read as it is."""

    def __init__(self, position: str, adapters: Sequence[Adapter], refused: RecordError | None) -> None:
        self._position = position
        self._adapters = adapters
        self._refused = refused
        self._looked_at = self._bytes = 0
        self._innermost: tuple[int, RecordError] | None = None
        self._seen: set[bytes] = set()

    def event(self, record: bytes) -> AccessEvent:
        event = self._search(record, 0)
        if event is not None:
            return event
        raise self._reason(record) from None

    def _search(self, part: bytes, depth: int) -> AccessEvent | None:
        """The event of the first part that an adapter reads."""
        self._looked_at += 1
        self._bytes += len(part)
        adapter, claims = self._reader(part, depth)
        if adapter is not None:
            if depth == 0 and self._refused is not None and adapter.name == self._refused.adapter:
                error = self._refused
            else:
                try:
                    return adapter.decode(part, self._position)
                except RecordError as refused:
                    error = refused
            if claims and (self._innermost is None or depth > self._innermost[0]):
                self._innermost = depth, error
        if depth < MAX_DEPTH:
            for inner in parts(part):
                if self._looked_at >= MAX_PARTS or self._bytes > MAX_BYTES:
                    break
                if inner in self._seen:
                    continue
                self._seen.add(inner)
                event = self._search(inner, depth + 1)
                if event is not None:
                    return event
        return None

    def _reader(self, part: bytes, depth: int) -> tuple[Adapter | None, bool]:
        """The adapter to ask of a part: the one of its own keys, else the one that sees its keys somewhere inside.

        The second value says whether the part is certainly a record of the adapter's.
        """
        if len(self._adapters) == 1:
            return self._adapters[0], True
        if depth == 0 and self._refused is None:
            return None, False  # none recognises it
        # A mapping's or a plug-in's rule is its author's: it comes first, and looks where it says.
        foreign = recognise(part, (adapter for adapter in self._adapters if not _is_built_in(adapter)))
        if foreign is not None:
            return foreign, True
        own_keys = top_level(part)
        own = recognise(part if own_keys is None else own_keys, self._adapters)
        return (recognise(part, self._adapters), False) if own is None else (own, True)

    def _reason(self, record: bytes) -> RecordError:
        refused = self._refused
        if self._innermost is not None:
            innermost = self._innermost[1]
            # An event taken out of its own envelope has lost its type; that is not what was wrong with it.
            lost = innermost.reason is Rejection.UNKNOWN_TYPE and refused is not None
            if lost and refused is not None and refused.reason in (Rejection.BAD_TIME, Rejection.BAD_VALUE):
                return refused
            return innermost
        if record[:1] == b"{" and top_level(record) is None:
            if refused is not None:
                return refused
            detail = "it begins as a JSON object and is none"
            return RecordError("", self._position, Rejection.MALFORMED, detail)
        detail = f"no adapter recognises {describe(record)}"
        return RecordError("", self._position, Rejection.UNKNOWN_FORMAT, detail)


def _is_built_in(adapter: Adapter) -> bool:
    return ADAPTERS.get(adapter.name) is adapter


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
