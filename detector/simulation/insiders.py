"""Attacks by insiders: accounts that may read, and read too much."""

from __future__ import annotations

from detector.simulation.company import RECORDS, JobRole
from detector.simulation.distributions import around
from detector.simulation.manner import AttackPlace
from detector.simulation.scene import Attack, Scene

__all__ = ["file_download", "leaver", "report_scraping", "ui_paging"]


def report_scraping(scene: Scene) -> list[Attack]:
    """Somebody who rarely exports exports report after report, in the office."""
    random, manner = scene.random, scene.manner
    victim = scene.person(
        JobRole.SALES,
        JobRole.AGENT,
        JobRole.SUPERVISOR,
        JobRole.BACK_OFFICE,
        test=lambda one: one.exports < 0.1,
    )
    if victim is None:
        return []
    count = scene.count((8, 28), (5, 14), (3, 8))
    rows = scene.between((2_500, 9_000), (700, 2_600), (200, 800))
    workdays = scene.workdays(victim.account.number, scene.day(manner.days + 3), manner.days)
    for step in range(count if workdays else 0):
        acts = workdays[step * len(workdays) // count]
        hand = scene.own_hand(acts)
        hand.jobs += step
        at = acts[0].time_ms + int(random.random() * (acts[-1].time_ms - acts[0].time_ms))
        kind = random.choice(("Contact", "Case", "Account", "Contact"))
        number = random.choice(victim.reports) if manner.own_agent else 600 + random.randrange(30)
        hand.report(at, kind, around(random, rows, 0.5, RECORDS[kind]), number, export=True)
    return scene.result([victim.account.number], [])


def ui_paging(scene: Scene) -> list[Attack]:
    """A program opens page after page in somebody's browser session, in the order of the records' ids."""
    random, manner = scene.random, scene.manner
    victim = scene.person(JobRole.AGENT, JobRole.SALES, JobRole.BACK_OFFICE)
    if victim is None:
        return []
    total = scene.count((800, 2_600), (280, 900), (120, 420))
    pace, spread = (
        scene.between((1.2, 5), (3, 12), (10, 30)),
        scene.between((0.02, 0.1), (0.1, 0.3), (0.3, 0.7)),
    )
    stride = scene.count((1, 2), (1, 3), (3, 12))
    kind = random.choice(("Contact", "Case"))
    record = scene.record(kind) // 2 + 1
    workdays = scene.workdays(victim.account.number, scene.day(manner.days + 3), manner.days)
    for acts in workdays:
        hand = scene.own_hand(acts)
        at = scene.moment(acts)
        for _ in range(max(1, total // len(workdays))):
            at += int(1000 * pace * (1 + random.uniform(-spread, spread)))
            record = (record + random.randint(1, stride)) % RECORDS[kind]
            hand.view(at, kind, record + 1)
    return scene.result([victim.account.number], [])


def file_download(scene: Scene) -> list[Attack]:
    """Attachments and scans by the hundred."""
    random, manner = scene.random, scene.manner
    victim = scene.person(JobRole.AGENT, JobRole.SALES, JobRole.SUPERVISOR, JobRole.BACK_OFFICE)
    if victim is None:
        return []
    total = scene.count((300, 1_000), (90, 300), (30, 110))
    ip = scene.foreign_ip(victim.account.number)
    networks = []
    workdays = scene.workdays(victim.account.number, scene.day(manner.days + 3), manner.days)
    for acts in workdays:
        at = scene.moment(acts)
        if manner.place is AttackPlace.OWN:
            hand = scene.own_hand(acts)
            pace = 80 * manner.pace
        else:
            hand = scene.hand(victim, ip, acts[0].agent)
            pace = scene.between((2, 8), (6, 30), (30, 120))
            networks.append(ip)
            hand.login(at)
        for _ in range(max(1, total // len(workdays))):
            at += int(1000 * pace * random.lognormvariate(0, 0.7))
            hand.download(at, scene.record("ContentDocument"), around(random, 220_000, 1.0, 5e8))
    return scene.result([victim.account.number], networks)


def leaver(scene: Scene) -> list[Attack]:
    """Somebody in sales takes their book of business over their last days."""
    random, manner = scene.random, scene.manner
    victim = scene.person(JobRole.SALES)
    if victim is None:
        return []
    days, count = max(2, min(manner.days, 9)), scene.count((12, 30), (7, 18), (4, 12))
    rows = scene.between((200, 700), (80, 250), (30, 110))
    files = random.choice((0, 1, 3, 6))
    workdays = scene.workdays(victim.account.number, scene.day(9), days)
    for step in range(count if workdays else 0):
        acts = workdays[step * len(workdays) // count]
        hand = scene.own_hand(acts)
        hand.jobs += step
        at = acts[0].time_ms + int(random.random() * (acts[-1].time_ms - acts[0].time_ms))
        kind = random.choice(("Account", "Contact", "Opportunity", "Lead"))
        if not step or random.random() < 0.6:
            report = random.choice(victim.reports)
            hand.report(at, kind, around(random, 2 * rows, 0.6, 8_000), report, export=True)
        else:
            hand.list_view(at, kind, around(random, rows, 0.5, 2_000))
        for _ in range(random.randint(0, files)):
            at += 20_000
            hand.download(at, scene.record("ContentDocument"), around(random, 300_000, 1.0, 5e8))
    return scene.result([victim.account.number], [])
