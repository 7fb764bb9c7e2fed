"""Events a second of one worker against a stock Faust + river + Table agent, on one broker and one topic.

    python benchmarks/stream.py [--events 200000] [--peer-events 40000] [--runs 3]

The worker does all of it: decode, ledger, profiles, both detectors, durable state, triage, alerts; it is timed from
the first record committed until all that follows from the last one is committed. The peer does a z-score a user; it
times itself from its first record to its last. Prints each run and the medians, with the ratio. Takes some minutes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from detector.adapters import decode
from detector.simulation import World, records
from streams.broker import Broker
from streams.topics import TopicNames
from tests.chaos.pipeline import Pipeline, in_order

PARTITIONS = 4
LIMIT_SECONDS = 180


def main() -> None:
    """Run the worker and the peer in turn."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=400_000)
    options.add_argument("--peer-events", type=int, default=40_000)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    hours = chosen.events // 330 + 24
    world = in_order(records(World(seed=7, start_ms=1_772_409_600_000, hours=hours)), decode)[: chosen.events]
    ours, peers = [], []
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "kafka") as broker:
        for run in range(chosen.runs):
            folder = Path(name) / str(run)
            folder.mkdir()
            names = TopicNames(**{key: f"b{run}.{value}" for key, value in _names().items()})
            with Pipeline(broker.bootstrap, names, folder, PARTITIONS, {"keyed": True}) as pipeline:
                pipeline.publish_keyed(world)
                ours.append(_worker(pipeline, len(world)))
                peers.append(_peer(broker.bootstrap, names, folder, run, min(chosen.peer_events, len(world))))
            print(f"run {run + 1}: worker {ours[-1]:,.0f}/s, stock Faust {peers[-1]:,.0f}/s", flush=True)
    worker, peer = statistics.median(ours), statistics.median(peers)
    print(f"median: worker {worker:,.0f}/s, stock Faust {peer:,.0f}/s, ratio {worker / peer:.1f}")


def _names() -> dict[str, str]:
    return {
        "app_id": "crmwatch",
        "access": "access",
        "events": "events",
        "signals": "signals",
        "alerts": "alerts",
        "feedback": "feedback",
        "deadletters": "deadletters",
    }


def _worker(pipeline: Pipeline, events: int) -> float:
    names = pipeline.names
    worker = pipeline.start_worker()
    pipeline.wait(lambda: pipeline.committed(names.access) > 0, LIMIT_SECONDS)
    began = time.monotonic()
    first = pipeline.committed(names.access)
    for topic in (
        names.access,
        names.events,
        names.signals,
    ):  # each to where it ends now that the one before is done
        end = pipeline.end(topic)
        pipeline.wait(lambda topic=topic, end=end: pipeline.committed(topic) >= end, LIMIT_SECONDS)
    rate = (events - first) / (time.monotonic() - began)
    worker.stop()
    return rate


def _peer(bootstrap: str, names: TopicNames, folder: Path, run: int, events: int) -> float:
    environment = os.environ | {
        "BENCH_BOOTSTRAP": bootstrap,
        "BENCH_TOPIC": names.access,
        "BENCH_ALERTS": names.feedback,  # of the right shape, and nobody else uses it here
        "BENCH_GROUP": f"stock{run}",
        "BENCH_PARTITIONS": str(PARTITIONS),
        "BENCH_EVENTS": str(events),
    }
    command = [
        sys.executable,
        "-m",
        "faust",
        "-A",
        "benchmarks.stock_faust:app",
        "--datadir",
        str(folder / "faust"),
    ]
    process = subprocess.Popen(
        [*command, "worker", "--without-web", "-l", "error"],
        cwd=Path(__file__).parents[1],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = threading.Timer(LIMIT_SECONDS, process.kill)
    deadline.start()
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.strip().isdigit():
                return float(line)
        raise RuntimeError(f"the peer ended with {process.wait()}, or took more than {LIMIT_SECONDS} s")
    finally:
        deadline.cancel()
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
