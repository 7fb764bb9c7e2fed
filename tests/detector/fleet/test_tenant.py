from __future__ import annotations

from random import Random

import msgspec

from detector.alert.alert import Alert
from detector.alert.ocsf import Activity
from detector.signal import Signal, SignalKind
from detector.units import DAY_MS, HOUR_MS, TICK_MS
from tests.detector.make import START_MS
from tests.detector.triage.triages import SETTINGS, Store, anew, body, crossed, save, tell, told
from tests.detector.triage.triages import AlertingTriage as Triage


def tally(shard: int, tick: int, rows: int, **sources: float) -> Signal:
    """What a shard counted in a tick."""
    start_ms = START_MS + tick * TICK_MS
    return Signal(
        kind=SignalKind.TALLY, detector="", time_ms=start_ms + TICK_MS, day=start_ms // DAY_MS, first_ms=start_ms,
        last_ms=start_ms + TICK_MS - 1, rows=rows, facts={f"elf/{name}": count for name, count in sources.items()},
        tenant="t", actor=f"\x00{shard}", sequence=tick,
    )  # fmt: skip


def weeks(triage: Triage, shards: int, ticks: int, random: Random) -> list[Alert]:
    """Weeks in which much the same happens, until the queries stop for half a day and then much leaves."""
    alerts = []
    for tick in range(ticks):
        silent = ticks - 150 <= tick < ticks - 80
        rows = 100 + random.randrange(20) + (90_000 if tick == ticks - 10 else 0)
        for shard in range(shards):
            part = rows // shards + (rows % shards if shard == 0 else 0)
            sources = {"login": 6.0 / shards} | ({} if silent else {"query": 12.0 / shards})
            alerts += tell(triage, tally(shard, tick, part, **sources))
    return alerts + triage.advance(START_MS + (ticks + 1) * TICK_MS)


def test_a_silent_source_and_a_tenants_burst_are_notices() -> None:
    """Each is told once, to be known rather than to wake somebody up, and so is that the records come again."""
    said = [body(alert) for alert in weeks(Triage(SETTINGS, {}), 1, 3 * 7 * 144, Random(1))]
    silence = [one for one in said if one["finding_info"]["types"] == ["health"]]
    assert [one["activity_name"] for one in silence] == ["Create", "Close"]
    hours = (silence[1]["time"] - silence[0]["time"]) / HOUR_MS
    assert 8 < hours < 12
    burst_ms = START_MS + (3 * 7 * 144 - 9) * TICK_MS
    (burst,) = [one for one in said if one["time"] == burst_ms]
    assert (burst["activity_name"], burst["finding_info"]["types"]) == ("Create", ["series"])
    assert "90,1" in burst["message"]
    assert {one["severity"] for one in said} == {"Informational"}


def test_sums_do_not_depend_on_who_counted() -> None:
    """Three shards that share what one would have counted alone lead to the same notices."""
    bodies = [
        [alert.body for alert in weeks(Triage(SETTINGS, {}), shards, 3 * 7 * 144, Random(1))]
        for shards in (1, 3)
    ]
    assert bodies[0] == bodies[1] != []


def test_a_silence_is_not_over_because_nothing_is_heard_of_it() -> None:
    """However long a source is silent, the notice stays open until it speaks."""
    triage = Triage(SETTINGS, {})
    ticks = 3 * 7 * 144
    alerts = weeks(triage, 1, ticks, Random(1))
    silent = [tell(triage, tally(0, ticks + tick, 100, login=6.0)) for tick in range(4 * 144)]
    assert not [
        alert
        for tick in silent
        for alert in tick
        if alert.activity is Activity.CLOSE and "health" in alert.detectors
    ]
    assert [incident.source for incident in triage.open_incidents] == ["elf"]
    assert alerts


def test_beyond_the_most_signals_are_refused() -> None:
    """When all are the customer's own, signals about another are refused and counted, also by a shard taken over; who
    is known is still judged, and one of which nothing has come for the population's days makes room."""
    few = msgspec.structs.replace(
        SETTINGS, triage=msgspec.structs.replace(SETTINGS.triage, most_tenants=2, own_tenants=("a", "b"))
    )
    store: Store = {}
    triage = Triage(few, store)
    for tenant in ("a", "b"):
        tell(triage, msgspec.structs.replace(tally(0, 1, 5, login=1.0), tenant=tenant))
    triage.advance(START_MS + HOUR_MS)
    triage = anew(triage, store, few)
    for number in range(50):
        assert tell(triage, crossed(1, 50_000, tenant=f"made up {number}")) == []
    assert triage.refused == 50
    assert not [key for key in triage.changes() if b"made up" in key]
    assert told(tell(triage, crossed(1, 50_000, tenant="a"))) == [("CREATE", 50_000)]
    later = (few.triage.population_days + 9) * 24
    tell(triage, msgspec.structs.replace(tally(0, 6 * later - 6, 5, login=1.0), tenant="b"))
    triage.advance(START_MS + later * HOUR_MS)
    assert told(tell(triage, crossed(1, 50_000, later, tenant="c"))) == [("CREATE", 50_000)]
    save(triage)
    assert {key for key in store if key[:1] == b"t"} == {b"tb", b"tc"}
