from __future__ import annotations

from typing import Any

import msgspec

from detector.catalogue import Category
from detector.event import AccessEvent, ActorKind, Counting, Operation
from detector.response.suppliers import MOST_APPS, MOST_VALUES, SupplierApp, Suppliers
from detector.response.suppliers_names import lookalikes
from detector.units import DAY_MS
from tests.detector.make import START_MS


def access(day: float, number: int, app: str | None = "Sync", **fields: Any) -> AccessEvent:
    """A read of 10 contacts by an integration on a day."""
    event = AccessEvent(
        time_ms=START_MS + round(day * DAY_MS),
        event_id=f"e{number}",
        tenant="t",
        actor="u",
        actor_kind=ActorKind.INTEGRATION,
        operation=Operation.QUERY,
        app=app,
        ip="192.0.2.7",
        user_agent="sync/1.0",
        objects=("Contact",),
        rows=10,
    )
    return msgspec.structs.replace(event, **fields)


def found(*events: AccessEvent) -> dict[str, SupplierApp]:
    """The apps in these events, by name."""
    collected = Suppliers()
    for event in events:
        collected.observe(event)
    return {one.name: one for one in collected.found()}


def test_an_app_is_known_by_what_it_takes_from_where_and_as_whom() -> None:
    """Rows are counted once, by category, and apart for the last 30 days and the 90 before."""
    job = {"operation_id": "j", "counting": Counting.MAXIMUM, "operation": Operation.BULK_EXPORT}
    apps = found(
        access(0, 1, rows=500, **job),
        access(0.1, 2, rows=700, **job),
        access(100, 3, objects=("Case",)),
        access(100, 3, objects=("Case",)),
    )
    one = apps["Sync"]
    assert (one.rows, one.earlier_rows, one.recent_rows, one.reads) == (710, 700, 10, 3)
    assert one.rows_by_category == {Category.CONTACT: 700, Category.CUSTOMER_SERVICE: 10}
    assert (one.networks, one.agents, one.accounts) == (("192.0.2.0/24",), ("sync",), ("u",))
    assert (one.first_ms, one.last_ms) == (START_MS, START_MS + 100 * DAY_MS)


def test_drift_is_what_an_old_app_never_showed_before() -> None:
    """A new network and object of an app that is long known; an app that is new altogether has not drifted."""
    new = access(100, 2, ip="203.0.113.9", objects=("Case",))
    apps = found(access(0, 1), new, access(100, 3, "Fresh"))
    assert apps["Sync"].drifted == {"network": ("203.0.113.0/24",), "object": ("Case",)}
    assert apps["Fresh"].drifted == {}


def test_an_app_without_use_for_45_days_is_dormant() -> None:
    """Counted back from the end of the logs, not a day earlier."""
    apps = found(access(0, 1, "Old"), access(1, 2, "Younger"), access(45, 3, "Now"))
    assert [name for name, one in apps.items() if one.dormant] == ["Old"]


def test_a_category_that_is_hardly_read_is_named() -> None:
    """One read of cases in 300; a tenth is no rarity, and what is rare but the company's own is not named."""
    reads = [
        access(n / 300, n, objects=("Case",) if n == 7 else ("User",) if n == 9 else ("Contact",))
        for n in range(300)
    ]
    assert found(*reads)["Sync"].hardly_used == (Category.CUSTOMER_SERVICE,)
    often = [access(n / 300, n, objects=("Case",) if n % 10 else ("Contact",)) for n in range(300)]
    assert found(*often)["Sync"].hardly_used == ()


def test_a_program_without_an_app_goes_by_account_and_agent() -> None:
    """And says so; a person without an app is no supplier."""
    apps = found(access(0, 1, None), access(0, 2, None, actor_kind=ActorKind.HUMAN, actor="p"))
    assert [(name, one.named) for name, one in apps.items()] == [("u · sync", False)]


def test_memory_is_bounded() -> None:
    """By apps and by values of each; what is beyond is counted."""
    collected = Suppliers()
    for number in range(MOST_APPS + 5):
        collected.observe(access(0, number, f"app {number}"))
    for number in range(MOST_VALUES + 3):
        collected.observe(access(0, number, "app 0", actor=f"u{number}"))
    apps = {one.name: one for one in collected.found()}
    assert (len(apps), collected.dropped_apps) == (MOST_APPS, 5)
    assert (len(apps["app 0"].accounts), apps["app 0"].dropped) == (MOST_VALUES, 4)


def test_names_that_look_alike_are_listed() -> None:
    """By letters of other alphabets, by one or two letters, and by a vendor's name; short and plain names are not."""
    names = ["Drift Sync", "Drіft Sync", "Drift Sinc", "Backup Data Loader", "ERP", "ERB", "Warehouse"]
    alike = {name: {(one.name, one.how) for one in others} for name, others in lookalikes(names).items()}
    assert ("Drift Sync", "same letters") in alike["Drіft Sync"]
    assert ("Drift Sync", "one or two letters differ") in alike["Drift Sinc"]
    assert ("Data Loader", "contains a vendor's name") in alike["Backup Data Loader"]
    assert not alike.keys() & {"ERP", "ERB", "Warehouse"}
