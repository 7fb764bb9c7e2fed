"""Attacks that hide in the baseline: a little more every day, for weeks."""

from __future__ import annotations

import msgspec

from detector.event import Operation
from detector.simulation.actions import SimulatedAction
from detector.simulation.company import RECORDS, JobRole, WorkRhythm
from detector.simulation.distributions import around
from detector.simulation.scene import Attack, Scene
from detector.units import DAY_MS, MINUTE_MS

__all__ = ["low_and_slow", "ramp"]


_CLONED = frozenset(
    {Operation.RECORD_VIEW, Operation.LIST_VIEW, Operation.SEARCH, Operation.REPORT, Operation.QUERY,
     Operation.FILE_DOWNLOAD, Operation.REPORT_EXPORT}
)  # fmt: skip


def _more_of_the_same(scene: Scene, acts: list[SimulatedAction], factor: float) -> None:
    """Multiply a day's acts by a factor, with more of the same at other times of the day."""
    random = scene.random
    first, last = acts[0].time_ms, acts[-1].time_ms
    jobs = acts[0].session * 1000 + 500
    extra = factor - 1
    for act in acts:
        if act.operation not in _CLONED or act.status or not act.rows:
            continue
        for _ in range(int(extra) + (random.random() < extra % 1)):
            jobs += 1
            at = first + MINUTE_MS + int(random.random() * (last - first))
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


def low_and_slow(scene: Scene) -> list[Attack]:
    """A week to three weeks of a quarter more to three times as much, from the account's own place."""
    victim = scene.person(
        JobRole.AGENT, JobRole.SALES, JobRole.SUPERVISOR, JobRole.BACK_OFFICE, JobRole.MARKETING
    )
    if victim is None:
        return []
    factor = scene.between((2.2, 3.2), (1.6, 2.3), (1.25, 1.7))
    length = scene.random.randrange(7, 22)
    first = scene.day(length + 1)
    for acts in scene.workdays(victim.account.number, first, 20):
        if acts[0].time_ms < scene.company.start_ms + (first + length) * DAY_MS:
            _more_of_the_same(scene, acts, factor)
    return scene.result([victim.account.number], [])


def ramp(scene: Scene) -> list[Attack]:
    """A little more every day for one to three weeks, so that what is normal is learned along."""
    random = scene.random
    polls = [
        one
        for one in scene.company.integrations
        if one.rhythm in (WorkRhythm.POLL, WorkRhythm.DAILY) and one.account.number not in scene.used
    ]
    if polls and random.random() < 0.4:
        account = random.choice(polls).account.number
        scene.used.add(account)
    else:
        victim = scene.person(JobRole.SUPERVISOR, JobRole.SALES, JobRole.MARKETING, JobRole.ANALYST)
        if victim is None:
            return []
        account = victim.account.number
    goal = scene.between((6, 11), (3.2, 6), (2, 3.4))
    length = random.randrange(9, 23)
    first = scene.first + random.randrange(max(1, scene.company.days - scene.first - length))
    days = scene.workdays(account, first, length)
    for step, acts in enumerate(days, 1):
        if acts[0].time_ms < scene.company.start_ms + (first + length) * DAY_MS:
            _more_of_the_same(scene, acts, goal ** (step / len(days)))
    return scene.result([account], [])
