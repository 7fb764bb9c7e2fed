"""Attacks by insiders: accounts that may read, and read too much."""

from __future__ import annotations

from detector.simulation.addresses import mobile_ip, vpn_ip
from detector.simulation.company import RECORDS, JobRole
from detector.simulation.distributions import around
from detector.simulation.scene import Attack, Scene
from detector.units import HOUR_MS

__all__ = ["file_download", "leaver", "report_scraping", "ui_paging"]


def report_scraping(scene: Scene) -> list[Attack]:
    """Somebody who rarely exports exports report after report, in the office."""
    random = scene.random
    victim = scene.person(
        JobRole.SALES,
        JobRole.AGENT,
        JobRole.SUPERVISOR,
        JobRole.BACK_OFFICE,
        test=lambda one: one.exports < 0.1,
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


def ui_paging(scene: Scene) -> list[Attack]:
    """A program opens page after page in somebody's browser session, in the order of the records' ids."""
    random = scene.random
    victim = scene.person(JobRole.AGENT, JobRole.SALES, JobRole.BACK_OFFICE)
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


def file_download(scene: Scene) -> list[Attack]:
    """Attachments and scans by the hundred."""
    random = scene.random
    victim = scene.person(JobRole.AGENT, JobRole.SALES, JobRole.SUPERVISOR, JobRole.BACK_OFFICE)
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


def leaver(scene: Scene) -> list[Attack]:
    """Somebody in sales takes their book of business over their last week."""
    random = scene.random
    victim = scene.person(JobRole.SALES)
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
