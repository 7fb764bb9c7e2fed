"""Events a second of the worker, and of its frame against six other ways to do a simple job, on one broker.

    python benchmarks/stream.py [--events 300000] [--runs 3] [--only whole simple scale kill]

- *whole*: `crmwatch worker`, all of it, with a keyed input and with one that is taken to be unkeyed; from the first
  commit until all that follows from the last record is committed.
- *simple*: decode, a z-score a user, an alert to a topic (`peers/job.py`), on our own frame and by the peers in
  `peers/`; each by its own clock from its first record to its last. Slow peers get fewer records. What is not
  installed (`pip install 'crmwatch[bench]'`) is named and left out.
- *scale*: one worker and two on the same topic of two partitions, by the clock and by processor time a record. Where
  there are only two cores, the brokers take their share of them, and the processor time tells more.
- *kill*: each simple job killed half-way (`kills.py`).

One broker and one topic for whole and simple, in alternation; medians of the runs, and the most memory of any. CPU is
processor time a million records, of the process alone. The whole takes under ten minutes; Linux only.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    NotCoordinatorError,
)

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.feed import Keyed, fill, world
from benchmarks.kills import Damage, damage
from benchmarks.peers.job import Task, usage
from benchmarks.peers.process import PEERS, Peer, Running
from streams.cli.child_process import Child
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import Topic, TopicNames, ensure
from tests.chaos.pipeline import Pipeline

PARTITIONS = 4
LIMIT_SECONDS = 180.0
ACCESS = "access"
PARTS = ("whole", "simple", "scale", "kill")
KILL_RECORDS = 10_000
KILL_RATE = 400.0
"""Half of them take longer than any peer lets pass between two commits."""


class Speed(msgspec.Struct, frozen=True):
    """One run of one contestant."""

    rate: float
    """Records a second by the clock."""
    cpu_seconds: float
    """Processor time a million records."""
    peak_mb: float


def main() -> None:
    """Run all of it, printing as it goes."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--events", type=int, default=300_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--people", type=int, default=1_000)
    options.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    chosen = options.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it retries on topics that have just been made
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "kafka", heap_mb=1024) as broker:
        folder = Path(name)
        settle(broker.bootstrap)
        if set(chosen.only) & {"whole", "simple", "scale"}:
            keyed = world(chosen.events, chosen.people)
        if set(chosen.only) & {"whole", "simple"}:
            compare(broker.bootstrap, folder, keyed, chosen.runs, chosen.only, installed())
        if "scale" in chosen.only:
            scale(broker.bootstrap, folder, keyed, chosen.runs)
        if "kill" in chosen.only:
            kill(broker.bootstrap, folder, installed(), KILL_RECORDS, KILL_RATE)
    print(f"\n{time.monotonic() - began:.0f} s in all")


def installed() -> list[Peer]:
    """The peers that can be run here; the others are named."""
    for peer in PEERS:
        if not peer.installed:
            print(f"{peer.name} is left out: {peer.package} is not installed")
    return [peer for peer in PEERS if peer.installed]


def compare(
    bootstrap: str,
    folder: Path,
    keyed: Sequence[Keyed],
    runs: int,
    only: Sequence[str],
    peers: Sequence[Peer],
) -> dict[str, list[Speed]]:
    """The worker and the peers in turn on one topic; prints the medians and returns all runs by name."""
    make(bootstrap, (ACCESS, "simple-alerts"), PARTITIONS)
    fill(bootstrap, ACCESS, PARTITIONS, keyed)
    contestants: dict[str, Callable[[int], Speed]] = {}
    if "whole" in only:
        contestants["crmwatch worker, keyed"] = lambda run: _worker(bootstrap, folder, run, len(keyed), True)
        contestants["crmwatch worker, unkeyed"] = lambda run: _worker(
            bootstrap, folder, run, len(keyed), False
        )
    if "simple" in only:
        for number, peer in enumerate(peers):
            contestants[peer.name] = lambda run, peer=peer, number=number: _peer(  # type: ignore[misc] # its defaults hide its type
                peer, bootstrap, folder, f"simple-{run}-{number}", len(keyed)
            )
    found: dict[str, list[Speed]] = {name: [] for name in contestants}
    for run in range(runs):
        for name, timed in contestants.items():
            found[name].append(timed(run))
            print(f"run {run + 1}: {name} {found[name][-1].rate:,.0f}/s", flush=True)
    print(f"\n{len(keyed):,} records, {PARTITIONS} partitions, medians of {runs} runs")
    show(found)
    return found


def show(found: Mapping[str, Sequence[Speed]]) -> None:
    """The medians as a table."""
    print(f"  {'':28} {'records a second':>17} {'CPU s a million':>16} {'peak memory':>12}")
    for name, each in found.items():
        rate = statistics.median(speed.rate for speed in each)
        cpu = statistics.median(speed.cpu_seconds for speed in each)
        peak = max(speed.peak_mb for speed in each)
        print(f"  {name:28} {rate:>17,.0f} {cpu:>16.1f} {peak:>9,.0f} MB")


def scale(bootstrap: str, folder: Path, keyed: Sequence[Keyed], runs: int) -> dict[str, list[Speed]]:
    """One worker and two in turn on one topic of two partitions."""
    access = "halves"
    make(bootstrap, (access,), 2)
    fill(bootstrap, access, 2, keyed)
    found: dict[str, list[Speed]] = {"one worker": [], "two workers": []}
    for run in range(runs):
        for workers, (name, speeds) in enumerate(found.items(), 1):
            names = names_of(f"scale-{run}-{workers}", access)
            (folder / names.app_id).mkdir()
            with Pipeline(bootstrap, names, folder / names.app_id, 2, {"keyed": True}) as pipeline:
                speeds.append(_workers(pipeline, workers, len(keyed)))
            print(f"run {run + 1}: {name} {speeds[-1].rate:,.0f}/s", flush=True)
    print(f"\n{len(keyed):,} records, 2 partitions, medians of {runs} runs; CPU of all workers")
    show(found)
    one, two = (
        [statistics.median(getattr(speed, what) for speed in each) for what in ("rate", "cpu_seconds")]
        for each in found.values()
    )
    print(f"  two : one by the clock {two[0] / one[0]:.2f}, by processor time {2 * one[1] / two[1]:.2f}")
    return found


def kill(
    bootstrap: str, folder: Path, peers: Sequence[Peer], records: int, rate: float
) -> dict[str, Damage | str]:
    """Prints and returns what a kill half-way does to each."""
    topics = ("killed", "killed-alerts")
    make(bootstrap, topics, PARTITIONS)
    task = Task(
        bootstrap=bootstrap,
        topic=topics[0],
        partitions=PARTITIONS,
        alerts=topics[1],
        group="kill",
        folder=str(folder / "kill"),
    )
    found = damage(peers, task, records, rate)
    print(f"\n{records:,} records at {rate:,.0f} a second, killed with half of them taken")
    print(f"  {'':28} {'lost':>8} {'twice':>8} {'until it went on':>18}")
    for name, one in found.items():
        if isinstance(one, str):
            print(f"  {name:28} failed: {one}")
        else:
            print(f"  {name:28} {one.lost:>8,} {one.doubled:>8,} {one.away_seconds:>16.1f} s")
    return found


def settle(bootstrap: str) -> None:
    """Wait until a new broker coordinates groups: the first is turned away while it makes its topic for them."""
    admin: Any = KafkaAdminClient(bootstrap_servers=bootstrap)
    deadline = time.monotonic() + LIMIT_SECONDS
    try:
        while True:
            try:
                admin.list_group_offsets("bench")
                return
            except (
                CoordinatorLoadInProgressError,
                CoordinatorNotAvailableError,
                NotCoordinatorError,
            ):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
    finally:
        admin.close()


def make(bootstrap: str, names: Sequence[str], partitions: int, **config: str) -> None:
    """Topics with so many partitions."""
    ensure(bootstrap, [Topic(name, partitions, 1, config) for name in names])


def names_of(prefix: str, access: str) -> TopicNames:
    """Names of a pipeline of its own that reads this access topic."""
    names = {
        key: f"{prefix}.{name}"
        for key, name in msgspec.structs.asdict(TopicNames()).items()
        if key != "access"
    }
    return TopicNames(access=access, **names)


def _worker(bootstrap: str, folder: Path, run: int, events: int, keyed: bool) -> Speed:
    names = names_of(f"{'keyed' if keyed else 'unkeyed'}-{run}", ACCESS)
    (folder / names.app_id).mkdir()
    with Pipeline(bootstrap, names, folder / names.app_id, PARTITIONS, {"keyed": keyed}) as pipeline:
        return _workers(pipeline, 1, events)


def _workers(pipeline: Pipeline, count: int, events: int) -> Speed:
    """So many workers, from the first commit on, or from when each has its share, until all is committed."""
    names = pipeline.names
    began, first, cpu_began = time.monotonic(), 0, 0.0
    workers = [pipeline.start_worker() for _ in range(count)]
    if count > 1:  # what the first has done before it shares does not count
        pipeline.wait(lambda: all(map(is_ready, workers)), LIMIT_SECONDS)
    pipeline.wait(lambda: pipeline.committed(names.access) > 0, LIMIT_SECONDS)
    committed = pipeline.committed(names.access)
    if committed < events:  # else they are so few that there is nothing but the start to time
        began, first = time.monotonic(), committed
        cpu_began = sum(usage(worker.pid).cpu_seconds for worker in workers)
    for topic in (names.access, names.events, names.signals):
        end = pipeline.end(topic)  # where it ends now that the one before is done
        pipeline.wait(lambda topic=topic, end=end: pipeline.committed(topic) >= end, LIMIT_SECONDS)
    seconds = time.monotonic() - began
    used = [usage(worker.pid) for worker in workers]
    for worker in workers:
        worker.stop()
    cpu_seconds = sum(one.cpu_seconds for one in used) - cpu_began
    done = events - first
    return Speed(done / seconds, cpu_seconds / done * 1e6, max(one.peak_mb for one in used))


def address_of(worker: Child) -> str:
    """Where it serves its metrics; empty as long as it has not said so."""
    return worker.log.read_text().partition("metrics on ")[2].partition("/metrics")[0]


def is_ready(worker: Child) -> bool:
    """Whether it has partitions, and its state of them."""
    try:
        with urllib.request.urlopen(address_of(worker) + "/ready", timeout=5):  # noqa: S310 - a loopback address of our own
            return True
    except (ValueError, OSError):
        return False


def _peer(peer: Peer, bootstrap: str, folder: Path, group: str, events: int) -> Speed:
    task = Task(
        bootstrap=bootstrap,
        topic=ACCESS,
        partitions=PARTITIONS,
        alerts="simple-alerts",
        group=group,
        folder=str(folder / group),
        events=min(events, peer.most_events or events),
    )
    with Running(peer, task) as running:
        report = running.report(LIMIT_SECONDS)
    return Speed(report.records / report.seconds, report.cpu_seconds / report.records * 1e6, report.peak_mb)


if __name__ == "__main__":
    main()
