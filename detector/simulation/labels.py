"""The labels of a simulated world: the attacks with what each took and when, and the bursts that are none.

`labels.json` is `Labels` as JSON. Identities are spelled as the adapters make them (``tenant/actor``).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import msgspec

from detector.simulation.shapes import Difficulty, Shape

__all__ = ["AttackLabel", "BurstLabel", "DefectLabel", "IdentityLabel", "Labels", "read_labels"]

RowCountField = Annotated[int, msgspec.Meta(ge=0)]


class IdentityLabel(msgspec.Struct, frozen=True):
    """Somebody who acted at least once."""

    id: str
    role: str


class AttackLabel(msgspec.Struct, frozen=True, kw_only=True):
    """One attack."""

    id: str
    shape: Shape
    level: Difficulty
    identities: tuple[str, ...]
    """Whose accounts were used."""
    networks: tuple[str, ...] = ()
    """The attacker's own addresses; none where only the accounts' own were used."""
    start_ms: int
    end_ms: int
    taken: tuple[tuple[int, RowCountField], ...] = ()
    """(event time in ms, rows taken so far), as far as this format's log shows rows; both rise."""


class BurstLabel(msgspec.Struct, frozen=True, kw_only=True):
    """One unusual time that was nobody's theft."""

    kind: str
    identities: tuple[str, ...] | str
    """Whom it concerns, or ``all``."""
    start_ms: int
    end_ms: int


class DefectLabel(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with the logs themselves."""

    kind: str
    start_ms: int
    end_ms: int
    records: RowCountField


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """A world's truth."""

    seed: int
    format: str
    start_ms: int
    end_ms: int
    identities: tuple[IdentityLabel, ...]
    attacks: tuple[AttackLabel, ...] = ()
    bursts: tuple[BurstLabel, ...] = ()
    defects: tuple[DefectLabel, ...] = ()
    records: RowCountField = 0


_decoder = msgspec.json.Decoder(Labels)


def read_labels(data: bytes) -> Labels:
    """The labels in a file's bytes; raises ValueError with a sentence for what are none.

    >>> read_labels(b"[]")
    Traceback (most recent call last):
    ...
    ValueError: Expected `object`, got `array`
    """
    try:
        found = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(str(error)[:200]) from None
    if found.end_ms <= found.start_ms or not found.identities:
        raise ValueError("the span or the list of identities is empty")
    for attack in found.attacks:
        falls = any(later[0] <= taken[0] or later[1] < taken[1] for taken, later in pairwise(attack.taken))
        if attack.end_ms < attack.start_ms or falls:
            raise ValueError(f"attack {attack.id[:40]} ends before it starts, or its rows fall")
    return found
