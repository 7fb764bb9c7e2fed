"""One day of one cell of a tenant's population, in whole numbers, and the cells' names."""

from __future__ import annotations

from functools import lru_cache
from math import log

import msgspec

from detector.signal import Familiarity, Measure

__all__ = ["Cell", "encode", "key_of", "name_of", "parts_of"]

DECADE = log(10)
MOST_DECADE = 4


class Cell(msgspec.Struct, array_like=True, gc=False):
    """One day of one cell of the population, in whole numbers."""

    windows: int = 0
    """How many identities' days were counted."""
    level_milli: int = 0
    """The sum of ``log1p(value)`` in thousandths."""
    level_milli_squares: int = 0
    within: int = 0
    """How many of them belong to identities with their own level."""
    within_milli_squares: int = 0
    """Their squared distances from that level."""
    counts: dict[int, int] = {}
    """Histogram: bin (of width `BIN`) → days; or value's checksum → identities."""


def encode(cell: Cell) -> bytes:
    """The cell as bytes: equal for equal figures, in any order of arrival."""
    ordered = dict(sorted(cell.counts.items()))
    return msgspec.msgpack.encode(msgspec.structs.replace(cell, counts=ordered))


def key_of(day: int, tenant: str, name: str) -> str:
    """A cell's key. Names of tenants and peer groups are arbitrary, so the tenant's length precedes it."""
    return f"{day}|{len(tenant)}|{tenant}|{name}"


def parts_of(key: str) -> tuple[int, str, str]:
    """The day, the tenant and the name of a cell. Raises `ValueError` for an invalid key."""
    day, length, rest = key.split("|", 2)
    end = int(length)
    if rest[end : end + 1] != "|":
        raise ValueError(f"not the key of a cell: {key!r}")
    return int(day), rest[:end], rest[end + 1 :]


@lru_cache(maxsize=16_384)
def _cell_name(peers: str, detector: str, channel: str, span: str, familiarity: str, decade: int) -> str:
    return f"{peers}|{detector}|{channel}|{span}|{familiarity}{decade or ''}"


def name_of(peers: str, measure: Measure) -> str:
    """The cell of a measure: identities that usually take thousands are compared with one another."""
    decade = 0
    if measure.familiarity is Familiarity.REGULARLY:
        decade = 1 + min(MOST_DECADE, int(measure.mean / DECADE))
    return _cell_name(peers, measure.detector, measure.channel, measure.span, measure.familiarity, decade)
