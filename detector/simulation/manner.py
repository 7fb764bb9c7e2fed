"""The manner of an attack: from where, when, how fast and for how long, drawn from ranges that its level sets.

Each aspect is drawn on its own, so that they combine: a hard attack may come at night from a hosting provider, and an
easy one in working hours, though seldom.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random

import msgspec

from detector.simulation.shapes import Difficulty

__all__ = ["AttackHours", "AttackPlace", "Manner", "draw_manner"]


class AttackPlace(StrEnum):
    """What kind of network the attacker comes from."""

    OWN = "own"
    """The account's own, or one of the same kind where the attacker has none of the account's."""
    HOME = "home"
    MOBILE = "mobile"
    HOSTING = "hosting"
    VPN = "vpn"
    TOR = "tor"


class AttackHours(StrEnum):
    """When the attacker works, in the account's local time."""

    WORK = "work"
    EVENING = "evening"
    NIGHT = "night"


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """One attack's manner."""

    place: AttackPlace
    hours: AttackHours
    own_agent: bool
    """Whether it copies the account's user agent."""
    scouts: bool
    """Whether it looks around first."""
    dwell_days: int
    """Days between looking around and taking."""
    days: int
    """Days over which the taking is spread."""
    pace: float
    """Factor on the time between single acts."""


_PLACES: dict[Difficulty, dict[AttackPlace, float]] = {
    Difficulty.EASY: {
        AttackPlace.VPN: 4,
        AttackPlace.HOSTING: 4,
        AttackPlace.TOR: 2,
        AttackPlace.MOBILE: 0.5,
    },
    Difficulty.MEDIUM: {
        AttackPlace.VPN: 3,
        AttackPlace.HOSTING: 2,
        AttackPlace.HOME: 3,
        AttackPlace.MOBILE: 2,
        AttackPlace.OWN: 1,
    },
    Difficulty.HARD: {
        AttackPlace.OWN: 5,
        AttackPlace.HOME: 3,
        AttackPlace.MOBILE: 1,
        AttackPlace.VPN: 1,
        AttackPlace.HOSTING: 0.5,
    },
}
_HOURS: dict[Difficulty, dict[AttackHours, float]] = {
    Difficulty.EASY: {AttackHours.NIGHT: 5, AttackHours.EVENING: 3, AttackHours.WORK: 1},
    Difficulty.MEDIUM: {AttackHours.NIGHT: 2, AttackHours.EVENING: 3, AttackHours.WORK: 3},
    Difficulty.HARD: {AttackHours.NIGHT: 1, AttackHours.EVENING: 2, AttackHours.WORK: 7},
}
_OWN_AGENT = {Difficulty.EASY: 0.2, Difficulty.MEDIUM: 0.5, Difficulty.HARD: 0.9}
_SCOUTS = {Difficulty.EASY: 0.9, Difficulty.MEDIUM: 0.7, Difficulty.HARD: 0.5}
_DWELL = {Difficulty.EASY: (0, 3), Difficulty.MEDIUM: (1, 6), Difficulty.HARD: (1, 10)}
_DAYS = {Difficulty.EASY: (1, 2), Difficulty.MEDIUM: (1, 5), Difficulty.HARD: (2, 8)}
_PACE = {Difficulty.EASY: (0.5, 1.5), Difficulty.MEDIUM: (0.7, 3.0), Difficulty.HARD: (0.8, 5.0)}
_DRAWN_OUT = 0.15
"""Share of the attacks that take much more time than their level has."""
_DRAWN_OUT_DAYS = (7, 14)


def draw_manner(random: Random, level: Difficulty, room_days: int) -> Manner:
    """A manner of a level that fits into so many days."""
    place, hours = _PLACES[level], _HOURS[level]
    days = random.randint(*_DAYS[level])
    if random.random() < _DRAWN_OUT:
        days = random.randint(*_DRAWN_OUT_DAYS)
    dwell = min(random.randint(*_DWELL[level]), max(0, room_days // 3))
    return Manner(
        place=random.choices(list(place), list(place.values()))[0],
        hours=random.choices(list(hours), list(hours.values()))[0],
        own_agent=random.random() < _OWN_AGENT[level],
        scouts=random.random() < _SCOUTS[level],
        dwell_days=dwell,
        days=max(1, min(days, room_days - dwell - 2)),
        pace=random.uniform(*_PACE[level]),
    )
