"""Thefts of a dozen shapes at three levels of difficulty, as acts among the acts of a world.

A level sets how much is taken against what is normal for the account, and how well it hides: *easy* is loud
and from elsewhere, *medium* is several times the normal or at odd hours, *hard* stays near the normal, in
working hours, from networks and with agents as like the account's own as the shape allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from detector.simulation.actions import SimulatedAction
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
            found += _PLAYS[shape](scene)
    return found


_PLAYS: dict[Shape, Callable[[Scene], list[Attack]]] = {
    Shape.STOLEN_TOKEN: stolen_token,
    Shape.LOOKALIKE_APP: lookalike_app,
    Shape.NIGHT_AGENT: night_agent,
    Shape.LOW_AND_SLOW: low_and_slow,
    Shape.REPORT_SCRAPING: report_scraping,
    Shape.UI_PAGING: ui_paging,
    Shape.FILE_DOWNLOAD: file_download,
    Shape.DISTRIBUTED: distributed,
    Shape.GUEST_ENUMERATION: guest_enumeration,
    Shape.RAMP: ramp,
    Shape.LEAVER: leaver,
    Shape.SESSION_HIJACK: session_hijack,
}
