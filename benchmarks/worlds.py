"""How much is saved in simulated worlds: simulate, replay, evaluate, and print the means as Markdown tables.

    python benchmarks/worlds.py --cache FOLDER [--seeds 1-20] [--formats elf,rtem,ual] [--baselines] [--processes 2]

Worlds are kept in the folder and made again only if the simulation's source has changed. Each is replayed by
``crmwatch replay`` itself. ``--settings`` is handed to it, ``--json FILE`` keeps every world's scores.
The baselines take about as long as the replay; they are kept beside the world, until its source, an adapter or
the ledger changes.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from detector.simulation import Format, Labels, Scenario, Score, evaluate, read_labels, score, scored_alert
from detector.simulation.shapes import Difficulty, Shape
from streams.cli.evaluate import baseline_scores
from streams.cli.simulate import write_world

ROOT = Path(__file__).parents[1]
PRODUCT, PUBLISHED = "crmwatch", "crmwatch, as published"


class Task(msgspec.Struct, frozen=True):
    """One world to be scored."""

    seed: int
    format: Format
    cache: str
    settings: str | None
    baselines: bool
    days: int
    people: int


class Result(msgspec.Struct, frozen=True):
    """What came of it."""

    seed: int
    format: str
    records: int
    replay_seconds: float
    scores: dict[str, Score]


def main() -> None:
    """Score the worlds and print the tables."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--cache", required=True)
    options.add_argument("--seeds", default="1-20", help="such as 1-20 or 3,5,8")
    options.add_argument("--formats", default="elf,rtem,ual")
    options.add_argument("--settings")
    options.add_argument("--baselines", action="store_true")
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--days", type=int, default=42)
    options.add_argument("--people", type=int, default=250)
    options.add_argument("--json")
    chosen = options.parse_args()
    tasks = [
        Task(seed, Format(name), chosen.cache, chosen.settings, chosen.baselines, chosen.days, chosen.people)
        for seed in _seeds(chosen.seeds)
        for name in chosen.formats.split(",")
    ]
    results = []
    with ProcessPoolExecutor(chosen.processes) as pool:
        for result in pool.map(run, tasks):
            results.append(result)
            found = result.scores[PRODUCT]
            print(
                f"seed {result.seed} {result.format}: headline {found.headline:.3f}, "
                f"precision {found.precision or 0:.2f}, {result.replay_seconds:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    if chosen.json:
        Path(chosen.json).write_bytes(msgspec.json.encode(results))
    print("\n\n".join(tables(results)))


def run(task: Task) -> Result:
    """Make the world unless it is there, replay it, and score the alerts."""
    world = _world(task)
    labels = read_labels((world / "labels.json").read_bytes())
    alerts = world / "alerts.jsonl"
    command = [
        sys.executable,
        "-m",
        "streams.cli.main",
        "replay",
        str(world / "logs"),
        "--alerts",
        str(alerts),
        "--json",
    ]
    if task.settings:
        command += ["--settings", task.settings]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    seconds = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"seed {task.seed} {task.format}: replay failed: {done.stderr.decode()[-2000:]}")
    lines = alerts.read_bytes().splitlines()
    published = [found for line in lines if line.strip() and (found := scored_alert(line)) is not None]
    scores = {PRODUCT: score(labels, published), PUBLISHED: evaluate(labels, published, 0.0)}
    if task.baselines:
        scores |= _baselines(world, labels)
    return Result(task.seed, task.format.value, labels.records, seconds, scores)


def _world(task: Task) -> Path:
    version = _digest("detector/simulation")
    world = Path(task.cache) / f"{task.format.value}-{task.seed}-{task.days}-{task.people}"
    stamp = world / "version"
    if stamp.is_file() and stamp.read_text() == version:
        return world
    shutil.rmtree(world, ignore_errors=True)
    scenario = Scenario(seed=task.seed, format=task.format, days=task.days, people=task.people)
    write_world(scenario, world, compress=True)
    stamp.write_text(version)
    return world


def _baselines(world: Path, labels: Labels) -> dict[str, Score]:
    version = _digest("detector/simulation", "detector/adapters", "detector/identity/ledger.py")
    kept = world / f"baselines-{version}.json"
    if kept.is_file():
        return msgspec.json.decode(kept.read_bytes(), type=dict[str, Score])
    found = baseline_scores(labels, [str(world / "logs")])
    kept.write_bytes(msgspec.json.encode(found))
    return found


def _digest(*places: str) -> str:
    """Of the sources in some places, so that what was made by others is not taken for theirs."""
    digest = hashlib.sha256()
    for place in places:
        path = ROOT / place
        # How alerts are scored does not change the worlds.
        files = (
            sorted(file for file in path.rglob("*.py") if file.name != "score.py")
            if path.is_dir()
            else [path]
        )
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _seeds(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def tables(results: list[Result]) -> list[str]:
    """The means over the worlds: by format, and by shape and level for the product."""
    formats = [one.value for one in Format if any(result.format == one for result in results)]
    names = list(results[0].scores)
    heads = ["", *formats, "precision", "false/day/1,000", "of them on bursts", "recall", "rows lost"]
    rows = []
    for name in names:
        scores = [result.scores[name] for result in results]
        by_format = [
            _number(result.scores[name].headline for result in results if result.format == one)
            for one in formats
        ]
        false = sum(score.findings - score.true_findings for score in scores)
        on_bursts = sum(score.false_on_bursts for score in scores)
        rows.append(
            [
                name,
                *by_format,
                _number(score.precision for score in scores if score.precision is not None),
                _number(score.false_a_day for score in scores),
                f"{on_bursts / false:.0%}" if false else "-",
                _number(score.recall for score in scores),
                _number(score.rows_lost for score in scores),
            ]
        )
    saved: dict[tuple[Shape, Difficulty], list[float]] = defaultdict(list)
    found: dict[tuple[Shape, Difficulty], list[bool]] = defaultdict(list)
    delays: dict[Shape, list[float]] = defaultdict(list)
    for result in results:
        for attack in result.scores[PRODUCT].attacks:
            saved[attack.shape, attack.level].append(attack.saved)
            found[attack.shape, attack.level].append(attack.found)
            if attack.delay_ms is not None:
                delays[attack.shape].append(attack.delay_ms / 3_600_000)
    shapes = [
        [
            shape.value,
            *(
                f"{_number(saved[shape, level])} ({sum(found[shape, level])}/{len(found[shape, level])})"
                for level in Difficulty
            ),
            _number(value for level in Difficulty for value in saved[shape, level]),
            f"{sorted(delays[shape])[len(delays[shape]) // 2]:.1f} h" if delays[shape] else "-",
        ]
        for shape in Shape
        if any(saved[shape, level] for level in Difficulty)
    ]
    by_level = [
        "all",
        *(_number(value for shape in Shape for value in saved[shape, level]) for level in Difficulty),
        _number(value for values in saved.values() for value in values),
        "",
    ]
    return [
        _table(heads, rows),
        _table(["saved (found)", *Difficulty, "all", "median time"], [*shapes, by_level]),
    ]


def _number(values: Iterable[float]) -> str:
    found = list(values)
    return f"{mean(found):.2f}" if found else "-"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
