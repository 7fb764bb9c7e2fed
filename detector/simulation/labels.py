"""The labels of a simulated world: the attacks with what each took and when, and the bursts that are none.

`labels.json` is `Labels` as JSON. Identities are spelled as the adapters make them (``tenant/actor``).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import msgspec

from detector.simulation.shapes import Difficulty, Shape

__all__ = [
    "AttackLabel",
    "BurstLabel",
    "DefectLabel",
    "IdentityLabel",
    "Labels",
    "ObjectLabel",
    "OriginLabel",
    "ReconnaissanceLabel",
    "read_labels",
]

RowCountField = Annotated[int, msgspec.Meta(ge=0)]


class IdentityLabel(msgspec.Struct, frozen=True):
    """Somebody who acted at least once."""

    id: str
    role: str


class ObjectLabel(msgspec.Struct, frozen=True, kw_only=True):
    """What an attack read of one kind of record."""

    object: str
    """The object as the adapter spells it; empty if the log never names it."""
    rows: RowCountField = 0
    """Rows that the log shows, a record read twice counted twice."""
    records: RowCountField = 0
    """Distinct records that were really read, whether or not the log shows it."""
    downloaded: RowCountField = 0
    """Distinct records in results whose download the log shows: files, exports, jobs that were fetched."""
    ids: RowCountField = 0
    """Distinct record ids that the log shows; `record_ids` of the simulation lists them."""
    fields: tuple[str, ...] = ()
    """The fields that the log shows to have been asked for."""


class ReconnaissanceLabel(msgspec.Struct, frozen=True, kw_only=True):
    """How an attacker looked around before taking, as far as the log shows it."""

    first_ms: int
    last_ms: int
    networks: tuple[str, ...] = ()
    """The addresses it came from."""


class OriginLabel(msgspec.Struct, frozen=True, kw_only=True):
    """Where an attacker was first seen, by any of the attack's own networks or apps."""

    first_ms: int
    identity: str
    """Patient zero: whose account the first record names."""
    network: str
    identities: tuple[str, ...] = ()
    """Everybody whose account it touched, successfully or not, in the order of their first records."""


class AttackLabel(msgspec.Struct, frozen=True, kw_only=True):
    """One attack."""

    id: str
    shape: Shape
    level: Difficulty
    manner: dict[str, str | bool | int | float] = {}
    """The aspects of its `Manner` that its shape follows: what the attacker meant to do, which no log says."""
    identities: tuple[str, ...]
    """Whose accounts were used."""
    networks: tuple[str, ...] = ()
    """The attacker's own addresses; none where only the accounts' own were used."""
    start_ms: int
    end_ms: int
    taken: tuple[tuple[int, RowCountField], ...] = ()
    """(event time in ms, rows taken so far), as far as this format's log shows rows; both rise."""
    agents: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    """User agents, apps and sessions of the attack's records, as the adapter spells them."""
    objects: tuple[ObjectLabel, ...] = ()
    persons: RowCountField | None = None
    """Distinct contacts and leads read; ``None`` if other records were read too, whose persons nobody can say."""
    reconnaissance: ReconnaissanceLabel | None = None
    origin: OriginLabel | None = None
    """``None`` where only the accounts' own networks and apps were used."""


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
    event_type: str = ""
    """The type of the file or record concerned; empty for a file of all types."""


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
