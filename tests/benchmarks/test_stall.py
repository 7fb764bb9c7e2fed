from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.stall import OVER_MS, Survival, company, day, events, lived, newcomers, profiles, travellers
from detector.identity.profile import PROFILES
from detector.signal import SignalKind
from detector.trait import network
from detector.units import DAY_MS, HOUR_MS
from streams.kafka import messages as wire
from streams.kafka.embedded.broker import Broker

IDENTITIES = 10_000


@pytest.mark.slow
def test_everybodys_day_ends() -> None:
    """Each identity has a name of its own; detection says of each that its day is over, and triage learns it."""
    state = profiles(company(), 30, tenants=7)
    decoded = {key.decode(): PROFILES.decode(value) for key, value in state.items()}
    assert len({profile.tenant for profile in decoded.values()}) == 7
    assert all(name == f"{profile.tenant}/{profile.actor}" for name, profile in decoded.items())
    detection, triage = day(state)
    signals = [
        signal
        for output in detection.sent
        if output.topic.endswith("signals")
        for signal in wire.decode_signals(output.value or b"")[1]
    ]
    closed = [signal.identity for signal in signals if signal.kind is SignalKind.CLOSED]
    assert sorted(closed) == sorted(decoded)
    for shard in (detection, triage):
        assert all(f"{kind} " in shard.longest() for kind in ("restore", "take", "save", "saved"))


@pytest.mark.slow
def test_who_and_what_comes_is_new() -> None:
    """Newcomers are as many identities within an hour; travellers are those known, each from another network."""
    past = company()
    crowd = list(newcomers(past[-1], 200))
    assert len({event.identity for event in crowd}) == 200
    assert all(0 <= event.time_ms - OVER_MS < HOUR_MS for event in crowd)
    far = list(travellers(past[-1], 50, 70_000))
    assert len({event.identity for event in far}) == 50
    assert len({network(event.ip or "") for event in far}) == 70_000
    assert all(0 <= event.time_ms - OVER_MS < DAY_MS for event in far)
    for coming in (crowd, far[:200]):
        for shard in events(profiles(past, 50), coming):
            assert "take " in shard.longest()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_lives_through_a_days_end(kafka: Broker, tmp_path: Path) -> None:
    """The days of 10,000 identities of one partition close, and it keeps its partitions all the while."""
    found: Survival = lived(kafka.bootstrap, tmp_path, "stall-lived", profiles(company(), IDENTITIES))
    assert (found.identities, found.assignments) == (IDENTITIES, 1)
    log = (tmp_path / "stall-lived" / "worker-0.log").read_text()
    assert "Traceback" not in log
    assert "revoked" not in log.partition("stopping")[0]
