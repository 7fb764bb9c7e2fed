from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from benchmarks.console import BEFORE_RISK, Shown, counted, firsts, renamed, shown
from benchmarks.crowd import Crowd, named
from streams.console.store import incidents
from tests.streams.console.make import Client, Site, alert
from tests.streams.console.make import record as made


def record(partition: int, offset: int, timestamp: int, *, thief: bool) -> Any:
    """An access record as a consumer gives it."""
    address = "192.0.2.77" if thief else "198.51.100.1"
    value = f'{{"CLIENT_IP":"{address}"}}'.encode()
    return SimpleNamespace(partition=partition, offset=offset, timestamp=timestamp, value=value)


def published(uid: bytes, timestamp: int, *positions: tuple[int, int]) -> Any:
    """An alert as the worker sends it, with what its header names as evidence."""
    quoted = {
        f"e-{partition}-{offset}": f"salesforce_elf a/{partition}/{offset}" for partition, offset in positions
    }
    headers = [("crmwatch-positions", msgspec.json.encode(quoted))]
    return SimpleNamespace(key=uid, timestamp=timestamp, offset=timestamp, headers=headers)


def test_what_is_timed_is_the_first_alert_about_a_theft() -> None:
    """From its newest stolen record; updates, and incidents whose first alert quotes no thief, do not count."""
    access = [
        record(0, 0, 100, thief=True),
        record(0, 1, 200, thief=True),
        record(0, 2, 900, thief=False),
        record(1, 0, 250, thief=True),
    ]
    alerts = [
        published(b"a", 5_000, (0, 1), (1, 0)),
        published(b"a", 300, (0, 0), (0, 1), (0, 2)),
        published(b"b", 400, (1, 0)),
        published(b"c", 1_000, (0, 2)),
        published(b"c", 2_000, (1, 0)),
    ]
    assert firsts(alerts, access) == {"a": (200, 300), "b": (250, 400)}


def test_boards_that_never_named_an_incident_are_counted() -> None:
    """Each incident on each board is one figure, or one that never came."""
    found = shown({"a": (200, 300), "b": (250, 400)}, [{"a": 500.0, "b": 600.0, "x": 1.0}, {"a": 700.0}])
    assert found == Shown([300.0, 500.0, 350.0], 1)
    assert str(found) == "p50 350 ms, p95 500 ms, most 500 ms, 1 never"


def test_what_the_index_holds_before_is_many_real_incidents(tmp_path: Path) -> None:
    """Alerts under other names are open incidents of other identities and addresses, and of lesser risk."""
    over = alert(1, "crmwatch-2", activity_id=3)
    before = list(renamed([alert(0), over], 300))
    assert len({key for key, _, _ in before}) == 300
    topic = alert(0).topic
    records = [made(topic, value, n, key, headers) for n, (key, value, headers) in enumerate(before)]
    with Site(tmp_path, *records) as site:
        db = site.index.reader()
        found = incidents.open_incidents(db, 1_000)
        assert len(found) == 300
        assert len({one.identity for one in found}) == 300
        assert all(one.risk < BEFORE_RISK and one.severity == 2 for one in found)
        (addresses,) = db.execute("SELECT count(DISTINCT address) FROM evidence").fetchone()
        assert addresses == 300
        assert counted(Client(site).get("/").text) == 300


def test_a_crowd_sees_what_the_board_names(tmp_path: Path) -> None:
    """Each of its clients names what was there and what comes, when it came; without a console there is none."""
    with Site(tmp_path, alert(0)) as site:
        assert named(Client(site).get("/").text) == ["crmwatch-1"]
        crowd = Crowd(site.address, 3)
        with crowd:
            began_ms = time.time() * 1000
            site.learn(alert(1, "crmwatch-2"))
            end = time.monotonic() + 20
            while not all("crmwatch-2" in seen for seen in crowd.seen):
                assert time.monotonic() < end
                time.sleep(0.05)
        for seen in crowd.seen:
            assert set(seen) == {"crmwatch-1", "crmwatch-2"}
            assert seen["crmwatch-1"] < began_ms <= seen["crmwatch-2"]
        assert crowd.looks_ms
        address = site.address
    with pytest.raises(RuntimeError, match="does not answer"), Crowd(address, 1):
        pass
