"""Harmless doings that look like thefts, labelled as bursts because alerts on them are false.

They are as frequent as a company's traits say, and lie beside the ordinary days, whose dice they leave alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from random import Random

from detector.simulation.actions import ActionRecorder, Login, SimulatedAction
from detector.simulation.addresses import home_ip, mobile_ip, rented_ip, vpn_ip
from detector.simulation.bursts import Burst, BurstKind
from detector.simulation.company import RECORDS, Company, Employee, JobRole, browser
from detector.simulation.distributions import around, number_of, stream
from detector.units import DAY_MS, HOUR_MS

__all__ = ["look_alikes"]

NEW_DAYS = 10
"""For so long somebody counts as new, or as just back."""
BACK_DAYS = 3
_REPORTERS = (JobRole.ANALYST, JobRole.MARKETING, JobRole.SUPERVISOR, JobRole.SALES)
_CALLED_OUT = (JobRole.ADMIN, JobRole.BACK_OFFICE, JobRole.SUPERVISOR, JobRole.AGENT)
_SPRAYERS = (
    "python-requests/2.31.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36",
    "BAV2ROPC",
)
_SPRAY_SESSIONS = 990_000_000


def look_alikes(company: Company, done: dict[int, list[SimulatedAction]]) -> tuple[Burst, ...]:
    """Adds the look-alikes of a company's weeks to what each account has done, in order, and labels them."""
    acts: list[SimulatedAction] = []
    bursts = (
        *_newcomers(company),
        *_night_travel(company, acts),
        *_on_call(company, acts),
        *_large_reports(company, done, acts),
        *_sprays(company, acts),
    )
    for act in acts:
        done[act.account.number].append(act)
    for number in {act.account.number for act in acts}:
        done[number].sort(key=attrgetter("time_ms"))
    return bursts


def _burst(company: Company, kind: BurstKind, first: float, last: float, *accounts: int) -> Burst:
    start_ms = company.start_ms + int(first * DAY_MS)
    end_ms = min(company.end_ms, company.start_ms + int(last * DAY_MS))
    return Burst(kind, start_ms, end_ms, accounts)


def _newcomers(company: Company) -> Iterator[Burst]:
    """Everything is new of those who join, and much of those who return after weeks."""
    for person in company.people:
        number = person.account.number
        if 0 < person.first_day < company.days:
            first = person.first_day
            yield _burst(company, BurstKind.NEW_HIRE, first, first + NEW_DAYS, number)
        if person.back is not None:
            yield _burst(company, BurstKind.RETURN, person.back, person.back + BACK_DAYS, number)


def _there(company: Company, roles: tuple[JobRole, ...], day: int) -> list[Employee]:
    return [
        one
        for one in company.people
        if one.role in roles and one.first_day <= day < one.last_day and day not in one.away
    ]


def _hand(acts: list[SimulatedAction], person: Employee, ip: str, day: int, number: int) -> ActionRecorder:
    session = person.account.number * 100_000 + day * 100 + number
    return ActionRecorder(acts, person.account, ip, browser(person, day), session)


def _night(
    random: Random, company: Company, hand: ActionRecorder, person: Employee, day: int, records: int
) -> None:
    """Some hours of work after midnight, local time."""
    hour = random.uniform(23, 27) - person.zone_hours
    at = company.start_ms + day * DAY_MS + int(hour * HOUR_MS)
    hand.login(at)
    for step in range(records):
        at += around(random, 25_000, 0.9)
        kind = "Case" if random.random() < 0.6 else "Contact"
        if step % 25 == 24:
            hand.list_view(at, kind, around(random, 40, 0.4, 200))
        else:
            hand.view(at, kind, 1 + int(random.random() * RECORDS[kind]))


def _night_travel(company: Company, acts: list[SimulatedAction]) -> Iterator[Burst]:
    """Somebody on a journey catches up at night, from a hotel that nobody has seen before."""
    random = stream(company.seed, "night travel")
    mean = company.traits.night_travel * len(company.people) / 100 * company.days / 7
    for _ in range(number_of(random, mean)):
        day = random.randrange(company.days)
        there = _there(company, (JobRole.AGENT, JobRole.SALES, JobRole.SUPERVISOR), day)
        if not there:
            continue
        person, hotel, nights = random.choice(there), mobile_ip(random), random.randrange(1, 4)
        for night in range(day, min(company.days, day + nights)):
            hand = _hand(acts, person, hotel, night, 60)
            _night(random, company, hand, person, night, around(random, 45, 0.7, 400))
        yield _burst(company, BurstKind.NIGHT_TRAVEL, day, day + nights + 1, person.account.number)


def _on_call(company: Company, acts: list[SimulatedAction]) -> Iterator[Burst]:
    """Somebody is called out at night and works from home."""
    random = stream(company.seed, "on call")
    for _ in range(number_of(random, company.traits.on_call * company.days / 7)):
        day = random.randrange(company.days)
        there = _there(company, (random.choice(_CALLED_OUT),), day)
        if not there:
            continue
        person = random.choice(there)
        hand = _hand(acts, person, home_ip(person.account.number, 0), day, 65)
        _night(random, company, hand, person, day, around(random, 25, 0.8, 250))
        yield _burst(company, BurstKind.ON_CALL, day, day + 2, person.account.number)


def _large_reports(
    company: Company, done: dict[int, list[SimulatedAction]], acts: list[SimulatedAction]
) -> Iterator[Burst]:
    """One report far larger than the person's others, often taken away as a file."""
    random = stream(company.seed, "large reports")
    reporters = [one for one in company.people if one.role in _REPORTERS]
    for _ in range(number_of(random, company.traits.large_reports * len(reporters) * company.days)):
        day = random.randrange(company.days)
        there = _there(company, _REPORTERS, day)
        if not there:
            continue
        person = random.choice(there)
        session = person.account.number * 100_000 + day * 100
        work = [act for act in done[person.account.number] if act.session == session]
        if not work:
            continue
        hand = _hand(acts, person, work[0].ip, day, 0)
        hand.jobs += 800
        kind = random.choice(("Contact", "Case", "Account", "Lead"))
        rows = around(random, max(4_000, 25 * person.report_rows), 0.8, RECORDS[kind])
        at = work[0].time_ms + int(random.random() * (work[-1].time_ms - work[0].time_ms))
        hand.report(at, kind, rows, random.choice(person.reports) + 450, export=random.random() < 0.5)
        yield _burst(company, BurstKind.LARGE_REPORT, day, day + 1, person.account.number)


def _sprays(company: Company, acts: list[SimulatedAction]) -> Iterator[Burst]:
    """Somebody outside tries a few passwords on many accounts; none is right."""
    random = stream(company.seed, "sprays")
    for number in range(company.traits.sprays):
        begin = company.start_ms + int(random.random() * company.days * DAY_MS)
        names: list[Login] = [one.account for one in company.people]
        chosen = random.sample(names, min(len(names), around(random, 25, 0.8, 150)))
        ips = [random.choice((vpn_ip, rented_ip))(random) for _ in range(random.choice((1, 1, 3, 12)))]
        agent, pause = random.choice(_SPRAYERS), around(random, 40_000, 1.2, HOUR_MS)
        at = begin
        for account in chosen:
            hand = ActionRecorder(acts, account, random.choice(ips), agent, _SPRAY_SESSIONS + number)
            for _ in range(random.choice((1, 1, 2, 3))):
                at += around(random, pause, 0.5)
                hand.login(at, "LOGIN_ERROR_INVALID_PASSWORD")
        yield _burst(
            company,
            BurstKind.SPRAY,
            (begin - company.start_ms) / DAY_MS,
            (at - company.start_ms) / DAY_MS + 0.05,
            *(account.number for account in chosen),
        )
