from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec

from benchmarks.feed import THIEVES_NETWORK, key_of, traffic
from benchmarks.latency import Latencies, latencies
from detector.adapters import decode

DAY_MS = 86_400_000


def alert(uid: bytes, timestamp: int, *positions: tuple[int, int]) -> Any:
    """A message as the worker sends it, with what its header names as evidence."""
    named = {
        f"event-{partition}-{offset}": f"salesforce_elf crm.access/{partition}/{offset}"
        for partition, offset in positions
    }
    headers = [("crmwatch-positions", msgspec.json.encode(named))]
    return SimpleNamespace(key=uid, timestamp=timestamp, offset=timestamp, headers=headers)


def test_a_latency_is_from_the_newest_stolen_record_to_the_first_alert() -> None:
    """Updates, what is no thief's, and older evidence do not count."""
    appended = {0: [100, 200, 900], 1: [150, 250]}
    thieves = {(0, 0), (0, 1), (1, 1)}
    alerts = [
        alert(b"a", 5_000, (0, 1), (1, 1)),  # an update, which comes first here
        alert(b"a", 300, (0, 0), (0, 1), (0, 2)),
        alert(b"b", 400, (1, 1)),
        alert(b"c", 1_000, (0, 2), (1, 0)),
    ]
    assert latencies(alerts, appended, thieves) == [100, 150]


def test_quantiles_are_of_what_was_seen() -> None:
    """The ninety-ninth of a hundred is the greatest, the half of three the middle one."""
    assert Latencies(list(range(100)), 0).quantile_ms(0.99) == 99
    assert Latencies([7, 1, 3], 0).quantile_ms(0.5) == 3


def test_traffic_is_a_quiet_past_and_a_present_with_thefts() -> None:
    """The past has no theft; each theft in the present is of another token and address, with a job of its own."""
    past, present = traffic(days=1, live=3_000, thefts=8, people=5)
    assert past
    assert not any(THIEVES_NETWORK in record for _, record in past)
    events = [decode(record, "") for _, record in present]
    assert all(key == key_of(record) for key, record in present)
    times = [event.time_ms for event in events]
    assert times == sorted(times)
    assert times[0] >= decode(past[0][1], "").time_ms // DAY_MS * DAY_MS + DAY_MS
    stolen = [event for event in events if THIEVES_NETWORK.decode() in str(event.ip)]
    assert len(events) - len(stolen) == 3_000
    assert len({event.ip for event in stolen}) == len({event.actor for event in stolen}) == 8
    assert len({event.event_id for event in events}) == len(events)
    jobs = {(event.actor, event.operation_id) for event in stolen if event.operation_id}
    assert len({operation for _, operation in jobs}) == len(jobs) >= 16
