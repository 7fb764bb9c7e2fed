"""People's ordinary work, day by day: tasks of a few clicks each, in shifts, from the office or from home."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from detector.simulation.actions import ActionRecorder, Interface, SimulatedAction
from detector.simulation.addresses import carrier_ip, home_ip, is_office, mobile_ip, office_ip, vpn_ip
from detector.simulation.benign_anomalies import odd_day
from detector.simulation.bursts import Calendar
from detector.simulation.company import RECORDS, Company, Employee, JobRole, browser
from detector.simulation.distributions import around, number_of, stream
from detector.simulation.soql import select
from detector.simulation.traits import CompanyTraits
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = ["person_days"]

_TASK_KINDS = ("case", "customer", "deal", "list", "search", "report", "file", "tool", "setup")
_TASK_WEIGHTS = {
    JobRole.AGENT: (62, 18, 0, 12, 6, 1.0, 2, 0, 0),
    JobRole.SUPERVISOR: (34, 10, 0, 24, 6, 24, 2, 0, 0),
    JobRole.SALES: (4, 24, 42, 16, 7, 5, 3, 0, 0),
    JobRole.ANALYST: (6, 6, 6, 14, 4, 60, 2, 2, 0),
    JobRole.MARKETING: (0, 18, 12, 28, 6, 32, 3, 0, 0),
    JobRole.BACK_OFFICE: (60, 10, 0, 14, 6, 2, 14, 0, 0),
    JobRole.ADMIN: (8, 10, 6, 22, 14, 14, 2, 10, 14),
}
_KINDS = {
    JobRole.AGENT: ("Case", "Case", "Contact"),
    JobRole.SUPERVISOR: ("Case", "Case", "Contact", "Task"),
    JobRole.SALES: ("Opportunity", "Account", "Contact", "Lead"),
    JobRole.ANALYST: ("Case", "Opportunity", "Account", "Contact", "Task"),
    JobRole.MARKETING: ("Contact", "Lead", "Lead", "Loyalty__c"),
    JobRole.BACK_OFFICE: ("Case", "Contact", "ContentDocument"),
    JobRole.ADMIN: ("Account", "Case", "Contact", "Opportunity", "Task"),
}
_WEEK_SHAPE = (1.16, 1.06, 1.0, 0.98, 0.86, 0.7, 0.62)
_LISTED = {"ContentDocument": "Case"}


def person_days(company: Company, person: Employee, plan: Calendar) -> Iterator[list[SimulatedAction]]:
    """What one person does, day by day."""
    random = stream(company.seed, "work", person.account.number)
    traits = company.traits
    lease = 0
    journey, hotel = -1, ""
    for day in range(company.days):
        acts: list[SimulatedAction] = []
        if random.random() < traits.lease_change:
            lease += 1
        if random.random() < traits.journeys:
            journey, hotel = day + random.randrange(2, 6), mobile_ip(random)
        begin = company.start_ms + day * DAY_MS + (person.start_hour - person.zone_hours) * HOUR_MS
        begin += int(random.gauss(0, 9) * MINUTE_MS)
        employed = person.first_day <= day < person.last_day
        called_in = day == plan.disruption and person.role is JobRole.AGENT and random.random() < 0.3
        if employed and person.subscribed is not None and day % 7 < 5:
            _subscription(acts, random, company, person, day)
        if not employed or day in person.away or not (day % 7 in person.workdays or called_in):
            yield acts
            continue
        ip = hotel if day < journey else _place(random, person, plan, day, lease, traits)
        hand = ActionRecorder(
            acts, person.account, ip, browser(person, day), person.account.number * 100_000 + day * 100
        )
        _day(random, hand, person, plan, day, begin, traits)
        if plan.odd_days:
            odd_day(random, hand, person, day, begin, traits.odd_days)
        yield acts


def _place(
    random: Random, person: Employee, plan: Calendar, day: int, lease: int, traits: CompanyTraits
) -> str:
    """The place that a person works from today."""
    number = person.account.number
    where = random.random()
    if where < traits.mobile:
        return carrier_ip(number, random)
    if where < traits.mobile + person.from_home:
        # A few send their own traffic through a VPN, by whichever exit it is today.
        return (
            vpn_ip(stream(number, "own vpn", day // traits.vpn_exit_days))
            if person.hidden
            else home_ip(number, lease)
        )
    moved = person.office == plan.egress_office and 0 <= plan.egress <= day
    return office_ip(person.office, number, moved)


def _day(
    random: Random,
    hand: ActionRecorder,
    person: Employee,
    plan: Calendar,
    day: int,
    begin: int,
    traits: CompanyTraits,
) -> None:
    number = person.account.number
    span = person.hours * HOUR_MS
    if traits.second_factor and random.random() < traits.second_factor and not is_office(hand.ip):
        hand.login(begin - 8_000, "LOGIN_CHALLENGE_ISSUED")
    hand.login(begin)
    if day == plan.login_day:
        for _ in range(random.randrange(1, 4)):
            hand.login(
                begin + random.randrange(1, 20) * MINUTE_MS,
                random.choice(("LOGIN_ERROR_INVALID_PASSWORD", "")),
            )
    elif random.random() < traits.mistyped:
        hand.login(begin - 20_000, "LOGIN_ERROR_INVALID_PASSWORD")
    busy = plan.tasks(person.role, day) * random.lognormvariate(0, traits.busy_spread)
    if random.random() < 0.03:  # clearing up, covering for somebody, a queue taken over
        busy *= random.lognormvariate(0.7, 0.3)
    more_reports = plan.reports(person.role, day)
    weights = list(_TASK_WEIGHTS[person.role])
    weights[5] *= more_reports
    busy *= 1 + (more_reports - 1) * weights[5] / more_reports / sum(weights)
    tasks = number_of(random, person.tasks * _WEEK_SHAPE[day % 7] * busy)
    noon = begin + span // 2
    for kind in random.choices(_TASK_KINDS, weights, k=tasks):
        at = begin + MINUTE_MS + int(random.random() * span)
        if noon <= at < noon + 40 * MINUTE_MS:  # lunch
            at += random.choice((-1, 1)) * 40 * MINUTE_MS
        _TASKS[kind](random, hand, person, at)
    if number == plan.project_account and plan.project >= 0 and 0 <= day - plan.project < plan.project_days:
        for _ in range(random.randrange(7, 14)):
            at = begin + int(random.random() * span)
            kind = random.choice(("Contact", "Case", "Account"))
            rows = around(random, 3.5 * person.report_rows, 0.7, RECORDS[kind])
            hand.report(at, kind, rows, random.choice(person.reports) + 500, export=random.random() < 0.7)
    if number in plan.rollout_accounts and day >= plan.rollout:
        _companion(random, hand, plan, begin, span)


def _subscription(
    acts: list[SimulatedAction], random: Random, company: Company, person: Employee, day: int
) -> None:
    """A report that the CRM itself runs for somebody every morning and mails to them."""
    hand = ActionRecorder(acts, person.account, "", "", person.account.number * 100_000 + day * 100 + 90)
    at = company.start_ms + day * DAY_MS + (person.subscribed or 0) * HOUR_MS + random.randrange(90_000)
    kind = _LISTED.get(_KINDS[person.role][0], _KINDS[person.role][0])
    hand.report(at, kind, around(random, 0.6 * person.report_rows, 0.3, RECORDS[kind]), person.reports[0])


def _gap(random: Random, person: Employee) -> int:
    return int(1000 * person.stride * random.lognormvariate(0, 0.9)) + 400


def _case(random: Random, hand: ActionRecorder, person: Employee, at: int) -> None:
    """Somebody has called or written: find them, look at the case, often change it."""
    if random.random() < 0.35:
        hand.search(at, random.choice(("Contact", "Case")), around(random, 3, 0.8, 200))
        at += _gap(random, person)
    if random.random() < 0.6:
        hand.view(at, "Contact", 1 + int(random.random() * RECORDS["Contact"]))
        at += _gap(random, person)
    case = 1 + int(random.random() * RECORDS["Case"])
    hand.view(at, "Case", case)
    while random.random() < 0.3:
        at += _gap(random, person)
        hand.view(at, "Case", 1 + int(random.random() * RECORDS["Case"]))
    if random.random() < 0.55:
        hand.write(at + 3 * _gap(random, person), "Case", case)


def _customer(random: Random, hand: ActionRecorder, person: Employee, at: int) -> None:
    hand.view(at, "Contact", 1 + int(random.random() * RECORDS["Contact"]))
    if random.random() < 0.6:
        hand.view(at + _gap(random, person), "Account", 1 + int(random.random() * RECORDS["Account"]))


def _deal(random: Random, hand: ActionRecorder, person: Employee, at: int) -> None:
    deal = 1 + int(random.random() * RECORDS["Opportunity"])
    hand.view(at, "Opportunity", deal)
    at += _gap(random, person)
    if random.random() < 0.5:
        hand.view(at, "Account", 1 + int(random.random() * RECORDS["Account"]))
        at += _gap(random, person)
    if random.random() < 0.4:
        hand.view(at, "Contact", 1 + int(random.random() * RECORDS["Contact"]))
        at += _gap(random, person)
    if random.random() < 0.4:
        hand.write(at, "Opportunity", deal)


def _list(random: Random, hand: ActionRecorder, person: Employee, at: int) -> None:
    kind = random.choice(_KINDS[person.role])
    kind = _LISTED.get(kind, kind)
    hand.list_view(at, kind, around(random, 28, 0.7, 200))
    while random.random() < 0.45:
        at += _gap(random, person)
        hand.view(at, kind, 1 + int(random.random() * RECORDS[kind]))


def _search(random: Random, hand: ActionRecorder, person: Employee, at: int) -> None:
    kind = random.choice(_KINDS[person.role])
    kind = _LISTED.get(kind, kind)
    hand.search(at, kind, around(random, 5, 0.9, 250))
    hand.view(at + _gap(random, person), kind, 1 + int(random.random() * RECORDS[kind]))


def _report(random: Random, hand: ActionRecorder, person: Employee, at: int) -> None:
    kinds = _KINDS[person.role]
    kind = random.choice(kinds)
    kind = _LISTED.get(kind, kind)
    rows = around(random, person.report_rows, person.report_spread, 0.8 * RECORDS[kind])
    report = person.reports[int(len(person.reports) * random.random() ** 2)]
    hand.report(at, kind, rows, report, export=random.random() < person.exports)


def _file(random: Random, hand: ActionRecorder, person: Employee, at: int) -> None:
    for _ in range(1 + number_of(random, 0.8)):
        hand.download(
            at, 1 + int(random.random() * RECORDS["ContentDocument"]), around(random, 180_000, 1.2, 5e8)
        )
        at += _gap(random, person)


def _tool(random: Random, hand: ActionRecorder, person: Employee, at: int) -> None:
    """An administrator's or analyst's own query tool."""
    tool = ActionRecorder(
        hand.acts, hand.account, hand.ip, "query-desk/3.2", hand.session + 50, Interface.REST
    )
    tool.jobs = hand.jobs + 50
    kind = random.choice(_KINDS[person.role])
    if person.role is JobRole.ADMIN and random.random() < 0.5:
        tool.describe(at, kind)
    if random.random() < 0.2:
        tool.count(at + 4_000, kind)
    tool.query(
        at + _gap(random, person), kind, around(random, 120, 1.2, 10_000), select(kind, " LIMIT 10000")
    )
    hand.jobs = tool.jobs


def _setup(random: Random, hand: ActionRecorder, person: Employee, at: int) -> None:
    if random.random() < 0.3:
        hand.admin(at)
    else:
        hand.write(at, "User", 1 + int(random.random() * 300))


_TASKS = {
    "case": _case, "customer": _customer, "deal": _deal, "list": _list, "search": _search, "report": _report,
    "file": _file, "tool": _tool, "setup": _setup,
}  # fmt: skip


def _companion(random: Random, hand: ActionRecorder, plan: Calendar, begin: int, span: int) -> None:
    """A new mail add-in that reads customers."""
    agent = "mail-companion/1.4"
    tool = ActionRecorder(
        hand.acts, hand.account, hand.ip, agent, hand.session + 70, Interface.REST, plan.rollout_app
    )
    for _ in range(number_of(random, 7)):
        at = begin + int(random.random() * span)
        tool.query(at, "Contact", around(random, 6, 0.9, 400), select("Contact", " AND Email IN (:since)"))
