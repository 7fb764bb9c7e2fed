"""The records of a small simulated company, made once for all tests that ask for the same."""

from __future__ import annotations

from functools import lru_cache
from itertools import takewhile

from detector.simulation import Format, Scenario, Simulation, Theft
from detector.units import DAY_MS, HOUR_MS

__all__ = ["MONDAY_MS", "THIEF", "THIEF_IDENTITY", "THIEF_IP", "traffic"]

MONDAY_MS = 1_772_409_600_000  # 2026-03-02
THIEF = "0054R0000009000AAA"
"""The integration whose token is stolen."""
THIEF_IDENTITY = f"00D4R000001kSkyUAE/{THIEF}"
THIEF_IP = "192.0.2.77"


@lru_cache(maxsize=8)
def traffic(
    *,
    seed: int,
    hours: int,
    people: int,
    integrations: int = 3,
    start_ms: int = MONDAY_MS,
    theft_ms: int | None = None,
) -> tuple[tuple[int, bytes], ...]:
    """Event log file rows as JSON with their times, in order: ordinary work and, from `theft_ms` on, one theft."""
    scenario = Scenario(
        seed=seed,
        format=Format.ELF,
        days=-(-hours * HOUR_MS // DAY_MS),
        people=people,
        integrations=integrations,
        shapes=(),
        start_ms=start_ms,
        calm=True,
        thefts=() if theft_ms is None else (Theft(theft_ms),),
    )
    end_ms = start_ms + hours * HOUR_MS
    return tuple(takewhile(lambda record: record[0] < end_ms, Simulation(scenario).stream()))
