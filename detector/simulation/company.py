"""The CRM's users: people in roles, integrations and portals, with their places and programs.

All of it is drawn from the seed. Addresses lie in ranges that nobody owns: offices in the documentation
networks, homes in 100.64.0.0/10, mobiles, hosts and visitors in 198.18.0.0/15.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random

import msgspec

from detector.event import ActorKind
from detector.simulation.actions import App, Interface, Login
from detector.simulation.addresses import host_ip
from detector.simulation.distributions import stream
from detector.simulation.traits import ORDINARY, CompanyTraits
from detector.units import DAY_MS

__all__ = [
    "Company",
    "Employee",
    "Integration",
    "JobRole",
    "Portal",
    "WorkRhythm",
    "browser",
    "company",
    "version",
]

RECORDS = {
    "Account": 30_000,
    "Case": 60_000,
    "Contact": 45_000,
    "ContentDocument": 25_000,
    "Lead": 9_000,
    "Loyalty__c": 20_000,
    "Opportunity": 8_000,
    "Task": 30_000,
}
"""How many records of each kind there are."""


class JobRole(StrEnum):
    """What a person is employed for."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    SALES = "sales"
    ANALYST = "analyst"
    MARKETING = "marketing"
    BACK_OFFICE = "back_office"
    ADMIN = "admin"


FIRST_INTEGRATION = 9_000
"""The number of the first integration's account."""
_TASKS = {
    JobRole.AGENT: 13.0,
    JobRole.SUPERVISOR: 13.0,
    JobRole.SALES: 11.0,
    JobRole.ANALYST: 10.0,
    JobRole.MARKETING: 9.0,
    JobRole.BACK_OFFICE: 13.0,
    JobRole.ADMIN: 12.0,
}
_REPORT_ROWS = {
    JobRole.AGENT: 40.0,
    JobRole.SUPERVISOR: 160.0,
    JobRole.SALES: 180.0,
    JobRole.ANALYST: 520.0,
    JobRole.MARKETING: 300.0,
    JobRole.BACK_OFFICE: 70.0,
    JobRole.ADMIN: 250.0,
}
_SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Windows NT 10.0; Win64; x64",
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
)


class Employee(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who works with the CRM."""

    account: Login
    role: JobRole
    office: int
    zone_hours: int
    start_hour: int
    """Local hour at which the shift begins."""
    hours: int
    """Length of the shift."""
    workdays: frozenset[int]
    """Weekdays, Monday being 0."""
    tasks: float
    """Tasks on a usual day; a task is some clicks."""
    report_rows: float
    """Rows of a usual report of theirs."""
    report_spread: float
    """Deviation of the natural logarithm of their reports' rows."""
    exports: float
    """Of their reports, the share that is exported."""
    from_home: float
    """The share of days worked from home."""
    first_day: int
    last_day: int
    """The days between which they are employed, as numbers within the world."""
    away: frozenset[int]
    """Days on which they do not work: holidays, illness, public holidays."""
    system: str
    fox: bool
    """Whether the browser is Firefox."""
    upgrade: int
    """When within four weeks their browser is upgraded."""
    stride: float
    """Typical seconds between clicks."""
    reports: tuple[int, ...]
    """The reports they use, the usual ones first."""
    subscribed: int | None
    """The UTC hour at which a report is run for them every working day; None for most."""
    hidden: bool
    """Whether they use a VPN of their own at home."""
    back: int | None
    """The day on which they return from a long leave; ``None`` for most."""


class WorkRhythm(StrEnum):
    """How an integration works."""

    POLL = "poll"
    """Every so many minutes a query of what has changed."""
    SERVE = "serve"
    """On demand, around the clock with the day's shape: a look-up, sometimes a write."""
    NIGHTLY = "nightly"
    """One bulk job per kind of record a night."""
    WEEKLY = "weekly"
    """One bulk job per kind of record a week: everything."""
    DAILY = "daily"
    """One long paged query a day."""
    WATCH = "watch"
    """Asks for limits, and describes once a day."""


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """A program with an account of its own."""

    account: Login
    app: App
    rhythm: WorkRhythm
    way: Interface
    kinds: tuple[str, ...]
    rows: float
    """Rows of a usual query or job."""
    spread: float
    """Deviation of the rows' natural logarithm."""
    every_minutes: float
    """Time between polls, or between calls in a usual hour."""
    hour: int
    """UTC hour of a nightly, daily or weekly run."""
    weekday: int
    ip: str
    agent: str
    hosts: int
    """How many machines of one network it runs on by turns."""
    release_days: float
    """Days between new versions of its agent; 0 for none."""


class Portal(msgspec.Struct, frozen=True, kw_only=True):
    """A public site: one guest account, many visitors."""

    account: Login
    kinds: tuple[str, ...]
    visits: float
    """Visits on a usual day."""


class Company(msgspec.Struct, frozen=True):
    """Everybody."""

    seed: int
    start_ms: int
    days: int
    people: tuple[Employee, ...]
    integrations: tuple[Integration, ...]
    portals: tuple[Portal, ...]
    traits: CompanyTraits = ORDINARY

    @property
    def end_ms(self) -> int:
        """Where its last day ends."""
        return self.start_ms + self.days * DAY_MS


def version(one: Integration, day: int) -> str:
    """The user agent of an integration on a day: the last part of its version rises with each release.

    An agent whose version is not at the end stays as it is.
    """
    head, dot, last = one.agent.rpartition(".")
    if not one.release_days or not last.isdigit():
        return one.agent
    return f"{head}{dot}{int(last) + int(day / one.release_days + one.account.number % 7 / 7)}"


def browser(person: Employee, day: int) -> str:
    """The user agent of somebody's browser on a day; it is upgraded every four weeks."""
    version = 142 + (day + person.upgrade) // 28
    if person.fox:
        return f"Mozilla/5.0 ({person.system}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
    return (
        f"Mozilla/5.0 ({person.system}) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{version}.0.0.0 Safari/537.36"
    )


def company(
    seed: int,
    start_ms: int,
    days: int,
    people: int,
    integrations: int | None = None,
    *,
    portals: bool = True,
    traits: CompanyTraits = ORDINARY,
) -> Company:
    """A company of so many people and integrations (by default as many as its traits say), with portals or none."""
    roles = _roles(people, traits)
    holidays = {
        office: _holidays(seed, office, days, traits.public_holidays) for office in range(len(traits.offices))
    }
    return Company(
        seed,
        start_ms,
        days,
        tuple(_person(seed, number, role, days, holidays, traits) for number, role in enumerate(roles, 1)),
        _integrations(seed, traits.programs if integrations is None else integrations, people, traits),
        _portals(seed)[: traits.portals] if portals else (),
        traits,
    )


def _roles(people: int, traits: CompanyTraits) -> list[JobRole]:
    """Everybody's role; at least one person has each, if there are enough."""
    shares = zip(JobRole, traits.role_shares, strict=True)
    roles = [role for role, share in shares for _ in range(max(1, round(people * share)))]
    if len(roles) > people:  # agents are the most and come first
        roles = roles[len(roles) - people :]
    return roles + [JobRole.AGENT] * (people - len(roles))


def _holidays(seed: int, office: int, days: int, share: float) -> frozenset[int]:
    random = stream(seed, "holidays", office)
    return frozenset(day for day in range(days) if day % 7 < 5 and random.random() < share)


_WEEK = frozenset(range(5))
_REPORTERS = frozenset({JobRole.SUPERVISOR, JobRole.SALES, JobRole.ANALYST, JobRole.MARKETING})
_FIRST_NAMES = (
    "anna",
    "bas",
    "chloe",
    "dario",
    "elif",
    "femke",
    "goran",
    "hana",
    "ines",
    "jonas",
    "kemal",
    "nadia",
)
_LAST_NAMES = ("aalto", "bakker", "costa", "duval", "eriksen", "fischer", "garcia", "haas", "ivanov", "kaya")


def _person(
    seed: int,
    number: int,
    role: JobRole,
    days: int,
    holidays: dict[int, frozenset[int]],
    traits: CompanyTraits,
) -> Employee:
    random = stream(seed, "person", number)
    office = random.choices(range(len(traits.offices)), [share for _, share in traits.offices])[0]
    start, hours, workdays = _shift(random, role)
    first, last = 0, days
    if random.random() < traits.joiners:
        first = random.randrange(10, max(11, days - 7))
    elif random.random() < traits.quitters:
        last = random.randrange(days // 2, days)
    away = set(holidays[office]) if role is not JobRole.AGENT or random.random() < 0.5 else set()
    if random.random() < traits.holidays:
        begin = random.randrange(days)
        away |= set(range(begin, begin + random.choice((5, 7, 7, 12, 14))))
    away |= {day for day in range(days) if random.random() < traits.illness}
    back = None
    if first == 0 and last == days and random.random() < traits.long_leaves:
        back = random.randrange(days // 2, days)
        away |= set(range(random.choice((0, 0, min(5, back))), back))
    never, rarely = {
        JobRole.AGENT: (0.85, 0.13), JobRole.SALES: (0.55, 0.35), JobRole.BACK_OFFICE: (0.7, 0.25),
        JobRole.SUPERVISOR: (0.3, 0.4), JobRole.ADMIN: (0.3, 0.4), JobRole.MARKETING: (0.1, 0.3),
        JobRole.ANALYST: (0.0, 0.1),
    }[role]  # fmt: skip
    habit = random.random()
    exports = 0.0 if habit < never else 0.06 if habit < never + rarely else random.uniform(0.2, 0.5)
    exports = min(0.9, exports * traits.exports)
    name = f"{random.choice(_FIRST_NAMES)}.{random.choice(_LAST_NAMES)}{number}@skyward.example.com"
    first_report = random.randrange(1, 400)
    return Employee(
        account=Login(number, name, ActorKind.HUMAN),
        role=role,
        office=office,
        zone_hours=traits.offices[office][0],
        start_hour=start,
        hours=hours,
        workdays=workdays,
        tasks=_TASKS[role] * random.lognormvariate(0, 0.4) * hours / 8,
        report_rows=traits.report_rows * _REPORT_ROWS[role] * random.lognormvariate(0, 0.6),
        report_spread=traits.report_spread,
        exports=exports,
        from_home=min(0.95, traits.home_share * random.choice((0.0, 0.0, 0.8, 1.7, 2.5))),
        first_day=first,
        last_day=last,
        away=frozenset(away),
        system=random.choice(_SYSTEMS),
        fox=random.random() < 0.15,
        upgrade=random.randrange(28),
        stride=random.lognormvariate(2.7, 0.3),
        reports=tuple(first_report + random.randrange(40) for _ in range(random.randrange(2, 9))),
        subscribed=random.randrange(4, 8) if role in _REPORTERS and random.random() < 0.25 else None,
        hidden=random.random() < traits.vpn_share,
        back=back,
    )


def _shift(random: Random, role: JobRole) -> tuple[int, int, frozenset[int]]:
    hours = random.choice((8, 8, 8, 8, 5))
    if role in (JobRole.AGENT, JobRole.SUPERVISOR):
        start = random.choice((6, 6, 8, 9, 9, 13, 13, 15, 22))
        free = random.randrange(7)
        if random.random() < 0.6:
            return start, hours, frozenset(day for day in range(7) if day not in (free, (free + 1) % 7))
        return start, hours, _WEEK
    start = random.choice((7, 8, 8, 9, 9, 10))
    if hours == 5 and random.random() < 0.5:  # fewer days rather than shorter ones
        return start, 8, _WEEK - {random.randrange(5), random.randrange(5)}
    return start, hours, _WEEK


_INTEGRATIONS: tuple[tuple[str, WorkRhythm, Interface, tuple[str, ...], float, float, float], ...] = (
    ("loyalty-sync", WorkRhythm.POLL, Interface.REST, ("Contact", "Loyalty__c"), 60, 0.7, 15),
    (
        "warehouse-loader", WorkRhythm.NIGHTLY, Interface.BULK,
        ("Case", "Contact", "Account", "Opportunity"), 3_000, 0.3, 0,
    ),
    ("campaign-cloud", WorkRhythm.POLL, Interface.SOAP, ("Contact", "Lead"), 350, 0.6, 60),
    ("vault-backup", WorkRhythm.WEEKLY, Interface.BULK, ("Case", "Contact", "Account", "Task"), 26_000, 0.06, 0),
    ("ticket-bot", WorkRhythm.SERVE, Interface.REST, ("Case",), 4, 0.8, 4),
    ("telephony", WorkRhythm.SERVE, Interface.REST, ("Contact", "Account"), 2, 0.6, 2.5),
    ("billing-sync", WorkRhythm.POLL, Interface.SOAP, ("Account", "Opportunity"), 40, 0.8, 30),
    ("survey-sender", WorkRhythm.DAILY, Interface.REST, ("Contact",), 900, 0.35, 0),
    ("partner-export", WorkRhythm.WEEKLY, Interface.BULK, ("Contact", "Loyalty__c"), 18_000, 0.08, 0),
    ("chat-platform", WorkRhythm.SERVE, Interface.REST, ("Case", "Contact"), 6, 0.9, 5),
    ("data-quality", WorkRhythm.DAILY, Interface.SOAP, ("Contact", "Account"), 5_000, 0.4, 0),
    ("mobile-backend", WorkRhythm.SERVE, Interface.REST, ("Loyalty__c", "Case"), 3, 0.7, 2),
    ("watchman", WorkRhythm.WATCH, Interface.REST, (), 0, 0, 10),
)  # fmt: skip
_CLIENTS = (
    "Java/21.0.4",
    "Apache-HttpClient/4.5.14 (Java/17.0.9)",
    "axios/1.7.9",
    "Go-http-client/2.0",
    "okhttp/4.12.0",
)


def _integrations(seed: int, count: int, people: int, traits: CompanyTraits) -> tuple[Integration, ...]:
    """So many; beyond one of each kind there are more of each. Their accounts come behind the people's.

    The first loads in bulk every night, as it does in any company; an ordinary one has the others in a fixed order.
    """
    first = max(FIRST_INTEGRATION, people + 1)
    order = [1, 0, *range(2, len(_INTEGRATIONS))]
    if traits is not ORDINARY:
        others = order[1:]
        stream(seed, "integrations").shuffle(others)
        order[1:] = others
    made = []
    for number in range(count):
        further, place = divmod(number, len(_INTEGRATIONS))
        name, rhythm, way, kinds, rows, spread, every = _INTEGRATIONS[order[place]]
        name = f"{name}-{further + 1}" if further else name
        random = stream(seed, "integration", number)
        own = random.random() < 0.5
        made.append(
            Integration(
                account=Login(first + number, f"svc.{name}@skyward.example.com", ActorKind.INTEGRATION),
                app=App(1 + number, name),
                rhythm=rhythm,
                way=way,
                kinds=kinds,
                rows=rows * random.lognormvariate(0, traits.program_spread),
                spread=spread,
                every_minutes=every
                * (random.lognormvariate(0, 0.3) if rhythm is WorkRhythm.SERVE else 1)
                * traits.program_pace,
                hour=random.choice((0, 1, 2, 3, 4))
                if rhythm is not WorkRhythm.DAILY
                else random.randrange(4, 12),
                weekday=random.choice((5, 6)),
                ip=host_ip(random.randrange(100)),
                agent=f"{name}/{random.randrange(1, 6)}.{random.randrange(10)}"
                if own
                else random.choice(_CLIENTS),
                hosts=random.choice((1, 1, 1, 4, 12)),
                release_days=7 / traits.releases if traits.releases else 0.0,
            )
        )
    return tuple(made)


def _portals(seed: int) -> tuple[Portal, ...]:
    plan = (
        ("help-centre", ("Case", "Knowledge__kav"), 110.0),
        ("loyalty-portal", ("Loyalty__c",), 160.0),
        ("claims-form", ("Case",), 40.0),
    )
    return tuple(
        Portal(
            account=Login(9500 + number, f"{name}@skyward.example.com", ActorKind.GUEST),
            kinds=kinds,
            visits=visits * stream(seed, "portal", number).lognormvariate(0, 0.3),
        )
        for number, (name, kinds, visits) in enumerate(plan)
    )
