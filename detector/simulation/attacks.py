"""Thefts of a dozen shapes at three levels of difficulty, as acts among the acts of a world.

A level sets how much is taken against what is normal for the account, and how well it hides: *easy* is loud
and from elsewhere, *medium* is several times the normal or at odd hours, *hard* stays near the normal, in
working hours, from networks and with agents as like the account's own as the shape allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec

from detector.event import Operation
from detector.simulation.act import Act, App, Hand, Way
from detector.simulation.chance import around, stream
from detector.simulation.company import (
    DAY_MS,
    HOUR_MS,
    RECORDS,
    Company,
    Integration,
    Person,
    Rhythm,
    Role,
    browser,
    home_ip,
    host_ip,
    mobile_ip,
    visitor_ip,
    vpn_ip,
)
from detector.simulation.routine import FIELDS

__all__ = ["WARM_DAYS", "Attack", "Level", "Shape", "attacks", "level_of"]

WARM_DAYS = 14
"""No attack begins before this day, or before half of a shorter world."""
MINUTE_MS = 60_000
_SESSIONS = 970_000_000


class Shape(StrEnum):
    """The ways of taking."""

    STOLEN_TOKEN = "stolen_token"  # noqa: S105 - no secret
    LOOKALIKE_APP = "lookalike_app"
    NIGHT_AGENT = "night_agent"
    LOW_AND_SLOW = "low_and_slow"
    REPORT_SCRAPING = "report_scraping"
    UI_PAGING = "ui_paging"
    FILE_DOWNLOAD = "file_download"
    DISTRIBUTED = "distributed"
    GUEST_ENUMERATION = "guest_enumeration"
    RAMP = "ramp"
    LEAVER = "leaver"
    SESSION_HIJACK = "session_hijack"


class Level(StrEnum):
    """How hard it is to see."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


class Attack(msgspec.Struct, frozen=True):
    """One attack as it was carried out."""

    number: int
    shape: Shape
    level: Level
    accounts: tuple[int, ...]
    networks: tuple[str, ...]
    """The attacker's own addresses; none where only the account's own were used."""
    acts: list[Act]


def level_of(seed: int, shape: Shape) -> Level:
    """The level of a shape in a seed's world: three seeds in a row show each shape at each level.

    >>> {level_of(seed, Shape.RAMP) for seed in (7, 8, 9)} == set(Level)
    True
    """
    return list(Level)[(seed + list(Shape).index(shape)) % 3]


def attacks(company: Company, done: dict[int, list[Act]], shapes: Iterable[Shape]) -> list[Attack]:
    """The attacks of a world, each on accounts of its own; `done` has each account's ordinary acts by number.

    A shape whose kind of victim is not there is left out.
    """
    used: set[int] = set()
    found = []
    wanted = frozenset(shapes)
    for index, shape in enumerate(Shape):
        if shape in wanted:
            scene = _Scene(company, done, used, index + 1, shape, level_of(company.seed, shape))
            found += _PLAYS[shape](scene)
    return found


class _Scene:
    """What a play needs: a generator, victims and what they usually do."""

    def __init__(
        self,
        company: Company,
        done: dict[int, list[Act]],
        used: set[int],
        number: int,
        shape: Shape,
        level: Level,
    ) -> None:
        self.random = stream(company.seed, "attack", shape)
        self.company = company
        self.done = done
        self.used = used
        self.number = number
        self.shape = shape
        self.level = level
        self.acts: list[Act] = []
        self.first = min(WARM_DAYS, company.days // 2)
        self.sessions = _SESSIONS + number * 10_000

    def by_level(self, easy: float, medium: float, hard: float) -> float:
        """One of three numbers, give or take a quarter."""
        value = (easy, medium, hard)[list(Level).index(self.level)]
        return value * self.random.uniform(0.75, 1.25)

    def pick(self, level: tuple[int, int, int]) -> int:
        """One of three whole numbers, as it is."""
        return level[list(Level).index(self.level)]

    @property
    def easy(self) -> bool:
        return self.level is Level.EASY

    @property
    def hard(self) -> bool:
        return self.level is Level.HARD

    def person(self, *roles: Role, test: Callable[[Person], bool] = lambda person: True) -> Person | None:
        """Somebody of these roles who has worked from the beginning, works yet, and is no victim so far."""
        free = [one for one in self.company.people if self._free(one)]
        wanted = [one for one in free if one.role in roles and test(one)]
        wanted = wanted or [one for one in free if one.role in roles] or free
        return self.take(self.random.choice(wanted)) if wanted else None

    def people(self, count: int) -> list[Person]:
        """So many people, or half of those who are left."""
        free = [one for one in self.company.people if self._free(one)]
        return [self.take(one) for one in self.random.sample(free, min(count, len(free) // 2))]

    def take(self, person: Person) -> Person:
        """Make somebody a victim."""
        self.used.add(person.account.number)
        return person

    def _free(self, person: Person) -> bool:
        known = len(self.done[person.account.number]) > 40
        stays = person.first_day == 0 and person.last_day >= self.company.days
        return known and stays and person.account.number not in self.used

    def day(self, length: int) -> int:
        """A first day for something of so many days."""
        return self.random.randrange(self.first, max(self.first + 1, self.company.days - length - 1))

    def at(self, day: int, hour: float, zone_hours: int = 0) -> int:
        """A time near an hour of a day, local to a zone."""
        base = self.company.start_ms + day * DAY_MS + int((hour - zone_hours) * HOUR_MS)
        return base + self.random.randrange(20 * MINUTE_MS)

    def worked(self, account: int) -> dict[int, list[Act]]:
        """An account's ordinary acts by the day on which they began (a night shift's day is the evening's)."""
        days: dict[int, list[Act]] = {}
        for act in self.done[account]:
            days.setdefault(act.session // 100 % 1000, []).append(act)
        return days

    def workdays(self, account: int, first: int, count: int) -> list[list[Act]]:
        """What the account did on its next workdays from a day on, at most so many."""
        days = self.worked(account)
        return [days[day] for day in sorted(days) if day >= first and len(days[day]) > 3][:count]

    def usual(self, account: int, *operations: Operation) -> float:
        """Rows on a usual day of the account's, by these operations or by all."""
        rows = [
            sum(act.rows for act in acts if not operations or act.operation in operations)
            for acts in self.worked(account).values()
        ]
        rows = sorted(row for row in rows if row)
        return float(rows[len(rows) // 2]) if rows else 1.0

    def hand(
        self, whose: Person | Integration, ip: str, agent: str, way: Way = Way.PAGE, app: App | None = None
    ) -> Hand:
        """The victim's account in the attacker's hand, in a session of its own."""
        self.sessions += 1
        return Hand(self.acts, whose.account, ip, agent, self.sessions, way, app, self.number)

    def own_hand(self, acts: list[Act], way: Way = Way.PAGE) -> Hand:
        """The account's own session of a day."""
        first = acts[0]
        hand = Hand(self.acts, first.account, first.ip, first.agent, first.session, way, None, self.number)
        hand.jobs = first.session * 1000 + 900 + self.number * 0
        return hand

    def record(self, kind: str) -> int:
        """Any record of a kind."""
        return 1 + int(self.random.random() * RECORDS[kind])

    def result(self, accounts: Iterable[int], networks: Iterable[str]) -> list[Attack]:
        """The attack, unless nothing came of it."""
        self.acts.sort(key=lambda act: act.time_ms)
        end = self.company.start_ms + self.company.days * DAY_MS
        acts = [act for act in self.acts if act.time_ms < end]
        if not acts:
            return []
        networks = tuple(dict.fromkeys(networks))
        return [Attack(self.number, self.shape, self.level, tuple(accounts), networks, acts)]


def _select(kind: str) -> str:
    return " ".join(("SELECT", FIELDS.get(kind, "Id, Name"), "FROM", kind))


def _stolen_token(scene: _Scene) -> list[Attack]:
    """Somebody else has an integration's token: looks around, days later takes by bulk jobs, and deletes them."""
    bulky = (Rhythm.NIGHTLY, Rhythm.DAILY, Rhythm.POLL, Rhythm.WEEKLY)
    choice = [one for one in scene.company.integrations if one.rhythm in bulky]
    random = scene.random
    victim = random.choice(choice)
    scene.used.add(victim.account.number)
    usual = scene.usual(victim.account.number)
    total = max(scene.by_level(60_000, 9_000, 1_500), usual * scene.by_level(6, 2.5, 1.1))
    agents = (
        "python-requests/2.32.4",
        "Python/3.11 aiohttp/3.12.15",
        "Salesforce-CLI/1.0",
        "Multi-Org-Fetcher/1.0",
    )
    agent = victim.agent if scene.hard else random.choice(agents)
    scout = host_ip(160 + random.randrange(40)) if scene.hard else vpn_ip(random)
    nights = scene.pick((1, 2, 4))
    pause = random.randrange(2, 5)
    day = scene.day(pause + nights)
    hand = scene.hand(victim, scout, agent, Way.REST, victim.app)
    at = scene.at(day, random.uniform(0, 23))
    hand.login(at)
    if not scene.hard:
        hand.describe(at + 20_000)
        hand.describe(at + 45_000, "Case")
    for kind in ("Account", "Contact", "User", "Case")[: scene.pick((4, 4, 2))]:
        at += random.randrange(20_000, 90_000)
        hand.count(at, kind)
    for kind in ("Case", "Contact")[: scene.pick((2, 2, 1))]:
        at += random.randrange(20_000, 90_000)
        hand.query(at, kind, 20, f"{_select(kind)} LIMIT 20")
    if not scene.hard:
        hand.limits(at + 30_000)
    host = scout if scene.hard and random.random() < 0.5 else vpn_ip(random)
    hour = victim.hour if scene.hard else random.choice((1, 2, 3, 21, 22, 23))
    kinds = ("Case", "Contact", "Account")
    for night in range(nights):
        hand = scene.hand(victim, host, agent, Way.REST, victim.app)
        at = scene.at(day + pause + night, hour)
        hand.login(at)
        for kind in kinds:
            rows = min(RECORDS[kind], int(total / nights / len(kinds) * random.uniform(0.7, 1.3)))
            erase = 24_000 if not scene.hard or random.random() < 0.5 else None
            span = int(202_000 * random.uniform(0.6, 1.2))
            at = hand.bulk(at + 60_000, kind, max(20, rows), _select(kind), span, delete_ms=erase)
    return scene.result([victim.account.number], [scout, host])


def _lookalike_app(scene: _Scene) -> list[Attack]:
    """Somebody was talked into connecting an app, which takes growing chunks under their account."""
    random = scene.random
    victim = scene.person(Role.SALES, Role.AGENT, Role.SUPERVISOR, Role.MARKETING)
    if victim is None:
        return []
    account = victim.account.number
    total = scene.by_level(45_000, 5_000, 900)
    app = App(80 + scene.number, random.choice(("My Ticket Portal", "Data Loader Plus", "Sync Helper")))
    agent = random.choice(("DataLoaderPartnerUI/62.0", "Jakarta Commons-HttpClient/3.1", "node-fetch/1.0"))
    days = scene.pick((1, 2, 3))
    workdays = scene.workdays(account, scene.day(days + 3), days)
    ip = vpn_ip(random)
    used = []
    share = 0.0
    for step, acts in enumerate(workdays):
        if scene.hard:
            hand = scene.own_hand(acts, Way.REST)
            hand.app, hand.agent = app, agent
            scene.sessions += 1
            hand.session, hand.jobs = scene.sessions, scene.sessions * 1000
            at = acts[len(acts) // 3].time_ms
        else:
            hand = scene.hand(victim, ip, agent, Way.REST, app)
            used.append(ip)
            at = acts[-1].time_ms + int(scene.by_level(4, 1.5, 0) * HOUR_MS)
        if not step:
            hand.login(at)
        chunks = scene.pick((6, 5, 4))
        goal = total / len(workdays)
        for chunk in range(chunks):
            share = 2.0**chunk / (2.0**chunks - 1)
            kind = ("Account", "Contact", "Case")[chunk % 3]
            at += int(scene.by_level(90, 300, 1500) * 1000)
            rows = min(RECORDS[kind], max(5, int(goal * share)))
            at = hand.query(at, kind, rows, f"{_select(kind)} WHERE Id > :since LIMIT {50000}")
    return scene.result([account], used)


def _night_agent(scene: _Scene) -> list[Attack]:
    """An agent's account at night: hundreds of cases and contacts, opened one by one and in lists."""
    random = scene.random
    victim = scene.person(Role.AGENT, test=lambda one: scene.hard or one.start_hour < 15)
    if victim is None:
        return []
    nights = scene.pick((1, 2, 4))
    total = int(scene.by_level(900, 330, 160))
    day = scene.day(nights + 1)
    ip = vpn_ip(random) if scene.easy else home_ip(700 + random.randrange(400), 99)
    agent = browser(victim, day)
    if not scene.hard:
        agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    hour = victim.start_hour + victim.hours - 1.5 if scene.hard else random.choice((0, 1, 2, 3)) + 24.0
    pace = scene.by_level(7, 14, 35)
    for night in range(nights):
        hand = scene.hand(victim, ip, agent)
        at = scene.at(day + night, hour, victim.zone_hours)
        hand.login(at)
        for step in range(total // nights):
            at += int(1000 * pace * random.lognormvariate(0, 0.6))
            kind = "Case" if random.random() < 0.6 else "Contact"
            if step % 30 == 0:
                hand.list_view(at, kind, around(random, 50, 0.3, 200))
                at += 8_000
            hand.view(at, kind, scene.record(kind))
    return scene.result([victim.account.number], [ip])


_CLONED = frozenset(
    {Operation.RECORD_VIEW, Operation.LIST_VIEW, Operation.SEARCH, Operation.REPORT, Operation.QUERY,
     Operation.FILE_DOWNLOAD, Operation.REPORT_EXPORT}
)  # fmt: skip


def _more_of_the_same(scene: _Scene, acts: list[Act], factor: float) -> None:
    """Raise what was done on a day to so many times as much, by more of the same at other times of the day."""
    random = scene.random
    first, last = acts[0].time_ms, acts[-1].time_ms
    jobs = acts[0].session * 1000 + 500
    extra = factor - 1
    for act in acts:
        if act.operation not in _CLONED or act.status or not act.rows:
            continue
        for _ in range(int(extra) + (random.random() < extra % 1)):
            jobs += 1
            at = first + 60_000 + int(random.random() * (last - first))
            record = act.record
            if act.operation in (Operation.RECORD_VIEW, Operation.FILE_DOWNLOAD):
                record = 1 + int(random.random() * RECORDS.get(act.kind, 4_000))
            rows = act.rows
            if act.operation is not Operation.RECORD_VIEW and rows > 1:
                rows = around(random, rows, 0.3, RECORDS.get(act.kind, 4_000))
                rows = min(rows, 2_000) if act.operation is Operation.QUERY else rows
            job = jobs if act.job else 0
            scene.acts.append(
                msgspec.structs.replace(
                    act,
                    time_ms=at,
                    record=record,
                    rows=rows,
                    total=rows if job else 0,
                    job=job,
                    attack=scene.number,
                )
            )


def _low_and_slow(scene: _Scene) -> list[Attack]:
    """Two weeks of half as much again to two and a half times as much, from the account's own place."""
    victim = scene.person(Role.AGENT, Role.SALES, Role.SUPERVISOR, Role.BACK_OFFICE, Role.MARKETING)
    if victim is None:
        return []
    factor = scene.pick((25, 20, 15)) / 10
    first = scene.day(15)
    for acts in scene.workdays(victim.account.number, first, 20):
        if acts[0].time_ms < scene.company.start_ms + (first + 14) * DAY_MS:
            _more_of_the_same(scene, acts, factor)
    return scene.result([victim.account.number], [])


def _ramp(scene: _Scene) -> list[Attack]:
    """A little more every day for more than two weeks, so that what is normal is learned along."""
    random = scene.random
    polls = [
        one
        for one in scene.company.integrations
        if one.rhythm in (Rhythm.POLL, Rhythm.DAILY) and one.account.number not in scene.used
    ]
    if polls and random.random() < 0.4:
        account = random.choice(polls).account.number
        scene.used.add(account)
    else:
        victim = scene.person(Role.SUPERVISOR, Role.SALES, Role.MARKETING, Role.ANALYST)
        if victim is None:
            return []
        account = victim.account.number
    goal = scene.by_level(8, 4.5, 2.6)
    length = 17
    first = scene.first + random.randrange(max(1, scene.company.days - scene.first - length))
    days = scene.workdays(account, first, length)
    for step, acts in enumerate(days, 1):
        if acts[0].time_ms < scene.company.start_ms + (first + length) * DAY_MS:
            _more_of_the_same(scene, acts, goal ** (step / len(days)))
    return scene.result([account], [])


def _report_scraping(scene: _Scene) -> list[Attack]:
    """Somebody who rarely exports exports report after report, in the office."""
    random = scene.random
    victim = scene.person(
        Role.SALES, Role.AGENT, Role.SUPERVISOR, Role.BACK_OFFICE, test=lambda one: one.exports < 0.1
    )
    if victim is None:
        return []
    count, days = scene.pick((16, 9, 5)), scene.pick((2, 4, 6))
    rows = scene.by_level(5_000, 1_400, 420)
    workdays = scene.workdays(victim.account.number, scene.day(days + 3), days)
    for step in range(count if workdays else 0):
        acts = workdays[step * len(workdays) // count]
        hand = scene.own_hand(acts)
        hand.jobs += step
        at = acts[0].time_ms + int(random.random() * (acts[-1].time_ms - acts[0].time_ms))
        kind = random.choice(("Contact", "Case", "Account", "Contact"))
        number = 600 + random.randrange(30) if not scene.hard else random.choice(victim.reports)
        hand.report(at, kind, around(random, rows, 0.5, RECORDS[kind]), number, export=True)
    return scene.result([victim.account.number], [])


def _ui_paging(scene: _Scene) -> list[Attack]:
    """A program opens page after page in somebody's browser session, in the order of the records' ids."""
    random = scene.random
    victim = scene.person(Role.AGENT, Role.SALES, Role.BACK_OFFICE)
    if victim is None:
        return []
    days = scene.pick((1, 1, 2))
    total = int(scene.by_level(1_500, 520, 260))
    pace, spread = scene.pick((2_500, 6_000, 16_000)), scene.pick((3, 15, 40)) / 100
    kind = random.choice(("Contact", "Case"))
    record = scene.record(kind) // 2 + 1
    for acts in scene.workdays(victim.account.number, scene.day(days + 3), days):
        hand = scene.own_hand(acts)
        at = acts[len(acts) // 4].time_ms
        if scene.easy:
            at = acts[-1].time_ms + HOUR_MS
        for _ in range(total // days):
            at += int(pace * (1 + random.uniform(-spread, spread)))
            record += 1 if not scene.hard else random.randrange(1, 9)
            hand.view(at, kind, record)
    return scene.result([victim.account.number], [])


def _file_download(scene: _Scene) -> list[Attack]:
    """Attachments and scans by the hundred."""
    random = scene.random
    victim = scene.person(Role.AGENT, Role.SALES, Role.SUPERVISOR, Role.BACK_OFFICE)
    if victim is None:
        return []
    days = scene.pick((1, 2, 4))
    total = int(scene.by_level(600, 170, 70))
    ip = vpn_ip(random) if scene.easy else mobile_ip(random)
    networks = []
    for acts in scene.workdays(victim.account.number, scene.day(days + 3), days):
        if scene.hard:
            hand = scene.own_hand(acts)
            at, pace = acts[len(acts) // 5].time_ms, 150
        else:
            hand = scene.hand(victim, ip, acts[0].agent)
            at, pace = acts[-1].time_ms + 2 * HOUR_MS, scene.pick((4, 12, 0))
            networks.append(ip)
            hand.login(at)
        for _ in range(total // days):
            at += int(1000 * pace * random.lognormvariate(0, 0.7))
            hand.download(at, scene.record("ContentDocument"), around(random, 220_000, 1.0, 5e8))
    return scene.result([victim.account.number], networks)


def _distributed(scene: _Scene) -> list[Attack]:
    """Many accounts, each a little, from one network that nobody had used."""
    random = scene.random
    victims = scene.people(scene.pick((40, 20, 10)))
    each = scene.by_level(90, 45, 26)
    days = scene.pick((1, 1, 2))
    day = scene.day(days + 1)
    first = vpn_ip(random)
    network, _, last = first.rpartition(".")
    ips = [f"{network}.{(int(last) + step * 7) % 250 + 1}" for step in range(scene.pick((1, 2, 4)))]
    for victim in victims:
        hour = random.uniform(9, 16) if scene.hard else random.uniform(1, 5)
        agent = (
            browser(victim, day)
            if scene.hard
            else "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0.0.0"
        )
        hand = scene.hand(victim, random.choice(ips), agent)
        at = scene.at(day + random.randrange(days), hour)
        hand.login(at)
        for _ in range(around(random, each, 0.25)):
            at += int(1000 * scene.by_level(5, 12, 25))
            kind = random.choice(("Contact", "Contact", "Case"))
            hand.view(at, kind, scene.record(kind))
    return scene.result([victim.account.number for victim in victims], ips)


def _guest_enumeration(scene: _Scene) -> list[Attack]:
    """A public site asked for one record number after another."""
    random = scene.random
    portal = random.choice(scene.company.portals)
    total, days = int(scene.by_level(3_000, 950, 380)), scene.pick((1, 1, 2))
    denied, pace = scene.pick((50, 25, 10)) / 100, scene.by_level(1, 5, 60)
    ips = [vpn_ip(random) if scene.easy else visitor_ip(random) for _ in range(scene.pick((1, 6, 14)))]
    kind = portal.kinds[0]
    record = scene.record(kind) // 2 + 1
    day = scene.day(days)
    for step in range(days):
        at = scene.at(day + step, random.uniform(2, 12))
        agent = (
            "curl/8.9.1"
            if scene.easy
            else "Mozilla/5.0 (Linux; Android 13; K) Chrome/140.0.0.0 Mobile Safari/537.36"
        )
        hands = []
        for ip in ips:
            scene.sessions += 1
            hands.append(Hand(scene.acts, portal.account, ip, agent, scene.sessions, attack=scene.number))
        for _ in range(total // days):
            at += int(1000 * pace * random.lognormvariate(0, 0.3))
            record += 1 if not scene.hard else random.randrange(1, 5)
            random.choice(hands).view(at, kind, record, "A" if random.random() < denied else "")
    return scene.result([portal.account.number], ips)


def _leaver(scene: _Scene) -> list[Attack]:
    """Somebody in sales takes their book of business over their last week."""
    random = scene.random
    victim = scene.person(Role.SALES)
    if victim is None:
        return []
    days, count = scene.pick((3, 4, 5)), scene.pick((20, 14, 9))
    rows = scene.by_level(380, 150, 60)
    workdays = scene.workdays(victim.account.number, scene.day(9), days)
    for step in range(count if workdays else 0):
        acts = workdays[step * len(workdays) // count]
        hand = scene.own_hand(acts)
        hand.jobs += step
        at = acts[0].time_ms + int(random.random() * (acts[-1].time_ms - acts[0].time_ms))
        kind = random.choice(("Account", "Contact", "Opportunity", "Lead"))
        if random.random() < 0.6:
            hand.report(
                at, kind, around(random, 2 * rows, 0.6, 8_000), random.choice(victim.reports), export=True
            )
        else:
            hand.list_view(at, kind, around(random, rows, 0.5, 2_000))
        for _ in range(random.randrange(3)):
            at += 20_000
            hand.download(at, scene.record("ContentDocument"), around(random, 300_000, 1.0, 5e8))
    return scene.result([victim.account.number], [])


def _session_hijack(scene: _Scene) -> list[Attack]:
    """An administrator's session in a second browser: searches, then exports."""
    random = scene.random
    victim = scene.person(Role.ADMIN)
    if victim is None:
        return []
    total = scene.by_level(22_000, 4_500, 1_000)
    ip = vpn_ip(random) if not scene.hard else home_ip(1200 + random.randrange(300), 99)
    for acts in scene.workdays(victim.account.number, scene.day(4), 1):
        hand = scene.own_hand(acts)
        hand.ip = ip
        if scene.easy:
            hand.agent = "Mozilla/5.0 (Windows NT 10.0; rv:109.0) Gecko/20100101 Firefox/115.0"
        at = acts[len(acts) // 2].time_ms
        for _ in range(scene.pick((30, 14, 7))):
            at += int(1000 * around(random, 25, 0.7))
            hand.search(at, random.choice(("Contact", "Case", "Account")), around(random, 25, 0.8, 250))
        for kind in ("Contact", "Case", "Account"):
            at += int(1000 * around(random, 240, 0.6))
            hand.report(at, kind, min(RECORDS[kind], int(total / 4)), 700 + random.randrange(9), export=True)
        tool = Hand(scene.acts, hand.account, ip, hand.agent, hand.session, Way.REST, None, scene.number)
        tool.jobs = hand.jobs + 10
        tool.query(at + 300_000, "Contact", int(total / 4), f"{_select('Contact')} WHERE Email != :since")
    return scene.result([victim.account.number], [ip])


_PLAYS: dict[Shape, Callable[[_Scene], list[Attack]]] = {
    Shape.STOLEN_TOKEN: _stolen_token,
    Shape.LOOKALIKE_APP: _lookalike_app,
    Shape.NIGHT_AGENT: _night_agent,
    Shape.LOW_AND_SLOW: _low_and_slow,
    Shape.REPORT_SCRAPING: _report_scraping,
    Shape.UI_PAGING: _ui_paging,
    Shape.FILE_DOWNLOAD: _file_download,
    Shape.DISTRIBUTED: _distributed,
    Shape.GUEST_ENUMERATION: _guest_enumeration,
    Shape.RAMP: _ramp,
    Shape.LEAVER: _leaver,
    Shape.SESSION_HIJACK: _session_hijack,
}
