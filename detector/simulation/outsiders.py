"""Attacks from outside: stolen tokens, sessions and passwords, and a public site that shows too much."""

from __future__ import annotations

from detector.simulation.actions import ActionRecorder, App, Interface
from detector.simulation.addresses import visitor_ip
from detector.simulation.company import RECORDS, JobRole, WorkRhythm, browser, version
from detector.simulation.distributions import around
from detector.simulation.manner import AttackHours, AttackPlace
from detector.simulation.scene import FIRST_FOREIGN_APP, Attack, Scene
from detector.simulation.soql import select
from detector.units import DAY_MS, MINUTE_MS

__all__ = [
    "distributed",
    "guest_enumeration",
    "lookalike_app",
    "night_agent",
    "session_hijack",
    "stolen_token",
]


_SCRIPTS = (
    "python-requests/2.32.4",
    "Python/3.11 aiohttp/3.12.15",
    "Salesforce-CLI/1.0",
    "Multi-Org-Fetcher/1.0",
    "okhttp/4.12.0",
)
_BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; rv:109.0) Gecko/20100101 Firefox/115.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0.0.0",
)


def stolen_token(scene: Scene) -> list[Attack]:
    """Somebody else has an integration's token: looks around, days later takes by bulk jobs or queries."""
    bulky = (WorkRhythm.NIGHTLY, WorkRhythm.DAILY, WorkRhythm.POLL, WorkRhythm.WEEKLY)
    choice = [one for one in scene.company.integrations if one.rhythm in bulky]
    random, manner = scene.random, scene.manner
    victim = random.choice(choice)
    scene.used.add(victim.account.number)
    usual = scene.usual(victim.account.number)
    total = max(
        scene.between((25_000, 130_000), (4_000, 20_000), (500, 3_000)),
        usual * scene.between((3, 10), (1.2, 4), (0.3, 1.4)),
    )
    day = scene.day(manner.dwell_days + manner.days)
    agent = version(victim, day) if manner.own_agent else random.choice(_SCRIPTS)
    scout = _host(scene, victim.ip)
    if manner.scouts:
        _look_around(scene, scene.hand(victim, scout, agent, Interface.REST, victim.app), day)
    host = scout if random.random() < 0.5 else _host(scene, victim.ip)
    hour = victim.hour if manner.hours is AttackHours.WORK else random.choice((1, 2, 3, 21, 22, 23))
    kinds = ("Case", "Contact", "Account", "Opportunity", "Lead")[: random.randrange(1, 6)]
    by_job = random.random() < 0.7
    erases = random.random() < 0.7
    for night in range(manner.days):
        hand = scene.hand(victim, host, agent, Interface.REST, victim.app)
        at = scene.at(day + manner.dwell_days + night, hour)
        hand.login(at)
        for kind in kinds:
            rows = max(
                20, min(RECORDS[kind], int(total / manner.days / len(kinds) * random.uniform(0.7, 1.3)))
            )
            query = select(kind, all_of_it=True)
            if by_job:
                span = int(200_000 * random.uniform(0.5, 1.5))
                at = hand.bulk(at + MINUTE_MS, kind, rows, query, span, delete_ms=24_000 if erases else None)
            else:
                at = hand.query(at + MINUTE_MS, kind, rows, query, int(2_000 * manner.pace))
    return scene.result([victim.account.number], [scout, host])


def _host(scene: Scene, usual: str) -> str:
    """An address of the manner's kind; of the own kind another machine where the integration runs."""
    if scene.manner.place is AttackPlace.OWN:
        return f"{usual.rpartition('.')[0]}.{230 + scene.random.randrange(20)}"
    return scene.foreign_ip(scene.random.randrange(23))


def _look_around(scene: Scene, hand: ActionRecorder, day: int) -> None:
    """Describe, count and sample some kinds of record."""
    random = scene.random
    hand.scouting = True
    at = scene.at(day, random.uniform(0, 23))
    hand.login(at)
    described = scene.count((1, 4), (1, 3), (1, 2)) if random.random() < 0.7 else 0
    for kind in ("", "Case", "Contact", "Account")[:described]:
        at += random.randrange(10_000, 60_000)
        hand.describe(at, kind)
    for kind in random.sample(("Account", "Contact", "User", "Case"), scene.count((2, 4), (1, 4), (1, 2))):
        at += random.randrange(20_000, 90_000)
        hand.count(at, kind)
    size = random.choice((1, 5, 10, 20, 20))
    for kind in ("Case", "Contact")[: random.randrange(3)]:
        at += random.randrange(20_000, 90_000)
        hand.query(at, kind, size, select(kind, f" LIMIT {size}", all_of_it=True))
    if random.random() < 0.5:
        hand.limits(at + 30_000)


def lookalike_app(scene: Scene) -> list[Attack]:
    """Somebody was talked into connecting an app, which takes growing chunks under their account."""
    random, manner = scene.random, scene.manner
    victim = scene.person(JobRole.SALES, JobRole.AGENT, JobRole.SUPERVISOR, JobRole.MARKETING)
    if victim is None:
        return []
    account = victim.account.number
    total = scene.between((15_000, 80_000), (1_800, 9_000), (350, 1_800))
    app = App(
        FIRST_FOREIGN_APP + scene.number,
        random.choice(("My Ticket Portal", "Data Loader Plus", "Sync Helper")),
    )
    agent = random.choice(("DataLoaderPartnerUI/62.0", "Jakarta Commons-HttpClient/3.1", "node-fetch/1.0"))
    workdays = scene.workdays(account, scene.day(manner.days + 3), manner.days)
    ip = scene.foreign_ip(account)
    used = []
    chunks = random.randrange(2, 9)
    growth = random.uniform(1, 2.2)
    for step, acts in enumerate(workdays):
        if manner.place is AttackPlace.OWN:
            hand = scene.own_hand(acts, Interface.REST)
            hand.app, hand.agent = app, agent
            scene.sessions += 1
            hand.session, hand.jobs = scene.sessions, scene.sessions * 1000
        else:
            hand = scene.hand(victim, ip, agent, Interface.REST, app)
            used.append(ip)
        at = scene.moment(acts)
        if not step:
            hand.login(at)
            if manner.scouts:
                hand.scouting = True
                hand.describe(at + 5_000)
                hand.scouting = False
        for chunk in range(chunks):
            share = growth**chunk / sum(growth**each for each in range(chunks))
            kind = ("Account", "Contact", "Case")[chunk % 3]
            at += int(90_000 * manner.pace * random.uniform(0.5, 3))
            rows = min(RECORDS[kind], max(5, int(total / len(workdays) * share)))
            at = hand.query(at, kind, rows, select(kind, " WHERE Id > :since LIMIT 50000", all_of_it=True))
    return scene.result([account], used)


def night_agent(scene: Scene) -> list[Attack]:
    """An agent's account at night or late: cases and contacts, opened one by one and in lists."""
    random, manner = scene.random, scene.manner
    late = manner.hours is AttackHours.WORK
    victim = scene.person(JobRole.AGENT, test=lambda one: late or one.start_hour < 15)
    if victim is None:
        return []
    number = victim.account.number
    total = scene.count((450, 1_600), (180, 650), (70, 260))
    nights = manner.days
    day = scene.day(nights + 1)
    ips = [scene.foreign_ip(number) for _ in range(random.choice((1, 1, 1, 2, nights)))]
    agent = browser(victim, day) if manner.own_agent else random.choice(_BROWSERS)
    hour = victim.start_hour + victim.hours - 1.5 if late else random.uniform(23, 28)
    pace = scene.between((2, 10), (6, 22), (18, 60))
    lists = random.choice((0, 15, 30, 60))
    for night in range(nights):
        hand = scene.hand(victim, ips[night % len(ips)], agent)
        at = scene.at(day + night, hour, victim.zone_hours)
        if not night and manner.scouts and random.random() < 0.5:
            scene.spray(ips, agent, at, random.randrange(3, 40))
        if not night and random.random() < 0.4:
            hand.login(at - 30_000, "LOGIN_ERROR_INVALID_PASSWORD")
        hand.login(at)
        for step in range(max(1, total // nights)):
            at += int(1000 * pace * random.lognormvariate(0, 0.6))
            kind = "Case" if random.random() < 0.6 else "Contact"
            if lists and step % lists == 0:
                hand.list_view(at, kind, around(random, 50, 0.3, 200))
                at += 8_000
            hand.view(at, kind, scene.record(kind))
    return scene.result([number], ips)


def session_hijack(scene: Scene) -> list[Attack]:
    """An administrator's session in a second browser: searches, then exports and a query."""
    random, manner = scene.random, scene.manner
    victim = scene.person(JobRole.ADMIN)
    if victim is None:
        return []
    total = scene.between((9_000, 50_000), (1_500, 8_000), (250, 1_200))
    ip = scene.foreign_ip(victim.account.number)
    agent = "" if manner.own_agent else random.choice(_BROWSERS)
    workdays = scene.workdays(victim.account.number, scene.day(manner.days + 3), manner.days)
    kinds = random.sample(("Contact", "Case", "Account", "Lead"), random.randrange(1, 5))
    by_tool = random.random() < 0.6
    for step, acts in enumerate(workdays):
        hand = scene.own_hand(acts)
        hand.ip, hand.agent = ip, agent or hand.agent
        hand.jobs += 20 * step
        at = scene.moment(acts)
        hand.scouting = not step and manner.scouts
        for _ in range(scene.count((10, 40), (5, 20), (2, 10)) if hand.scouting else 0):
            at += int(1000 * around(random, 25 * manner.pace, 0.7))
            hand.search(at, random.choice(("Contact", "Case", "Account")), around(random, 25, 0.8, 250))
        hand.scouting = False
        part = total / len(workdays) / (len(kinds) + by_tool)
        for kind in kinds:
            at += int(1000 * around(random, 240 * manner.pace, 0.6))
            rows = max(5, min(RECORDS[kind], int(part)))
            hand.report(at, kind, rows, 700 + random.randrange(9), export=True)
        if by_tool:
            tool = ActionRecorder(
                scene.acts, hand.account, ip, hand.agent, hand.session, Interface.REST, None, scene.number
            )
            tool.jobs = hand.jobs + 10
            query = select("Contact", " WHERE Email != :since", all_of_it=True)
            tool.query(at + 300_000, "Contact", max(5, int(part)), query)
    return scene.result([victim.account.number], [ip])


def distributed(scene: Scene) -> list[Attack]:
    """Many accounts, each a little, from one network that nobody had used."""
    random, manner = scene.random, scene.manner
    victims = scene.people(scene.count((20, 60), (10, 28), (6, 16)))
    if not victims:
        return []
    each = scene.between((50, 140), (25, 75), (12, 40))
    day = scene.day(manner.days + 1)
    network, _, last = scene.foreign_ip(random.randrange(23), _spread_place(manner.place)).rpartition(".")
    count = scene.count((1, 2), (1, 4), (2, 8))
    ips = [f"{network}.{(int(last) + step * 7) % 250 + 1}" for step in range(count)]
    agent = random.choice(_BROWSERS)
    if manner.scouts:
        begin = scene.company.start_ms + day * DAY_MS
        scene.spray(ips, agent, begin, scene.count((20, 80), (10, 40), (5, 20)))
    for victim in victims:
        hour = random.uniform(9, 16) if manner.hours is AttackHours.WORK else random.uniform(19, 29)
        own = browser(victim, day) if manner.own_agent else agent
        hand = scene.hand(victim, random.choice(ips), own)
        at = scene.at(day + random.randrange(manner.days), hour, victim.zone_hours)
        hand.login(at)
        for _ in range(around(random, each, 0.25)):
            at += int(8_000 * manner.pace * random.uniform(0.6, 1.4))
            kind = random.choice(("Contact", "Contact", "Case"))
            hand.view(at, kind, scene.record(kind))
    return scene.result([victim.account.number for victim in victims], ips)


def _spread_place(place: AttackPlace) -> AttackPlace:
    """Where many accounts can come from at once: no home."""
    return AttackPlace.MOBILE if place in (AttackPlace.OWN, AttackPlace.HOME) else place


def guest_enumeration(scene: Scene) -> list[Attack]:
    """A public site asked for one record number after another."""
    random, manner = scene.random, scene.manner
    if not scene.company.portals:
        return []
    portal = random.choice(scene.company.portals)
    total = scene.count((1_200, 4_500), (500, 1_500), (200, 600))
    denied = scene.between((0.3, 0.7), (0.1, 0.4), (0.03, 0.15))
    pace = scene.between((0.4, 3), (2, 12), (25, 90))
    many = scene.count((1, 3), (2, 12), (6, 30))
    bot = manner.place in (AttackPlace.VPN, AttackPlace.HOSTING, AttackPlace.TOR)
    ips = [scene.foreign_ip(0) if bot else visitor_ip(random) for _ in range(many)]
    kind = portal.kinds[0]
    record = scene.record(kind) // 2 + 1
    stride = scene.count((1, 1), (1, 3), (2, 9))
    agent = (
        "Mozilla/5.0 (Linux; Android 13; K) Chrome/140.0.0.0 Mobile Safari/537.36"
        if manner.own_agent
        else random.choice(("curl/8.9.1", *_SCRIPTS[:2]))
    )
    days = min(manner.days, 5)
    day = scene.day(days)
    for step in range(days):
        at = scene.at(day + step, random.uniform(2, 12))
        hands = []
        for ip in ips:
            scene.sessions += 1
            hands.append(
                ActionRecorder(scene.acts, portal.account, ip, agent, scene.sessions, attack=scene.number)
            )
        for _ in range(total // days):
            at += int(1000 * pace * random.lognormvariate(0, 0.3))
            record += random.randint(1, stride)
            random.choice(hands).view(at, kind, record, "A" if random.random() < denied else "")
    return scene.result([portal.account.number], ips)
