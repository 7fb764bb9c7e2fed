"""Harmless bursts, planned from the seed and labelled, because alerts on them are false.

A `Calendar` says what is different on which day; `routine` asks it while it makes the days' acts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from random import Random

import msgspec

from detector.simulation.actions import App
from detector.simulation.addresses import host_ip
from detector.simulation.company import Company, JobRole, WorkRhythm
from detector.simulation.distributions import stream
from detector.units import DAY_MS, HOUR_MS

__all__ = ["Burst", "BurstKind", "Calendar", "Upgrade", "calendar"]

LEAST_MONTH_END = 1.2
"""Below this factor a month's end is no burst."""
WARM_DAYS = 8
"""Nothing unusual is planned before this day."""
_CALLED = {JobRole.AGENT, JobRole.SUPERVISOR, JobRole.BACK_OFFICE}
_REPORTERS = {JobRole.SALES, JobRole.SUPERVISOR, JobRole.ANALYST, JobRole.MARKETING}


class BurstKind(StrEnum):
    """The bursts that are simulated."""

    QUARTER_END = "quarter_end"
    MIGRATION = "migration"
    DISRUPTION = "disruption"
    OUTAGE = "outage"
    UPGRADE = "upgrade"
    EGRESS = "egress"
    PROJECT = "project"
    ROLLOUT = "rollout"
    LOGIN_DAY = "login_day"
    MONTH_END = "month_end"
    BACKFILL = "backfill"
    NEW_HIRE = "new_hire"
    RETURN = "return"
    NIGHT_TRAVEL = "night_travel"
    ON_CALL = "on_call"
    LARGE_REPORT = "large_report"
    SPRAY = "spray"


class Burst(msgspec.Struct, frozen=True):
    """One unusual time, and whom it concerns: account numbers, or none for everybody."""

    kind: BurstKind
    start_ms: int
    end_ms: int
    accounts: tuple[int, ...] = ()


class Upgrade(msgspec.Struct, frozen=True):
    """An integration that moves."""

    account: int
    day: int
    ip: str
    """Where it runs from then on."""


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """What is different on which day; what does not happen is -1 or empty."""

    bursts: tuple[Burst, ...]
    quarter_end: int = -1
    """The last day of the quarter."""
    disruption: int = -1
    disruption_factor: float = 1.0
    migration: int = -1
    migration_account: int = 0
    outage: tuple[int, int] = (0, 0)
    """From and to, in ms since 1970."""
    upgrades: tuple[Upgrade, ...] = ()
    backfills: frozenset[tuple[int, int]] = frozenset()
    """Accounts and days."""
    month_ends: frozenset[int] = frozenset()
    """The last two days of each month."""
    month_end_factor: float = 1.0
    quarter_end_factor: float = 3.2
    egress: int = -1
    egress_office: int = 0
    project: int = -1
    project_days: int = 0
    project_account: int = 0
    rollout: int = -1
    rollout_app: App = App(0, "")
    rollout_accounts: frozenset[int] = frozenset()
    login_day: int = -1
    odd_days: bool = True
    """Whether people have odd days of their own now and then."""

    def tasks(self, role: JobRole, day: int) -> float:
        """By how much more there is to do for a role on a day."""
        if day == self.disruption:
            return self.disruption_factor if role in _CALLED else 1.4
        if day == self.disruption + 1 and self.disruption >= 0:
            return 1 + (self.disruption_factor - 1) / 3 if role in _CALLED else 1.1
        return 1.0

    def reports(self, role: JobRole, day: int) -> float:
        """By how many times more reports are run by a role on a day."""
        near = self.quarter_end - 3 <= day <= self.quarter_end + 1 and self.quarter_end >= 0
        if role not in _REPORTERS:
            return 1.0
        return self.quarter_end_factor if near else self.month_end_factor if day in self.month_ends else 1.0


def calendar(company: Company, quarter_end: int) -> Calendar:
    """The unusual times of a company's weeks; about one in seven kinds does not happen.

    `quarter_end` is the quarter's last day, as a number within the world; it may lie outside.
    """
    random = stream(company.seed, "bursts")
    start, days = company.start_ms, company.days
    bursts: list[Burst] = []
    plan: dict[str, object] = {
        "quarter_end_factor": company.traits.quarter_end,
        "month_end_factor": company.traits.month_end,
    }

    def happens(kind: BurstKind, first: float, last: float, accounts: tuple[int, ...] = ()) -> bool:
        ends = min(last, days)
        if first < 0 or first >= days or ends <= first or random.random() >= company.traits.burst_chance:
            return False
        bursts.append(Burst(kind, start + int(first * DAY_MS), start + int(ends * DAY_MS), accounts))
        return True

    def workday() -> int:
        day = random.randrange(min(WARM_DAYS, days - 1), days)
        return day - max(0, day % 7 - 4)

    if happens(BurstKind.QUARTER_END, quarter_end - 3, quarter_end + 2):
        plan["quarter_end"] = quarter_end
    day = workday()
    if happens(BurstKind.DISRUPTION, day, day + 2):
        plan |= {"disruption": day, "disruption_factor": random.uniform(3, 5)}
    jobs = [
        one.account.number
        for one in company.integrations
        if one.rhythm in (WorkRhythm.NIGHTLY, WorkRhythm.DAILY)
    ]
    day, account = workday(), random.choice(jobs)
    if happens(BurstKind.MIGRATION, day, day + 3, (account,)):
        plan |= {"migration": day, "migration_account": account}
    begin = start + workday() * DAY_MS + random.randrange(6, 15) * HOUR_MS
    end = begin + random.randrange(3, 7) * HOUR_MS
    if happens(BurstKind.OUTAGE, (begin - start) / DAY_MS, (end - start) / DAY_MS + 0.25):
        plan["outage"] = (begin, end)
    plan["upgrades"] = _upgrades(company, random, workday, happens)
    plan["backfills"] = _backfills(company, random, workday, happens)
    plan["month_ends"] = _month_ends(company, happens)
    day, office = workday(), random.randrange(min(3, len(company.traits.offices)))
    sitting = tuple(person.account.number for person in company.people if person.office == office)
    if happens(BurstKind.EGRESS, day, days, sitting):
        plan |= {"egress": day, "egress_office": office}
    day, account = workday(), _somebody(company, JobRole.ANALYST, random.random())
    length = random.randrange(4, 7)
    if happens(BurstKind.PROJECT, day, day + length, (account,)):
        plan |= {"project": day, "project_days": length, "project_account": account}
    day = workday()
    users = [
        person.account.number
        for person in company.people
        if person.role in (JobRole.SALES, JobRole.MARKETING)
    ]
    chosen = tuple(sorted(random.sample(users, min(len(users), 18))))
    if happens(BurstKind.ROLLOUT, day, days, chosen):
        plan |= {
            "rollout": day,
            "rollout_app": App(60, "mail-companion"),
            "rollout_accounts": frozenset(chosen),
        }
    day = workday()
    if happens(BurstKind.LOGIN_DAY, day, day + 1):
        plan["login_day"] = day
    return msgspec.structs.replace(Calendar(bursts=tuple(bursts)), **plan)


def _upgrades(
    company: Company, random: Random, workday: Callable[[], int], happens: Callable[..., bool]
) -> tuple[Upgrade, ...]:
    callers = [one.account.number for one in company.integrations if one.rhythm is not WorkRhythm.WEEKLY]
    found = []
    for account in random.sample(callers, min(company.traits.upgrades, len(callers))):
        day, ip = workday(), host_ip(100 + random.randrange(60))
        if happens(BurstKind.UPGRADE, day, company.days, (account,)):
            found.append(Upgrade(account, day, ip))
    return tuple(found)


def _backfills(
    company: Company, random: Random, workday: Callable[[], int], happens: Callable[..., bool]
) -> frozenset[tuple[int, int]]:
    """Only programs that read on their own repeat what they read; who serves calls or watches has nothing to repeat."""
    readers = [
        one.account.number
        for one in company.integrations
        if one.rhythm in (WorkRhythm.POLL, WorkRhythm.DAILY, WorkRhythm.NIGHTLY)
    ]
    found = set()
    for _ in range(company.traits.backfills if readers else 0):
        account, day = random.choice(readers), workday()
        if happens(BurstKind.BACKFILL, day, day + 1, (account,)):
            found.add((account, day))
    return frozenset(found)


def _month_ends(company: Company, happens: Callable[..., bool]) -> frozenset[int]:
    """The last two days of each month, in a company that then reports more."""
    found: set[int] = set()
    if company.traits.month_end < LEAST_MONTH_END:
        return frozenset()
    for day in range(2, company.days):
        if datetime.fromtimestamp(company.start_ms / 1000 + (day + 1) * 86_400, UTC).day == 1 and happens(
            BurstKind.MONTH_END, day - 1, day + 1
        ):
            found |= {day - 1, day}
    return frozenset(found)


def _somebody(company: Company, role: JobRole, draw: float) -> int:
    numbers = [person.account.number for person in company.people if person.role is role]
    numbers = numbers or [person.account.number for person in company.people]
    return numbers[int(draw * len(numbers))]
