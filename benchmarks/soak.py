"""A worker's memory over a long run: is it flat?

    python benchmarks/soak.py [--events 10000000] [--people 1000] [--partitions 4]

A simulated company's records, one identity's after the other's as time goes, are published as fast as it goes while one
worker reads them. Prints the worker's memory at each tenth of the way, and in the end whether all was worked through.
Ten million take a quarter of an hour on two cores, and some 15 GB of disk.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from detector.adapters import RecordError, decode
from detector.event import AccessEvent
from detector.simulation import World, records
from streams.files.reader import FileRecord
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from tests.chaos.pipeline import Pipeline

START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
LIMIT_SECONDS = 7_200


def main() -> int:
    """Publish, read, look at the memory."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--events", type=int, default=10_000_000)
    options.add_argument("--people", type=int, default=1_000)
    options.add_argument("--partitions", type=int, default=4)
    chosen = options.parse_args()
    names = TopicNames()
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "kafka", heap_mb=1024) as broker:
        settings = {"keyed": True}
        with Pipeline(broker.bootstrap, names, Path(name), chosen.partitions, settings) as pipeline:
            worker = pipeline.start_worker()
            world = _world(chosen.events, chosen.people)
            publishing = threading.Thread(target=pipeline.publish_keyed, args=(world,), daemon=True)
            publishing.start()
            began = time.monotonic()
            print("     committed   seconds   worker's memory, MB", flush=True)
            for tenth in range(1, 11):
                due = chosen.events * tenth // 10
                pipeline.wait(lambda due=due: pipeline.committed(names.access) >= due, LIMIT_SECONDS)
                committed, seconds = pipeline.committed(names.access), time.monotonic() - began
                print(f"{committed:14,} {seconds:9,.0f} {_megabytes(worker.pid):12,}", flush=True)
            publishing.join()
            pipeline.wait(lambda: not any(pipeline.lag().values()), 120)
            letters = pipeline.end(names.deadletters)
            print(f"lag 0, {letters} dead letters; at most {_megabytes(worker.pid, 'VmHWM'):,} MB")
            return 0 if letters == 0 and worker.stop() == 0 else 1


def _world(events: int, people: int) -> Iterator[tuple[FileRecord, AccessEvent | RecordError]]:
    """So many records of a company, made as they are needed."""
    made = World(seed=1, start_ms=START_MS, hours=24 * 3_650, people=people, integrations=people // 10)
    for number, (_, record) in enumerate(islice(records(made), events)):
        position = f"soak:{number}"
        yield FileRecord(record, position, "soak"), decode(record, position)


def _megabytes(pid: int, which: str = "VmRSS") -> int:
    found = re.search(rf"{which}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
