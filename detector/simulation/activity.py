"""All acts in a company, ordinary days and attacks, in order of time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import attrgetter

from detector.simulation.actions import SimulatedAction
from detector.simulation.attacks import Attack
from detector.simulation.bursts import Calendar
from detector.simulation.company import Company
from detector.simulation.programs import integration_days, portal_days
from detector.simulation.routine import person_days
from detector.simulation.shapes import Shape
from detector.units import DAY_MS, HOUR_MS

__all__ = ["everything_done", "routine", "stream_of"]

Days = Iterator[list[SimulatedAction]]
EARLY_MS = 6 * HOUR_MS
"""No working day begins earlier than this before midnight UTC, in any time zone."""
_by_time = attrgetter("time_ms")


def routine(company: Company, plan: Calendar) -> dict[int, list[SimulatedAction]]:
    """Each account's ordinary acts, by its number."""
    done = {number: [act for acts in days for act in acts] for number, days in _days(company, plan).items()}
    for acts in done.values():
        acts.sort(key=_by_time)
    return done


def everything_done(
    company: Company, plan: Calendar, done: dict[int, list[SimulatedAction]], attacks: Sequence[Attack]
) -> list[SimulatedAction]:
    """The ordinary acts within the company's days and those of the attacks, in order."""
    _take_leave(done, attacks)
    acts = [act for own in done.values() for act in own if company.start_ms <= act.time_ms < company.end_ms]
    acts += [act for attack in attacks for act in attack.acts]
    _catch_up(acts, plan)
    acts.sort(key=_by_time)
    return acts


def stream_of(company: Company, plan: Calendar, attacks: Sequence[Attack]) -> Iterator[SimulatedAction]:
    """The same, made a day at a time, so that the first is there at once and no more than some days are in memory."""
    accounts = list(_days(company, plan).values())
    waiting = [act for attack in attacks for act in attack.acts]
    for day in range(company.days):
        for days in accounts:
            acts = next(days)
            _catch_up(acts, plan)
            waiting += acts
        waiting.sort(key=_by_time)
        until_ms = company.start_ms + (day + 1) * DAY_MS - EARLY_MS
        ready = bisect_left(waiting, until_ms, key=_by_time)
        yield from waiting[bisect_left(waiting, company.start_ms, key=_by_time) : ready]
        del waiting[:ready]
    yield from waiting[: bisect_left(waiting, company.end_ms, key=_by_time)]


def _days(company: Company, plan: Calendar) -> dict[int, Days]:
    days: dict[int, Days] = {}
    for person in company.people:
        days[person.account.number] = person_days(company, person, plan)
    for integration in company.integrations:
        days[integration.account.number] = integration_days(company, integration, plan)
    for portal in company.portals:
        days[portal.account.number] = portal_days(company, portal)
    return days


def _take_leave(done: dict[int, list[SimulatedAction]], attacks: Sequence[Attack]) -> None:
    """Ends the work of an account whose owner has left with the book of business."""
    for attack in attacks:
        if attack.shape is Shape.LEAVER:
            gone_ms = attack.acts[-1].time_ms + DAY_MS // 2
            for number in attack.accounts:
                done[number] = [act for act in done[number] if act.time_ms < gone_ms]


def _catch_up(acts: list[SimulatedAction], plan: Calendar) -> None:
    """Nothing is done in an outage; what would have been is done soon after it."""
    begin, end = plan.outage
    for act in acts:
        if begin <= act.time_ms < end and not act.attack:
            act.time_ms = end + (act.time_ms - begin) * 2 // 5
