"""Integrations and public sites: what programs and unknown visitors do when nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from detector.simulation.actions import ActionRecorder, Interface, SimulatedAction
from detector.simulation.addresses import visitor_ip
from detector.simulation.bursts import Calendar
from detector.simulation.company import RECORDS, Company, Integration, Portal, WorkRhythm, version
from detector.simulation.distributions import around, number_of, stream
from detector.simulation.soql import select
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = ["integration_days", "portal_days"]

DAY_SHAPE = (
    0.25, 0.18, 0.15, 0.15, 0.2, 0.4, 0.8, 1.2, 1.5, 1.7, 1.7, 1.6,
    1.4, 1.5, 1.6, 1.6, 1.5, 1.4, 1.3, 1.2, 1.0, 0.8, 0.5, 0.35,
)  # fmt: skip
"""How busy the customers' hours (UTC) are."""


def integration_days(company: Company, one: Integration, plan: Calendar) -> Iterator[list[SimulatedAction]]:
    """What one integration does, day by day."""
    random = stream(company.seed, "program", one.account.number)
    for day in range(company.days):
        acts: list[SimulatedAction] = []
        upgraded = next(
            (each for each in plan.upgrades if each.account == one.account.number and each.day <= day), None
        )
        ip = upgraded.ip if upgraded else one.ip
        if one.hosts > 1:  # whichever machine of the pool is up today
            ip = f"{ip.rpartition('.')[0]}.{10 + stream(company.seed, one.account.number, day).randrange(one.hosts)}"
        agent = f"{one.app.name}/9.0" if upgraded else version(one, day)
        hand = ActionRecorder(
            acts, one.account, ip, agent, one.account.number * 100_000 + day * 100, one.way, one.app
        )
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
                at = hand.bulk(at, kind, rows, select(kind), 20 * MINUTE_MS) + 5 * MINUTE_MS
        if (one.account.number, day) in plan.backfills:
            _backfill(random, hand, one, midnight)
        yield acts


def _backfill(random: Random, hand: ActionRecorder, one: Integration, midnight: int) -> None:
    """What had been missed, or was wrong, is read again in one go."""
    at = midnight + random.randrange(5, 20) * HOUR_MS
    for kind in one.kinds:
        rows = int(min(RECORDS[kind], one.rows * 40 + 2_000) * random.uniform(0.4, 1))
        query = select(kind)
        if one.way is Interface.BULK:
            at = hand.bulk(at, kind, rows, query, 10 * MINUTE_MS) + MINUTE_MS
        else:
            at = hand.query(at, kind, rows, query) + MINUTE_MS


def _program_day(random: Random, hand: ActionRecorder, one: Integration, midnight: int, day: int) -> None:
    if one.rhythm is WorkRhythm.POLL:
        step = int(one.every_minutes * MINUTE_MS)
        for turn in range(DAY_MS // step):
            at = midnight + turn * step + 2_000 + random.randrange(4_000)
            kind = one.kinds[turn % len(one.kinds)]
            shape = DAY_SHAPE[turn * step // HOUR_MS % 24]
            hand.query(at, kind, around(random, one.rows * shape, one.spread, 8_000), select(kind))
    elif one.rhythm is WorkRhythm.SERVE:
        for hour, shape in enumerate(DAY_SHAPE):
            weekend = 0.7 if day % 7 > 4 else 1.0
            for _ in range(number_of(random, 60 / one.every_minutes * shape * weekend)):
                at = midnight + hour * HOUR_MS + random.randrange(HOUR_MS)
                kind = one.kinds[int(random.random() * len(one.kinds))]
                if random.random() < 0.2:
                    hand.write(at, kind, 1 + int(random.random() * RECORDS[kind]))
                else:
                    hand.query(
                        at, kind, around(random, one.rows, one.spread, 400), select(kind, " LIMIT 200")
                    )
    elif one.rhythm is WorkRhythm.WATCH:
        step = int(one.every_minutes * MINUTE_MS)
        for turn in range(DAY_MS // step):
            hand.limits(midnight + turn * step + random.randrange(3_000))
        hand.describe(midnight + one.hour * HOUR_MS)
    elif one.rhythm is not WorkRhythm.WEEKLY or day % 7 == one.weekday:
        at = midnight + one.hour * HOUR_MS + random.randrange(12 * MINUTE_MS)
        for kind in one.kinds:
            rows = around(random, one.rows, one.spread, RECORDS[kind])
            if one.way is Interface.BULK:
                at = hand.bulk(at, kind, rows, select(kind), int((60 + rows / 120) * 1000)) + 30_000
            else:
                at = hand.query(at, kind, rows, select(kind)) + 5_000


def portal_days(company: Company, portal: Portal) -> Iterator[list[SimulatedAction]]:
    """What a public site's visitors do under its guest account, day by day."""
    random = stream(company.seed, "portal visits", portal.account.number)
    for day in range(company.days):
        acts: list[SimulatedAction] = []
        midnight = company.start_ms + day * DAY_MS
        for visit in range(number_of(random, portal.visits * random.lognormvariate(0, 0.15))):
            hour = random.choices(range(24), DAY_SHAPE)[0]
            at = midnight + hour * HOUR_MS + random.randrange(HOUR_MS)
            agent = (
                f"Mozilla/5.0 (Linux; Android {10 + random.randrange(6)}; K) "
                f"Chrome/{138 + random.randrange(6)}.0.0.0 Mobile Safari/537.36"
            )
            hand = ActionRecorder(
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
        yield acts
