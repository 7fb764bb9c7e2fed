from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.feed import world
from benchmarks.recovery import profiles, restored
from streams.kafka.embedded.broker import Broker


@pytest.mark.timeout(300)
def test_a_worker_gets_ready_with_a_replays_profiles(kafka: Broker, tmp_path: Path) -> None:
    """There is one of each identity; under many names they are restored by a worker, which is ready some time later."""
    past = world(1_000, 10)
    samples = profiles(past)
    assert len(samples) == len({identity for identity, _ in past})
    assert restored(kafka.bootstrap, tmp_path, "recovery-restored", samples, 300) > 0
    log = (tmp_path / "recovery-restored" / "worker-0.log").read_text()
    assert "metrics on " in log
    assert "Traceback" not in log
