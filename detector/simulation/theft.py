"""One theft at a chosen time: an integration's stolen token, used from another host by a script.

It follows the public accounts of August 2025 (UNC6395): the script logs in, counts, takes samples, then takes
everything by two bulk jobs and deletes them, within ten minutes.
"""

from __future__ import annotations

import msgspec

from detector.simulation.actions import ActionRecorder, Interface, SimulatedAction
from detector.simulation.company import Company
from detector.simulation.scene import Attack
from detector.simulation.shapes import Difficulty, Shape
from detector.simulation.soql import select
from detector.units import MINUTE_MS

__all__ = ["PlannedTheft", "thefts"]

SECOND_MS = 1_000
SAMPLE_ROWS = 20
AGENT = "python-requests/2.32.4"
_SESSIONS = 980_000_000


class PlannedTheft(msgspec.Struct, frozen=True):
    """When a token is used, and for what."""

    start_ms: int
    rows: int = 60_000
    integration: int = 0
    """Which integration's token it is."""
    ip: str = "192.0.2.77"
    """The thief's address."""


def thefts(company: Company, planned: tuple[PlannedTheft, ...]) -> list[Attack]:
    """The planned thefts that begin within the company's days."""
    end_ms = company.end_ms
    return [
        _theft(company, theft, len(Shape) + number)
        for number, theft in enumerate(planned, 1)
        if theft.start_ms < end_ms
    ]


def _theft(company: Company, theft: PlannedTheft, number: int) -> Attack:
    victim = company.integrations[theft.integration]
    acts: list[SimulatedAction] = []
    hand = ActionRecorder(
        acts, victim.account, theft.ip, AGENT, _SESSIONS + number, Interface.REST, victim.app, number
    )
    at = theft.start_ms
    hand.scouting = True
    hand.login(at)
    hand.describe(at + SECOND_MS)
    for step, kind in enumerate(("Account", "Contact", "Lead", "Case"), 1):
        at = theft.start_ms + 20 * step * SECOND_MS
        hand.count(at, kind)
        hand.query(
            at + 5 * SECOND_MS, kind, SAMPLE_ROWS, select(kind, f" LIMIT {SAMPLE_ROWS}", all_of_it=True)
        )
    hand.scouting = False
    at = theft.start_ms + 3 * MINUTE_MS
    for part, kind in enumerate(("Case", "Contact")):
        rows = (theft.rows + part) // 2
        at = hand.bulk(at, kind, rows, select(kind, all_of_it=True), 2 * MINUTE_MS, delete_ms=MINUTE_MS)
        at += MINUTE_MS // 2
    return Attack(number, Shape.STOLEN_TOKEN, Difficulty.EASY, (victim.account.number,), (theft.ip,), acts)
