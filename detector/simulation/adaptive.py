"""An attacker who knows how detection works, and what the account is used to.

The account's own reading of earlier days is repeated, at the same times of the day, with the same agent and the same
queries but for other records, and only as far as hour and day stay below the most that the account has ever read.
"""

from __future__ import annotations

import msgspec

from detector.event import ActorKind, Operation
from detector.simulation.actions import PAGE_ROWS, Login, SimulatedAction
from detector.simulation.company import RECORDS, JobRole, WorkRhythm
from detector.simulation.manner import AttackPlace
from detector.simulation.read_records import MANY
from detector.simulation.scene import Attack, Scene
from detector.units import DAY_MS, HOUR_MS

__all__ = ["adaptive"]

_READS = frozenset(
    {Operation.RECORD_VIEW, Operation.LIST_VIEW, Operation.QUERY, Operation.REPORT, Operation.REPORT_EXPORT,
     Operation.FILE_DOWNLOAD}
)  # fmt: skip
_SINGLE = frozenset({Operation.RECORD_VIEW, Operation.FILE_DOWNLOAD})
TRIES, LEAST_ACTS = 10, 20
"""Accounts that are tried until one leaves room for so many acts."""
MOST_A_DAY = 400
"""Acts a day: more would take too long for a person."""
_PROGRAMS = (WorkRhythm.POLL, WorkRhythm.DAILY, WorkRhythm.SERVE)


def adaptive(scene: Scene) -> list[Attack]:
    """Weeks below the account's own bounds, by a person's session or an integration's token."""
    random = scene.random
    share = scene.between((0.85, 1.0), (0.65, 0.85), (0.4, 0.65))
    days = scene.count((3, 6), (5, 10), (8, 15))
    first = scene.day(min(days * 7 // 5, scene.company.days - scene.first - 1))
    by_program = random.random() < 0.35
    own_network = random.random() < 0.5
    for _ in range(TRIES):
        account = _account(scene, by_program)
        if account is None:
            return []
        known = [acts for day, acts in scene.worked(account.number).items() if day < first]
        if not known:
            continue
        ip = "" if own_network else _ip(scene, account.kind, account.number, known[-1][0].ip)
        bounds = _Bounds(known, share)
        for acts in scene.workdays(account.number, first, days):
            if acts[0].time_ms >= scene.company.start_ms + first * DAY_MS:
                _one_day(scene, acts, known, bounds, ip)
        if len(scene.acts) >= LEAST_ACTS:
            return scene.result([account.number], [ip] if ip else [])
        scene.acts.clear()  # this account leaves no room below its bounds
    return []


def _account(scene: Scene, by_program: bool) -> Login | None:
    """A program's account or a person's."""
    programs = [
        one
        for one in scene.company.integrations
        if one.rhythm in _PROGRAMS and one.account.number not in scene.used
    ]
    if by_program and programs:
        account = scene.random.choice(programs).account
        scene.used.add(account.number)
        return account
    victim = scene.person(
        JobRole.AGENT, JobRole.SALES, JobRole.SUPERVISOR, JobRole.ANALYST, JobRole.BACK_OFFICE
    )
    return None if victim is None else victim.account


def _ip(scene: Scene, kind: ActorKind, number: int, usual: str) -> str:
    """An address of the same kind as the usual one, next to a program's machines or at a person's provider."""
    if kind is ActorKind.INTEGRATION:
        return f"{usual.rpartition('.')[0]}.{230 + scene.random.randrange(20)}"
    return scene.foreign_ip(number, AttackPlace.OWN)


class _Bounds:
    """The most that an account read in an hour and in a day, times a share."""

    def __init__(self, known: list[list[SimulatedAction]], share: float) -> None:
        self.hour = share * max((max(_by_hour(acts).values(), default=0) for acts in known), default=0)
        self.day = share * max(sum(act.rows for act in acts) for acts in known)


def _by_hour(acts: list[SimulatedAction]) -> dict[int, int]:
    rows: dict[int, int] = {}
    for act in acts:
        hour = act.time_ms // HOUR_MS
        rows[hour] = rows.get(hour, 0) + act.rows
    return rows


def _one_day(
    scene: Scene, acts: list[SimulatedAction], known: list[list[SimulatedAction]], bounds: _Bounds, ip: str
) -> None:
    """Repeat what other days had, within the bounds; without an address from the account's own session."""
    random = scene.random
    midnight = (acts[0].time_ms - scene.company.start_ms) // DAY_MS * DAY_MS + scene.company.start_ms
    begin, end = acts[0].time_ms, acts[-1].time_ms
    own = next((act for act in acts if act.session % 100 == 0), acts[0])
    hours, total = _by_hour(acts), sum(act.rows for act in acts)
    scene.sessions += 1
    session = scene.sessions if ip else own.session
    jobs = session * 1000 + (0 if ip else 900)
    pattern = [
        act
        for past in random.sample(known, min(3, len(known)))
        for act in past
        if act.operation in _READS and act.rows and not act.status and act.total in (0, act.rows)
    ]
    random.shuffle(pattern)
    taken = 0
    for act in pattern:
        at = midnight + (act.time_ms - scene.company.start_ms) % DAY_MS + random.randrange(-600_000, 600_000)
        if not begin < at < end or taken == MOST_A_DAY:
            continue
        rows = min(act.rows, PAGE_ROWS) if act.operation is Operation.QUERY else act.rows
        hour = at // HOUR_MS
        if hours.get(hour, 0) + rows > bounds.hour or total + rows > bounds.day:
            continue
        hours[hour] = hours.get(hour, 0) + rows
        total += rows
        taken += 1
        jobs += 1
        single = act.operation in _SINGLE
        scene.acts.append(
            msgspec.structs.replace(
                act,
                time_ms=at,
                rows=rows,
                total=0 if single else rows,
                job=0 if single else jobs,
                record=1 + int(random.random() * RECORDS.get(act.kind, MANY)) if single else act.record,
                ip=ip or own.ip,
                agent=own.agent if act.session % 100 == 0 else act.agent,
                session=session,
                attack=scene.number,
            )
        )
