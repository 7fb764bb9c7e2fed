"""Unusual but harmless acts of ordinary people, which a detector must not take for a theft.

None of it is labelled: it is part of being ordinary.
"""

from __future__ import annotations

from random import Random

from detector.simulation.actions import ActionRecorder, App, Interface
from detector.simulation.addresses import carrier_ip
from detector.simulation.company import RECORDS, Employee, JobRole
from detector.simulation.distributions import around, number_of
from detector.simulation.soql import select
from detector.units import HOUR_MS

__all__ = ["odd_day"]

_TELEPHONE = "SalesforceMobileSDK/12.1 ios/18.5 (iPhone15,2) chatter-app/254.0"
_TOOLS = (App(40, "sheet-connector"), App(41, "query-desk"), App(42, "api-explorer"))


def odd_day(
    random: Random, hand: ActionRecorder, person: Employee, day: int, begin: int, often: float
) -> None:
    """Add to somebody's day what seldom happens, each by its own small chance, times `often`."""
    end = begin + person.hours * HOUR_MS
    if random.random() < 0.02 * often:
        _overtime(random, hand, end)
    if person.role in (JobRole.SALES, JobRole.SUPERVISOR) and random.random() < 0.08 * often:
        _on_the_telephone(random, hand, person, begin, end)
    if day % 28 == person.upgrade and person.role not in (JobRole.AGENT, JobRole.ADMIN):
        _once_a_month(random, hand, person, begin, end)
    if person.role in (JobRole.ADMIN, JobRole.ANALYST, JobRole.MARKETING) and random.random() < 0.012 * often:
        _tries_a_tool(random, hand, person, begin, end)


def _any(random: Random, kind: str) -> int:
    return 1 + int(random.random() * RECORDS[kind])


def _overtime(random: Random, hand: ActionRecorder, end: int) -> None:
    """An evening's worth of what was left over."""
    at = end + int(random.uniform(0.5, 3) * HOUR_MS)
    for _ in range(number_of(random, 25)):
        at += around(random, 60_000, 1.0)
        hand.view(at, "Case" if random.random() < 0.6 else "Contact", _any(random, "Contact"))


def _on_the_telephone(random: Random, hand: ActionRecorder, person: Employee, begin: int, end: int) -> None:
    """A few records looked up on the way."""
    phone = ActionRecorder(
        hand.acts, hand.account, carrier_ip(person.account.number, random), _TELEPHONE, hand.session + 30
    )
    at = begin + int(random.random() * (end - begin))
    phone.login(at)
    for _ in range(1 + number_of(random, 5)):
        at += around(random, 40_000, 0.9)
        kind = random.choice(("Account", "Contact", "Opportunity"))
        phone.view(at, kind, _any(random, kind))


def _once_a_month(random: Random, hand: ActionRecorder, person: Employee, begin: int, end: int) -> None:
    """The monthly figures: a few larger reports, taken away as files even by some who else never do."""
    for _ in range(1 + number_of(random, 0.8)):
        at = begin + int(random.random() * (end - begin))
        kind = random.choice(("Account", "Case", "Contact"))
        rows = around(random, 3 * person.report_rows, 0.7, RECORDS[kind] // 2)
        hand.report(at, kind, rows, person.reports[-1] + 40, export=random.random() < 0.35)


def _tries_a_tool(random: Random, hand: ActionRecorder, person: Employee, begin: int, end: int) -> None:
    """A new tool is tried: it looks around and fetches samples, as a thief's would."""
    app = random.choice(_TOOLS)
    tool = ActionRecorder(
        hand.acts, hand.account, hand.ip, f"{app.name}/1.0", hand.session + 40, Interface.REST, app
    )
    at = begin + int(random.random() * (end - begin))
    tool.describe(at)
    for _ in range(1 + number_of(random, 3)):
        at += around(random, 90_000, 0.8)
        kind = random.choice(("Account", "Case", "Contact", "Opportunity"))
        if random.random() < 0.4:
            tool.describe(at, kind)
        else:
            at = tool.query(at, kind, around(random, 150, 1.3, 4_000), select(kind, " LIMIT 4000"))
