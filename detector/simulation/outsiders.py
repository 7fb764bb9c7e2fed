"""Attacks from outside: stolen tokens, sessions and passwords, and a public site that shows too much."""

from __future__ import annotations

from detector.simulation.actions import ActionRecorder, App, Interface
from detector.simulation.addresses import home_ip, host_ip, visitor_ip, vpn_ip
from detector.simulation.company import RECORDS, JobRole, WorkRhythm, browser
from detector.simulation.distributions import around
from detector.simulation.scene import FIRST_FOREIGN_APP, Attack, Scene
from detector.simulation.soql import select
from detector.units import HOUR_MS, MINUTE_MS

__all__ = [
    "distributed",
    "guest_enumeration",
    "lookalike_app",
    "night_agent",
    "session_hijack",
    "stolen_token",
]


def stolen_token(scene: Scene) -> list[Attack]:
    """Somebody else has an integration's token: looks around, days later takes by bulk jobs, and deletes them."""
    bulky = (WorkRhythm.NIGHTLY, WorkRhythm.DAILY, WorkRhythm.POLL, WorkRhythm.WEEKLY)
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
    hand = scene.hand(victim, scout, agent, Interface.REST, victim.app)
    hand.scouting = True
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
        hand.query(at, kind, 20, select(kind, " LIMIT 20", all_of_it=True))
    if not scene.hard:
        hand.limits(at + 30_000)
    host = scout if scene.hard and random.random() < 0.5 else vpn_ip(random)
    hour = victim.hour if scene.hard else random.choice((1, 2, 3, 21, 22, 23))
    kinds = ("Case", "Contact", "Account")
    for night in range(nights):
        hand = scene.hand(victim, host, agent, Interface.REST, victim.app)
        at = scene.at(day + pause + night, hour)
        hand.login(at)
        for kind in kinds:
            rows = min(RECORDS[kind], int(total / nights / len(kinds) * random.uniform(0.7, 1.3)))
            erase = 24_000 if not scene.hard or random.random() < 0.5 else None
            span = int(202_000 * random.uniform(0.6, 1.2))
            at = hand.bulk(
                at + MINUTE_MS, kind, max(20, rows), select(kind, all_of_it=True), span, delete_ms=erase
            )
    return scene.result([victim.account.number], [scout, host])


def lookalike_app(scene: Scene) -> list[Attack]:
    """Somebody was talked into connecting an app, which takes growing chunks under their account."""
    random = scene.random
    victim = scene.person(JobRole.SALES, JobRole.AGENT, JobRole.SUPERVISOR, JobRole.MARKETING)
    if victim is None:
        return []
    account = victim.account.number
    total = scene.by_level(45_000, 5_000, 900)
    app = App(
        FIRST_FOREIGN_APP + scene.number,
        random.choice(("My Ticket Portal", "Data Loader Plus", "Sync Helper")),
    )
    agent = random.choice(("DataLoaderPartnerUI/62.0", "Jakarta Commons-HttpClient/3.1", "node-fetch/1.0"))
    days = scene.pick((1, 2, 3))
    workdays = scene.workdays(account, scene.day(days + 3), days)
    ip = vpn_ip(random)
    used = []
    share = 0.0
    for step, acts in enumerate(workdays):
        if scene.hard:
            hand = scene.own_hand(acts, Interface.REST)
            hand.app, hand.agent = app, agent
            scene.sessions += 1
            hand.session, hand.jobs = scene.sessions, scene.sessions * 1000
            at = acts[len(acts) // 3].time_ms
        else:
            hand = scene.hand(victim, ip, agent, Interface.REST, app)
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
            at = hand.query(at, kind, rows, select(kind, " WHERE Id > :since LIMIT 50000", all_of_it=True))
    return scene.result([account], used)


def night_agent(scene: Scene) -> list[Attack]:
    """An agent's account at night: hundreds of cases and contacts, opened one by one and in lists."""
    random = scene.random
    victim = scene.person(JobRole.AGENT, test=lambda one: scene.hard or one.start_hour < 15)
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


def session_hijack(scene: Scene) -> list[Attack]:
    """An administrator's session in a second browser: searches, then exports."""
    random = scene.random
    victim = scene.person(JobRole.ADMIN)
    if victim is None:
        return []
    total = scene.by_level(22_000, 4_500, 500)
    ip = vpn_ip(random) if not scene.hard else home_ip(1200 + random.randrange(300), 99)
    for acts in scene.workdays(victim.account.number, scene.day(4), 1):
        hand = scene.own_hand(acts)
        hand.ip = ip
        if scene.easy:
            hand.agent = "Mozilla/5.0 (Windows NT 10.0; rv:109.0) Gecko/20100101 Firefox/115.0"
        at = acts[len(acts) // 2].time_ms
        hand.scouting = True
        for _ in range(scene.pick((30, 14, 7))):
            at += int(1000 * around(random, 25, 0.7))
            hand.search(at, random.choice(("Contact", "Case", "Account")), around(random, 25, 0.8, 250))
        hand.scouting = False
        for kind in ("Contact", "Case", "Account"):
            at += int(1000 * around(random, 240, 0.6))
            hand.report(at, kind, min(RECORDS[kind], int(total / 4)), 700 + random.randrange(9), export=True)
        tool = ActionRecorder(
            scene.acts, hand.account, ip, hand.agent, hand.session, Interface.REST, None, scene.number
        )
        tool.jobs = hand.jobs + 10
        tool.query(
            at + 300_000,
            "Contact",
            int(total / 4),
            select("Contact", " WHERE Email != :since", all_of_it=True),
        )
    return scene.result([victim.account.number], [ip])


def distributed(scene: Scene) -> list[Attack]:
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


def guest_enumeration(scene: Scene) -> list[Attack]:
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
            hands.append(
                ActionRecorder(scene.acts, portal.account, ip, agent, scene.sessions, attack=scene.number)
            )
        for _ in range(total // days):
            at += int(1000 * pace * random.lognormvariate(0, 0.3))
            record += 1 if not scene.hard else random.randrange(1, 5)
            random.choice(hands).view(at, kind, record, "A" if random.random() < denied else "")
    return scene.result([portal.account.number], ips)
