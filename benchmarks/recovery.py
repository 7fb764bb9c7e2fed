"""How soon a worker is back: with 100,000 profiles to restore, after a kill, and when another one joins.

    python benchmarks/recovery.py [--profiles 100000] [--rate 2000] [--runs 3]

- *restore*: from the start of the process until `/ready`, with so many profiles in the changelog and with none.
  Those are a replay's own profiles under many names.
- *kill*: traffic with thefts comes at a steady rate; the worker is killed with SIGKILL and started again at once; until
  the first alert that the brokers append after that. Once as it is by default, and once with a name of its own
  (`worker.instance`), which spares the wait for the dead one's session.
- *join*: a second worker is started beside the first; until it is ready with half of the partitions.

Medians of the runs, in seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.feed import Keyed, fill, steadily, traffic
from benchmarks.latency import stamp
from benchmarks.stream import LIMIT_SECONDS, PARTITIONS, address_of, is_ready, names_of, settle
from detector.adapters import decode
from detector.engine import Engine
from detector.keyed_state import slices
from detector.settings import Settings
from streams.cli.child_process import Child
from streams.kafka.embedded.broker import Broker
from streams.kafka.messages import partition_of
from streams.kafka.topics import TopicNames
from streams.worker.state_writer import StateWriter
from tests.chaos.pipeline import Pipeline

WARM_SECONDS = 5.0
LIVE_SECONDS = 90.0
"""Traffic for so long, at most: the wait for a dead worker's session is in it."""


def main() -> None:
    """Measure all three."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--profiles", type=int, default=100_000)
    options.add_argument("--rate", type=float, default=2_000.0)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--people", type=int, default=100)
    options.add_argument("--days", type=int, default=8, help="so many are learned from before")
    chosen = options.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it retries on topics that have just been made
    past, present = traffic(chosen.days, int(chosen.rate * LIVE_SECONDS), int(LIVE_SECONDS), chosen.people)
    samples = profiles(past)
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "kafka", heap_mb=1024) as broker:
        folder = Path(name)
        settle(broker.bootstrap)
        measures: dict[str, Callable[[str], float]] = {
            f"ready with {chosen.profiles:,} profiles": lambda run: restored(
                broker.bootstrap, folder, run, samples, chosen.profiles
            ),
            "ready with none": lambda run: restored(broker.bootstrap, folder, run, samples, 0),
            "first alert after a kill": lambda run: alerted(
                broker.bootstrap, folder, run, past, present, chosen.rate, instance=False
            ),
            "the same, with a name": lambda run: alerted(
                broker.bootstrap, folder, run, past, present, chosen.rate, instance=True
            ),
            "a second worker has its share": lambda run: joined(
                broker.bootstrap, folder, run, past, present, chosen.rate
            ),
        }
        found: dict[str, list[float]] = {name: [] for name in measures}
        for number, (what, measure) in enumerate(
            pair for _ in range(chosen.runs) for pair in measures.items()
        ):
            found[what].append(measure(f"recovery-{number}"))
            print(f"{what}: {found[what][-1]:.1f} s", flush=True)
    print(f"\nmedians of {chosen.runs} runs")
    for what, seconds in found.items():
        print(f"  {what:32} {statistics.median(seconds):6.1f} s")


def profiles(past: Sequence[Keyed]) -> list[bytes]:
    """The encoded profiles that a replay of the past ends with."""
    engine = Engine(Settings())
    for _, record in past:
        engine.observe(decode(record, ""))
    return list(engine.profiles().values())


def restored(bootstrap: str, folder: Path, prefix: str, samples: Sequence[bytes], count: int) -> float:
    """Seconds until a worker is ready that has so many profiles to restore."""
    names = _topics(bootstrap, prefix)
    store = [(f"org/user-{number}", value) for number, value in enumerate(islice(cycle(samples), count))]
    asyncio.run(_save(bootstrap, names, store))
    (folder / prefix).mkdir()
    with Pipeline(bootstrap, names, folder / prefix, PARTITIONS, {"keyed": True}) as pipeline:
        began = time.monotonic()
        worker = pipeline.start_worker()
        pipeline.wait(lambda: is_ready(worker), LIMIT_SECONDS)
        seconds = time.monotonic() - began
        worker.stop()
    return seconds


def alerted(
    bootstrap: str,
    folder: Path,
    prefix: str,
    past: Sequence[Keyed],
    present: Sequence[Keyed],
    rate: float,
    *,
    instance: bool,
) -> float:
    """Seconds from a kill to the first alert that is appended after the worker has been started again."""
    settings = {"instance": "one"} if instance else {}
    with _running(bootstrap, folder, prefix, past, present, rate, settings) as (pipeline, worker):
        alerts = pipeline.names.alerts
        pipeline.wait(lambda: pipeline.end(alerts) > 0, LIMIT_SECONDS)
        time.sleep(WARM_SECONDS)
        worker.kill()
        killed_ms, before = time.time() * 1000, pipeline.end(alerts)
        pipeline.start_worker()
        pipeline.wait(lambda: pipeline.end(alerts) > before, LIMIT_SECONDS)
        first_ms = min(alert.timestamp for alert in pipeline.read(alerts) if alert.timestamp >= killed_ms)
    return float(first_ms - killed_ms) / 1000


def joined(
    bootstrap: str, folder: Path, prefix: str, past: Sequence[Keyed], present: Sequence[Keyed], rate: float
) -> float:
    """Seconds from a second worker's start until it is ready and has half of the partitions."""
    with _running(bootstrap, folder, prefix, past, present, rate, {}) as (pipeline, _):
        time.sleep(WARM_SECONDS)
        began = time.monotonic()
        second = pipeline.start_worker()
        pipeline.wait(
            lambda: is_ready(second) and _partitions(second, pipeline.names.access) == PARTITIONS // 2,
            LIMIT_SECONDS,
        )
        return time.monotonic() - began


@contextmanager
def _running(
    bootstrap: str,
    folder: Path,
    prefix: str,
    past: Sequence[Keyed],
    present: Sequence[Keyed],
    rate: float,
    settings: dict[str, Any],
) -> Iterator[tuple[Pipeline, Child]]:
    """A worker that has learned the past and has traffic now."""
    names = _topics(bootstrap, prefix)
    (folder / prefix).mkdir()
    stopped = threading.Event()
    with Pipeline(bootstrap, names, folder / prefix, PARTITIONS, {"keyed": True, **settings}) as pipeline:
        worker = pipeline.start_worker()
        fill(bootstrap, names.access, PARTITIONS, past)
        pipeline.wait(lambda: pipeline.committed(names.access) >= len(past), LIMIT_SECONDS)
        feeding = threading.Thread(
            target=steadily, args=(bootstrap, names.access, PARTITIONS, present, rate, stopped.is_set)
        )
        feeding.start()
        try:
            yield pipeline, worker
        finally:
            stopped.set()
            feeding.join()


def _topics(bootstrap: str, prefix: str) -> TopicNames:
    names = names_of(prefix, f"{prefix}.access")
    stamp(bootstrap, names)
    return names


async def _save(bootstrap: str, names: TopicNames, store: Sequence[tuple[str, bytes]]) -> None:
    for partition in range(PARTITIONS):
        values = ((key.encode(), value) for key, value in store if partition_of(key, PARTITIONS) == partition)
        await save_profiles(bootstrap, names, partition, values)


async def save_profiles(
    bootstrap: str, names: TopicNames, partition: int, values: Iterable[tuple[bytes, bytes]]
) -> None:
    """Save profiles as a worker does."""
    writer = StateWriter(names.app_id, names.profiles_changelog, partition, bootstrap_servers=bootstrap)
    await writer.take_over()
    await writer.save(slices(values))
    await writer.stop()


def _partitions(worker: Child, topic: str) -> int:
    """How many of a topic's partitions a worker says it has."""
    try:
        with urllib.request.urlopen(address_of(worker) + "/metrics", timeout=5) as answer:  # noqa: S310 - our own
            lines = answer.read().decode().splitlines()
    except (ValueError, OSError):
        return 0
    return sum(line.startswith("crmwatch_consumer_lag{") and f'topic="{topic}"' in line for line in lines)


if __name__ == "__main__":
    main()
