"""Which tenants have room when there are too many."""

from __future__ import annotations

from msgspec.structs import replace

from detector.settings import Settings
from detector.signal import Signal, SignalKind
from detector.triage.tenants import ESTABLISHED_TICKS, Tenants
from detector.units import TICK_MS
from tests.detector.make import START_MS, whole

SETTINGS = replace(Settings().triage, most_tenants=10, own_tenants=("own",))


def tally(tenant: str, tick: int) -> Signal:
    """One record of a tenant in a tick."""
    end_ms = START_MS + (tick + 1) * TICK_MS
    return Signal(
        kind=SignalKind.TALLY,
        detector="",
        time_ms=end_ms,
        day=end_ms // 86_400_000,
        first_ms=end_ms - TICK_MS,
        last_ms=end_ms - 1,
        facts={"elf/query": 1.0},
        tenant=tenant,
        actor="\x00",
    )


def active(tenants: Tenants, tenant: str, ticks: range) -> None:
    """A tenant that has a record in each of these ticks."""
    for tick in ticks:
        assert tenants.admit(tenant, START_MS + tick * TICK_MS)
        tenants.count(tally(tenant, tick), START_MS + tick * TICK_MS)
        list(tenants.close(START_MS + (tick + 2) * TICK_MS))


def test_made_up_tenants_displace_one_another() -> None:
    """Neither the customer's own nor an established one makes room, whatever comes; one that comes late is admitted,
    and each that had to go is told of."""
    displaced: list[str] = []
    tenants = Tenants(SETTINGS, displaced.append)
    assert tenants.admit("own", START_MS)
    active(tenants, "steady", range(ESTABLISHED_TICKS))
    late = START_MS + ESTABLISHED_TICKS * TICK_MS
    for number in range(1_100):
        assert tenants.admit(f"made-up-{number}", late + number)
    assert tenants.admit("real", late + 2_000)
    active(tenants, "real", range(ESTABLISHED_TICKS + 1, ESTABLISHED_TICKS + 3))
    for number in range(1_100, 2_200):
        assert tenants.admit(f"made-up-{number}", late + 10 * TICK_MS)
    assert tenants.displaced == len(displaced) == 2_203 - SETTINGS.most_tenants
    assert not {"own", "steady", "real"} & set(displaced)


def test_the_established_are_never_displaced() -> None:
    """When there is nobody else, a newcomer finds no room until one of them has been silent for long."""
    tenants = Tenants(replace(SETTINGS, most_tenants=2, own_tenants=()), lambda tenant: None)
    active(tenants, "a", range(ESTABLISHED_TICKS))
    active(tenants, "b", range(ESTABLISHED_TICKS, 2 * ESTABLISHED_TICKS))
    at_ms = START_MS + 2 * ESTABLISHED_TICKS * TICK_MS
    assert not tenants.admit("c", at_ms)
    tenants.forget(START_MS + ESTABLISHED_TICKS * TICK_MS)
    assert tenants.admit("c", at_ms)
    assert tenants.displaced == 0


def test_who_was_displaced_leaves_nothing() -> None:
    """Its counts of ticks that are not over go with it, from what is saved as well."""
    tenants = Tenants(replace(SETTINGS, most_tenants=1, own_tenants=()), lambda tenant: None)
    assert tenants.admit("a", START_MS)
    tenants.count(tally("a", 0), START_MS)
    assert tenants.admit("b", START_MS + 1)
    changes = {key: value for state in tenants.states for key, value in whole(state.changes()).items()}
    assert [key for key, value in changes.items() if value is not None] == [b"tb"]
    assert list(tenants.close(START_MS + 2 * TICK_MS)) == []
