"""Events a second of a replay against two simple peers, what a record costs as there are more, and memory.

    python benchmarks/replay.py [--events 1000000] [--runs 5] [--ten-million] [--people 1000]

`crmwatch replay` as it is called, from the first byte read to the last alert, by one process and by two; the peers are
in `user_models.py`.
Whole processes, start-up included, in alternation on one file of Salesforce ELF records in JSON; medians, and the
most memory of any run. Processor time and memory of the two are those of all their processes and of the largest. The
trees get fewer records, being slow. Then the cost of a record at 0.1 and 1 million events
(and at 10 with `--ten-million`: some 4 GB of disk and a quarter of an hour) of one company over a longer and longer
time: it should be flat.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from detector.simulation import World, records

START_MS = 1_772_409_600_000
PEERS = Path(__file__).with_name("user_models.py")


class Run(NamedTuple):
    """One process."""

    seconds: float
    """By the clock, which other processes on the machine slow down."""
    cpu_seconds: float
    """The processor's, which they hardly do."""
    peak_mb: float


def main() -> None:
    """Run all of it, printing as it goes."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--trees-events", type=int, default=40_000)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--people", type=int, default=1_000)
    options.add_argument("--ten-million", action="store_true", help="a record's cost at 10 million, too")
    options.add_argument("--folder", type=Path, help="where the files are made; a temporary one without it")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        against_peers(folder, chosen.events, chosen.trees_events, chosen.runs, chosen.people)
        sizes = [100_000, 1_000_000] + ([10_000_000] if chosen.ten_million else [])
        print("\n    events    processor time a record   peak memory")
        for size in sizes:
            file = made(folder, size, chosen.people)
            runs = [timed(_replay(file)) for _ in range(3 if size < 10_000_000 else 1)]
            cost = statistics.median(run.cpu_seconds for run in runs) / size * 1e6
            print(
                f"{size:>10,}    {cost:20.2f} µs {max(run.peak_mb for run in runs):7,.0f} MB",
                flush=True,
            )
            file.unlink()


def against_peers(folder: Path, events: int, trees_events: int, runs: int, people: int) -> None:
    """The replay and the peers in turn, with the ratios."""
    file = made(folder, events, people)
    commands = {
        "crmwatch replay": (_replay(file), events),
        "crmwatch, 2 workers": ([*_replay(file), "--workers", "2"], events),
        "json + z-score a user": ([sys.executable, str(PEERS), "loop", str(file)], events),
        "trees a user": ([sys.executable, str(PEERS), "trees", str(file), str(trees_events)], trees_events),
    }
    found: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(runs):
        for name, (command, _) in commands.items():
            found[name].append(timed(command))
        shown = (f"{name} {commands[name][1] / found[name][-1].seconds:,.0f}/s" for name in commands)
        print(f"run {number + 1}: " + ", ".join(shown), flush=True)
    print(f"\n{events:,} events of {people:,} people, medians of {runs} runs")
    rates: dict[str, float] = {}
    cpu_rates: dict[str, float] = {}
    for name, each in found.items():
        rates[name] = commands[name][1] / statistics.median(run.seconds for run in each)
        cpu_rates[name] = commands[name][1] / statistics.median(run.cpu_seconds for run in each)
    print(f"  {'':24} {'by the clock':>15} {'by processor time':>19} {'peak memory':>13}")
    for name, each in found.items():
        peak_mb = max(run.peak_mb for run in each)
        print(f"  {name:24} {rates[name]:>13,.0f}/s {cpu_rates[name]:>17,.0f}/s {peak_mb:>10,.0f} MB")
    own, *peers = rates
    for name in peers:
        by_clock, by_cpu = rates[own] / rates[name], cpu_rates[own] / cpu_rates[name]
        print(f"  {own} : {name} = {by_clock:.2f} ({by_cpu:.2f} by processor time)")


def made(folder: Path, events: int, people: int) -> Path:
    """A file of so many records, in the order of their time."""
    file = folder / f"{events}.jsonl"
    world = World(
        seed=7, start_ms=START_MS, hours=24 * 366 * 10, people=people, integrations=max(6, people // 20)
    )
    with file.open("wb") as out:
        out.writelines(record + b"\n" for _, record in islice(records(world), events))
    return file


def timed(command: list[str]) -> Run:
    """Run a process to its end. Raises `RuntimeError` if it fails."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _replay(file: Path) -> list[str]:
    return [sys.executable, "-m", "streams.cli.main", "replay", str(file), "--json"]


if __name__ == "__main__":
    main()
