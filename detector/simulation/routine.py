"""The days' ordinary work: what people, integrations and the visitors of portals do when nothing is wrong."""

from __future__ import annotations

from random import Random

from detector.simulation.act import Act, Hand, Way
from detector.simulation.bursts import Calendar
from detector.simulation.chance import around, number_of, stream
from detector.simulation.company import (
    DAY_MS,
    HOUR_MS,
    RECORDS,
    Company,
    Integration,
    Person,
    Portal,
    Rhythm,
    Role,
    browser,
    home_ip,
    mobile_ip,
    office_ip,
    visitor_ip,
)

__all__ = ["FIELDS", "integration_acts", "person_acts", "portal_acts"]

MINUTE_MS = 60_000
FIELDS = {
    "Account": "Id, Name, Phone, BillingCity",
    "Case": "Id, CaseNumber, Subject, Status, ContactId",
    "Contact": "Id, Name, Email, Phone",
    "Lead": "Id, Name, Email, Company",
    "Loyalty__c": "Id, Number__c, Tier__c, Points__c",
    "Opportunity": "Id, Name, Amount, StageName",
    "Task": "Id, Subject, WhoId, Status",
}
_TASK_KINDS = ("case", "customer", "deal", "list", "search", "report", "file", "tool", "setup")
_TASK_WEIGHTS = {
    Role.AGENT: (62, 18, 0, 12, 6, 1.0, 2, 0, 0),
    Role.SUPERVISOR: (34, 10, 0, 24, 6, 24, 2, 0, 0),
    Role.SALES: (4, 24, 42, 16, 7, 5, 3, 0, 0),
    Role.ANALYST: (6, 6, 6, 14, 4, 60, 2, 2, 0),
    Role.MARKETING: (0, 18, 12, 28, 6, 32, 3, 0, 0),
    Role.BACK_OFFICE: (60, 10, 0, 14, 6, 2, 14, 0, 0),
    Role.ADMIN: (8, 10, 6, 22, 14, 14, 2, 10, 14),
}
_KINDS = {
    Role.AGENT: ("Case", "Case", "Contact"),
    Role.SUPERVISOR: ("Case", "Case", "Contact", "Task"),
    Role.SALES: ("Opportunity", "Account", "Contact", "Lead"),
    Role.ANALYST: ("Case", "Opportunity", "Account", "Contact", "Task"),
    Role.MARKETING: ("Contact", "Lead", "Lead", "Loyalty__c"),
    Role.BACK_OFFICE: ("Case", "Contact", "ContentDocument"),
    Role.ADMIN: ("Account", "Case", "Contact", "Opportunity", "Task"),
}
_WEEK_SHAPE = (1.16, 1.06, 1.0, 0.98, 0.86, 0.7, 0.62)
_DAY_SHAPE = (
    0.25, 0.18, 0.15, 0.15, 0.2, 0.4, 0.8, 1.2, 1.5, 1.7, 1.7, 1.6,
    1.4, 1.5, 1.6, 1.6, 1.5, 1.4, 1.3, 1.2, 1.0, 0.8, 0.5, 0.35,
)  # fmt: skip
"""How busy the customers' hours (UTC) are."""
_LISTED = {"ContentDocument": "Case"}


def person_acts(company: Company, person: Person, plan: Calendar) -> list[Act]:
    """All that one person does in the world's days."""
    random = stream(company.seed, "work", person.account.number)
    acts: list[Act] = []
    lease = 0
    for day in range(company.days):
        if random.random() < 0.02:
            lease += 1
        working = person.first_day <= day < person.last_day and day not in person.away
        called_in = day == plan.disruption and person.role is Role.AGENT and random.random() < 0.3
        if not working or not (day % 7 in person.workdays or called_in):
            continue
        _day(acts, random, company, person, plan, day, lease)
    return acts


def _day(
    acts: list[Act], random: Random, company: Company, person: Person, plan: Calendar, day: int, lease: int
) -> None:
    number = person.account.number
    where = random.random()
    if where < 0.012:
        ip = mobile_ip(random)
    elif where < 0.012 + person.from_home:
        ip = home_ip(number, lease)
    else:
        moved = person.office == plan.egress_office and 0 <= plan.egress <= day
        ip = office_ip(person.office, number, moved)
    session = number * 100_000 + day * 100
    hand = Hand(acts, person.account, ip, browser(person, day), session)
    begin = company.start_ms + day * DAY_MS + (person.start_hour - person.zone_hours) * HOUR_MS
    begin += int(random.gauss(0, 9) * MINUTE_MS)
    span = person.hours * HOUR_MS
    hand.login(begin)
    if day == plan.login_day:
        for _ in range(random.randrange(1, 4)):
            hand.login(
                begin + random.randrange(1, 20) * MINUTE_MS,
                random.choice(("LOGIN_ERROR_INVALID_PASSWORD", "")),
            )
    elif random.random() < 0.03:
        hand.login(begin - 20_000, "LOGIN_ERROR_INVALID_PASSWORD")
    busy = plan.tasks(person.role, day) * random.lognormvariate(0, 0.22)
    more_reports = plan.reports(person.role, day)
    project = (
        number == plan.project_account and 0 <= day - plan.project < plan.project_days and plan.project >= 0
    )
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
    if project:
        for _ in range(random.randrange(7, 14)):
            at = begin + int(random.random() * span)
            kind = random.choice(("Contact", "Case", "Account"))
            rows = around(random, 3.5 * person.report_rows, 0.7, RECORDS[kind])
            hand.report(at, kind, rows, random.choice(person.reports) + 500, export=random.random() < 0.7)
    if number in plan.rollout_accounts and day >= plan.rollout:
        _companion(acts, random, person, plan, ip, session, begin, span)


def _gap(random: Random, person: Person) -> int:
    return int(1000 * person.stride * random.lognormvariate(0, 0.9)) + 400


def _case(random: Random, hand: Hand, person: Person, at: int) -> None:
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


def _customer(random: Random, hand: Hand, person: Person, at: int) -> None:
    hand.view(at, "Contact", 1 + int(random.random() * RECORDS["Contact"]))
    if random.random() < 0.6:
        hand.view(at + _gap(random, person), "Account", 1 + int(random.random() * RECORDS["Account"]))


def _deal(random: Random, hand: Hand, person: Person, at: int) -> None:
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


def _list(random: Random, hand: Hand, person: Person, at: int) -> None:
    kind = random.choice(_KINDS[person.role])
    kind = _LISTED.get(kind, kind)
    hand.list_view(at, kind, around(random, 28, 0.7, 200))
    while random.random() < 0.45:
        at += _gap(random, person)
        hand.view(at, kind, 1 + int(random.random() * RECORDS[kind]))


def _search(random: Random, hand: Hand, person: Person, at: int) -> None:
    kind = random.choice(_KINDS[person.role])
    kind = _LISTED.get(kind, kind)
    hand.search(at, kind, around(random, 5, 0.9, 250))
    hand.view(at + _gap(random, person), kind, 1 + int(random.random() * RECORDS[kind]))


def _report(random: Random, hand: Hand, person: Person, at: int) -> None:
    kinds = _KINDS[person.role]
    kind = random.choice(kinds)
    kind = _LISTED.get(kind, kind)
    rows = around(random, person.report_rows, 0.9, 0.8 * RECORDS[kind])
    report = person.reports[int(len(person.reports) * random.random() ** 2)]
    hand.report(at, kind, rows, report, export=random.random() < person.exports)


def _file(random: Random, hand: Hand, person: Person, at: int) -> None:
    for _ in range(1 + number_of(random, 0.8)):
        hand.download(
            at, 1 + int(random.random() * RECORDS["ContentDocument"]), around(random, 180_000, 1.2, 5e8)
        )
        at += _gap(random, person)


def _tool(random: Random, hand: Hand, person: Person, at: int) -> None:
    """An administrator's or analyst's own query tool."""
    tool = Hand(hand.acts, hand.account, hand.ip, "query-desk/3.2", hand.session + 50, Way.REST)
    tool.jobs = hand.jobs + 50
    kind = random.choice(_KINDS[person.role])
    if person.role is Role.ADMIN and random.random() < 0.5:
        tool.describe(at, kind)
    if random.random() < 0.2:
        tool.count(at + 4_000, kind)
    tool.query(
        at + _gap(random, person), kind, around(random, 120, 1.2, 10_000), _query(kind, " LIMIT 10000")
    )
    hand.jobs = tool.jobs


def _setup(random: Random, hand: Hand, person: Person, at: int) -> None:
    if random.random() < 0.3:
        hand.admin(at)
    else:
        hand.write(at, "User", 1 + int(random.random() * 300))


_TASKS = {
    "case": _case, "customer": _customer, "deal": _deal, "list": _list, "search": _search, "report": _report,
    "file": _file, "tool": _tool, "setup": _setup,
}  # fmt: skip


def _companion(
    acts: list[Act],
    random: Random,
    person: Person,
    plan: Calendar,
    ip: str,
    session: int,
    begin: int,
    span: int,
) -> None:
    """A new tool that reads customers beside somebody's mail."""
    tool = Hand(acts, person.account, ip, "mail-companion/1.4", session + 70, Way.REST, plan.rollout_app)
    for _ in range(number_of(random, 7)):
        at = begin + int(random.random() * span)
        tool.query(at, "Contact", around(random, 6, 0.9, 400), _query("Contact", " AND Email IN (:since)"))


def _query(kind: str, more: str = "") -> str:
    wanted = FIELDS.get(kind, "Id, Name")
    return " ".join(("SELECT", wanted, "FROM", kind, "WHERE LastModifiedDate >= :since")) + more


def integration_acts(company: Company, one: Integration, plan: Calendar) -> list[Act]:
    """All that one integration does."""
    random = stream(company.seed, "program", one.account.number)
    acts: list[Act] = []
    for day in range(company.days):
        upgraded = one.account.number == plan.upgrade_account and 0 <= plan.upgrade <= day
        ip = plan.upgrade_ip if upgraded else one.ip
        agent = f"{one.app.name}/9.0" if upgraded else one.agent
        hand = Hand(acts, one.account, ip, agent, one.account.number * 100_000 + day * 100, one.way, one.app)
        midnight = company.start_ms + day * DAY_MS
        hand.login(midnight + random.randrange(MINUTE_MS))
        _program_day(random, hand, one, midnight, day)
        if (
            one.account.number == plan.migration_account
            and 0 <= day - plan.migration < 3
            and plan.migration >= 0
        ):
            at = midnight + 20 * HOUR_MS
            for kind in ("Account", "Contact", "Case"):
                rows = int(RECORDS[kind] * random.uniform(0.3, 0.9))
                at = hand.bulk(at, kind, rows, _query(kind), 20 * MINUTE_MS) + 5 * MINUTE_MS
    return acts


def _program_day(random: Random, hand: Hand, one: Integration, midnight: int, day: int) -> None:
    if one.rhythm is Rhythm.POLL:
        step = int(one.every_minutes * MINUTE_MS)
        for turn in range(DAY_MS // step):
            at = midnight + turn * step + 2_000 + random.randrange(4_000)
            kind = one.kinds[turn % len(one.kinds)]
            shape = _DAY_SHAPE[turn * step // HOUR_MS]
            hand.query(at, kind, around(random, one.rows * shape, one.spread, 8_000), _query(kind))
    elif one.rhythm is Rhythm.SERVE:
        for hour, shape in enumerate(_DAY_SHAPE):
            weekend = 0.7 if day % 7 > 4 else 1.0
            for _ in range(number_of(random, 60 / one.every_minutes * shape * weekend)):
                at = midnight + hour * HOUR_MS + random.randrange(HOUR_MS)
                kind = one.kinds[int(random.random() * len(one.kinds))]
                if random.random() < 0.2:
                    hand.write(at, kind, 1 + int(random.random() * RECORDS[kind]))
                else:
                    hand.query(
                        at, kind, around(random, one.rows, one.spread, 400), _query(kind, " LIMIT 200")
                    )
    elif one.rhythm is Rhythm.WATCH:
        step = int(one.every_minutes * MINUTE_MS)
        for turn in range(DAY_MS // step):
            hand.limits(midnight + turn * step + random.randrange(3_000))
        hand.describe(midnight + one.hour * HOUR_MS)
    elif one.rhythm is not Rhythm.WEEKLY or day % 7 == one.weekday:
        at = midnight + one.hour * HOUR_MS + random.randrange(12 * MINUTE_MS)
        for kind in one.kinds:
            rows = around(random, one.rows, one.spread, RECORDS[kind])
            if one.way is Way.BULK:
                at = hand.bulk(at, kind, rows, _query(kind), int((60 + rows / 120) * 1000)) + 30_000
            else:
                at = hand.query(at, kind, rows, _query(kind)) + 5_000


def portal_acts(company: Company, portal: Portal) -> list[Act]:
    """All that a public site's visitors do under its guest account."""
    random = stream(company.seed, "portal visits", portal.account.number)
    acts: list[Act] = []
    for day in range(company.days):
        midnight = company.start_ms + day * DAY_MS
        for visit in range(number_of(random, portal.visits * random.lognormvariate(0, 0.15))):
            hour = random.choices(range(24), _DAY_SHAPE)[0]
            at = midnight + hour * HOUR_MS + random.randrange(HOUR_MS)
            agent = (
                f"Mozilla/5.0 (Linux; Android {10 + random.randrange(6)}; K) "
                f"Chrome/{138 + random.randrange(6)}.0.0.0 Mobile Safari/537.36"
            )
            hand = Hand(
                acts,
                portal.account,
                visitor_ip(random),
                agent,
                portal.account.number * 1_000_000 + day * 5_000 + visit,
            )
            for _ in range(1 + number_of(random, 1.3)):
                kind = random.choice(portal.kinds)
                denied = "A" if random.random() < 0.03 else ""
                hand.view(at, kind, 1 + int(random.random() * RECORDS.get(kind, 4_000)), denied)
                at += around(random, 25_000, 0.9)
    return acts
