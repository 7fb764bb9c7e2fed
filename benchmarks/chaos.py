"""Many faults under load on a real Kafka, and whether anything was lost, doubled or said otherwise.

    python benchmarks/chaos.py [--events 1000000] [--partitions 8] [--workers 3] [--faults 100] [--spread] [--seed 1]

A simulated company's records are published, keyed by identity (or with `--spread` to partitions drawn at random),
while workers are killed, stopped and joined by others and the broker is killed and restarted, by turns and at random.
With `--disk` the broker's data is on a small file system of its own (a tmpfs of 1 GB, say), which is filled to the last
byte as one of the faults; for a slow network, run it in a network namespace of its own: `unshare -n sh -c 'ip link set
lo up; tc qdisc add dev lo root netem delay 20ms 10ms; python benchmarks/chaos.py'`.
A supervisor starts again what has ended. In the end every identity's state, every alert and every dead letter are held
against those of a sequential replay. Without `--faults` nothing is done to them. Prints the figures; exit code 1 if
anything differs. With the defaults it takes half an hour.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from detector.units import HOUR_MS

sys.path.insert(0, str(Path(__file__).parents[1]))

from detector.adapters import RecordError, decode
from detector.adapters.rejection import Rejection
from detector.simulation import Theft, World, records
from streams.files.reader import FileRecord
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.comparison import Expected, differences
from tests.chaos.faults import Faults, Supervisor
from tests.chaos.pipeline import Pipeline, Records, in_order

START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
GARBAGE = 40
SESSION_SECONDS = 6.0
GAP_SECONDS = (2.0, 12.0)
"""Between two faults: sometimes before the last has been recovered from, sometimes long after."""
CATCH_UP_SECONDS = 900.0


def main() -> int:
    """Publish, break, compare."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--partitions", type=int, default=8)
    options.add_argument("--workers", type=int, default=3)
    options.add_argument("--faults", type=int, default=100)
    options.add_argument("--spread", action="store_true")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--disk", type=Path, help="a small file system, to be filled as one of the faults")
    options.add_argument("--only", help="kinds of fault, with commas; without it, all")
    options.add_argument("--people", type=int, default=600)
    chosen = options.parse_args()
    world = _world(chosen.events, chosen.people, chosen.seed)
    expected = Expected.of(event for _, event in world)
    print(
        f"{len(world):,} records, {expected.identities:,} identities, {len(expected.alerts)} alerts",
        flush=True,
    )
    draw = random.Random(chosen.seed)  # noqa: S311 - faults, not secrets
    with tempfile.TemporaryDirectory() as name, Broker((chosen.disk or Path(name)) / "kafka") as broker:
        folder = Path(name) / "workers"
        folder.mkdir()
        settings = {"keyed": not chosen.spread, "session_seconds": SESSION_SECONDS}
        with Pipeline(broker.bootstrap, TopicNames(), folder, chosen.partitions, settings) as pipeline:
            began = time.monotonic()
            supervisor = Supervisor(pipeline, chosen.workers)
            faults = Faults(supervisor, broker, draw, SESSION_SECONDS, chosen.disk)
            broken = threading.Event()
            publishing = _publish(pipeline, world, chosen, broken)
            pipeline.wait(lambda: pipeline.committed(pipeline.names.access) > 0, 120)
            while publishing.is_alive() and faults.made.total() < chosen.faults:
                kind = faults.make_any(chosen.only.split(",") if chosen.only else None)
                print(f"{time.monotonic() - began:6.0f} s  {faults.made.total():3d}  {kind}", flush=True)
                supervisor.rest(draw.uniform(*GAP_SECONDS))
            broken.set()  # what is left is published at once
            while publishing.is_alive():
                supervisor.rest(1.0)
            differ = differences(
                pipeline, supervisor, expected, len(world) + GARBAGE, GARBAGE, CATCH_UP_SECONDS
            )
            seconds = time.monotonic() - began
            supervisor.wanted = 0
            running = supervisor.running
            codes = [worker.stop() for worker in running]
            for worker, code in zip(running, codes, strict=True):
                if code:
                    print(worker.log.read_text(errors="replace")[-3000:])
    print(
        f"{seconds:,.0f} s; faults: {dict(sorted(faults.made.items()))}; workers ended with {dict(supervisor.endings)}"
    )
    print(f"stopped with {codes}")
    print("\n".join(differ) or "nothing lost, nothing doubled, the same alerts")
    return 1 if differ else 0


def _world(events: int, people: int, seed: int) -> Records:
    """Two thefts among so many events of a company."""
    made = World(seed=seed, start_ms=START_MS, hours=24 * 60, people=people, integrations=people // 10)
    theft = Theft(start_ms=START_MS + (4 * 24 + 3) * HOUR_MS)
    found: list[tuple[int, bytes]] = []
    for record in records(made, theft):
        found.append(record)
        if len(found) == events:
            break
    return in_order(found, decode)


def _publish(
    pipeline: Pipeline, world: Records, chosen: argparse.Namespace, at_once: threading.Event
) -> threading.Thread:
    garbage = [
        (
            FileRecord(b"\xff{%d" % number, f"bad:{number}", "bad"),
            RecordError("", f"bad:{number}", Rejection.UNKNOWN_FORMAT, ""),
        )
        for number in range(GARBAGE)
    ]
    # A fault and what follows take some ten seconds: so the records last for all of them.
    rate = chosen.events / (chosen.faults * 11) if chosen.faults else 0.0

    def paced() -> Iterator[tuple[FileRecord, object]]:
        began = time.monotonic()
        yield from garbage
        for number, one in enumerate(world):
            if rate and number % 200 == 0 and not at_once.is_set():
                at_once.wait(max(0.0, began + number / rate - time.monotonic()))
            yield one

    publish = partial(pipeline.publish_spread, seed=chosen.seed) if chosen.spread else pipeline.publish_keyed
    thread = threading.Thread(target=publish, args=(paced(),), name="publish", daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    raise SystemExit(main())
