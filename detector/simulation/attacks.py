"""Thefts of a dozen shapes at three levels of difficulty, as acts among the acts of a world.

A level sets the ranges of how much is taken against what is normal for the account, and of the manner: *easy* is
mostly loud and from elsewhere, *medium* is several times the normal or at odd hours, *hard* stays near the normal,
mostly in working hours, from networks and with agents like the account's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from detector.simulation.actions import SimulatedAction
from detector.simulation.adaptive import adaptive
from detector.simulation.company import Company
from detector.simulation.drips import low_and_slow, ramp
from detector.simulation.insiders import file_download, leaver, report_scraping, ui_paging
from detector.simulation.outsiders import (
    distributed,
    guest_enumeration,
    lookalike_app,
    night_agent,
    session_hijack,
    stolen_token,
)
from detector.simulation.scene import Attack, Scene
from detector.simulation.shapes import Shape, difficulty_of

__all__ = ["Attack", "attacks"]


def attacks(
    company: Company, done: dict[int, list[SimulatedAction]], shapes: Iterable[Shape]
) -> list[Attack]:
    """The attacks of a world, each on accounts of its own; `done` has each account's ordinary acts by number.

    A shape whose kind of victim is not there is left out.
    """
    used: set[int] = set()
    found = []
    wanted = frozenset(shapes)
    for index, shape in enumerate(Shape):
        if shape in wanted:
            scene = Scene(company, done, used, index + 1, shape, difficulty_of(company.seed, shape))
            play, aspects = _PLAYS[shape]
            manner = msgspec.to_builtins(scene.manner)
            followed = {aspect: manner[aspect] for aspect in aspects.split()}
            found += [msgspec.structs.replace(attack, manner=followed) for attack in play(scene)]
    return found


_PLAYS: dict[Shape, tuple[Callable[[Scene], list[Attack]], str]] = {
    Shape.STOLEN_TOKEN: (stolen_token, "place hours own_agent scouts dwell_days days pace"),
    Shape.LOOKALIKE_APP: (lookalike_app, "place hours scouts days pace"),
    Shape.NIGHT_AGENT: (night_agent, "place hours own_agent scouts days"),
    Shape.LOW_AND_SLOW: (low_and_slow, ""),
    Shape.REPORT_SCRAPING: (report_scraping, "own_agent days"),
    Shape.UI_PAGING: (ui_paging, "hours days"),
    Shape.FILE_DOWNLOAD: (file_download, "place hours days"),
    Shape.DISTRIBUTED: (distributed, "place hours own_agent scouts days pace"),
    Shape.GUEST_ENUMERATION: (guest_enumeration, "place own_agent days"),
    Shape.RAMP: (ramp, ""),
    Shape.LEAVER: (leaver, "days"),
    Shape.SESSION_HIJACK: (session_hijack, "place hours own_agent scouts days pace"),
    Shape.ADAPTIVE: (adaptive, ""),
}
"""Each shape's play, and the aspects of the manner that it follows."""
