"""Schedules of the simulated cluster, very many of them, and those whose alerts or profiles differ from the replay's.

    python benchmarks/schedules.py [--schedules 10000] [--first 0] [--processes 2]

Each schedule is a seed: from it follow the order of all steps, which of two to three workers on two or three partitions
is killed, frozen or taken over, and when the brokers, or a partition's leader, cannot be reached. The agents and their
turns are the worker's own; logs, group and clock are in memory. Prints the seeds that differ; exit code 1 if any does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.schedules.cluster import FAULTS, Plan
from tests.schedules.run import differences


def main() -> int:
    """Run them, and say which differ."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--schedules", type=int, default=10_000)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--processes", type=int, default=2)
    chosen = options.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.schedules)
    began = time.monotonic()
    befell: Counter[str] = Counter()
    wrong = 0
    with Pool(chosen.processes) as pool:
        for done, (seed, found, kinds) in enumerate(pool.imap_unordered(run, seeds, 8), 1):
            befell.update(kinds)
            if found:
                wrong += 1
                print(f"seed {seed}: {'; '.join(found)}", flush=True)
            if done % 500 == 0:
                print(f"{done:,} schedules, {wrong} differ, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{chosen.schedules:,} schedules: {wrong} differ from the replay")
    print(", ".join(f"{kind}: {befell[kind]:,}" for kind in (*FAULTS, "fenced")))
    return 1 if wrong else 0


def plan_of(seed: int) -> Plan:
    """What a seed stands for."""
    return Plan(
        seed=seed,
        keyed=seed % 3 > 0,
        partitions=2 + seed % 2,
        workers=2 + seed // 2 % 2,
        faults=3 + seed % 6,
        seconds=20.0 + seed % 5 * 10,
    )


def run(seed: int) -> tuple[int, list[str], Counter[str]]:
    """What differs, and how often each kind of fault befell somebody."""
    found, cluster = differences(plan_of(seed))
    kinds = Counter(kind for line in cluster.story for kind in (*FAULTS, "fenced") if f" {kind}" in line)
    return seed, found, kinds


if __name__ == "__main__":
    sys.exit(main())
