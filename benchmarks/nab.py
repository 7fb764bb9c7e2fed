"""The series detector on the Numenta Anomaly Benchmark: 58 series, 116 windows of anomaly.

    python benchmarks/nab.py [--data FOLDER] [--sets 24] [--splits 40]

One configuration for all series, one warm-up, causal, two-sided. Scored as the benchmark does (Lavin and Ahmad,
*Evaluating real-time anomaly detection algorithms*, 2015): the first 15 % of a series, at most 750 rows, are not
scored; a window counts by its earliest detection, a false alarm by how far it is from the window before it, and for
each of three profiles the best threshold over the whole corpus is taken. 0 is a detector that says nothing, 100 one
that says everything at once and nothing else. Before that the scorer is held against two detectors' published
scores. With `--sets` it also says what the constants are worth: so many random sets, each constant times or divided
by up to 1.25; and over `--splits` random halves of the series, the set and threshold that are best on one half
scored on the other.

The corpus (data/, labels/ of github.com/numenta/NAB, MIT; scorer_fixture/ its results/windowedGaussian and
randomCutForest as .tar.xz) is not part of this project: `--data` or NAB_DATA says where it is.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import statistics
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from detector.fleet.series import Series, SeriesSettings, observe

Floats = NDArray[np.float64]

PROFILES = {"standard": (1.0, 0.11), "low FP": (1.0, 0.22), "low FN": (2.0, 0.11)}
"""What a missed window and a false alarm cost; a window found at once is worth 1."""
PUBLISHED = {
    "windowedGaussian": (39.65, 20.87, 47.41),
    "randomCutForest": (51.72, 38.36, 59.75),
}
PEERS = {
    "ARTime": (74.9, 65.2, 80.4),
    "Numenta HTM": (70.1, 63.1, 74.3),
    "CAD OSE": (69.9, 67.0, 73.2),
    "earthgecko Skyline": (58.2, 46.2, 63.8),
    "random cut forest": (51.7, 38.4, 59.7),
    "windowed Gaussian": (39.6, 20.9, 47.4),
}
CONSTANTS = (
    "floor", "offset", "sharpness", "level_rate", "profile_rate", "short", "long", "restless", "event_steps",
    "peak_fading", "doubt", "quiet_steps", "worse",
)  # fmt: skip
MOST_FACTOR = 1.25


class Labelled(NamedTuple):
    """One series, and what each of its rows is worth to whoever finds it."""

    times_ms: list[int]
    values: list[float]
    probation: int
    window: NDArray[np.int64]
    """The number of the window that a row lies in, or -1."""
    worth: Floats
    """For a row in a window what finding it is worth, 1 at the window's start; else what a false alarm costs, as a
    share of the profile's cost."""


class Result(NamedTuple):
    """One profile's outcome."""

    score: float
    threshold: float
    found: int
    false: int


def main() -> None:
    """Check the scorer, then run the detector."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data", type=Path, default=os.environ.get("NAB_DATA", "benchmarks/data/nab"))
    options.add_argument("--sets", type=int, default=0, help="random sets of constants; 0 leaves them out")
    options.add_argument("--splits", type=int, default=40, help="random halves")
    options.add_argument("--workers", type=int, default=os.cpu_count())
    chosen = options.parse_args()
    folder = Path(chosen.data)
    if not (folder / "labels" / "combined_windows.json").is_file():
        print(f"The Numenta Anomaly Benchmark is not in {folder}: nothing was run. Say where with --data.")
        return
    corpus = load(folder)
    check(folder, corpus)
    began = time.process_time()
    scores = detect(corpus, {})
    seconds = time.process_time() - began
    rows = sum(len(series.values) for series in corpus.values())
    print(f"\nseries detector, {rows:,} rows, {seconds / rows * 1e6:.1f} µs a row")
    for profile in PROFILES:
        result = best(corpus, scores, profile)
        print(
            f"  {profile:9} {result.score:5.1f}   {result.found} windows found, {result.false} false alarms,"
            f" threshold {result.threshold:.3f}"
        )
    print("\npublished, of the same corpus: standard / low FP / low FN")
    for name, published in PEERS.items():
        print(f"  {name:20}" + " / ".join(f"{score:.1f}" for score in published))
    if chosen.sets:
        worth_of_constants(corpus, scores, chosen.sets, chosen.splits, chosen.workers)


def load(folder: Path) -> dict[str, Labelled]:
    """All series by name, in the order of their names."""
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    corpus = {}
    for name in sorted(labels):
        with (folder / "data" / name).open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        times = np.array([row["timestamp"] for row in rows], dtype="datetime64[ms]")
        windows = []
        for first, last in labels[name]:
            begin = int(np.searchsorted(times, np.datetime64(first, "ms")))
            end = int(np.searchsorted(times, np.datetime64(last, "ms"), side="right"))
            windows.append((begin, end))
        window, worth = rewards(len(rows), windows)
        times_ms = [int(moment) for moment in times.astype("int64")]
        values = [float(row["value"]) for row in rows]
        corpus[name] = Labelled(times_ms, values, min(int(0.15 * len(rows)), 750), window, worth)
    return corpus


def rewards(rows: int, windows: Sequence[tuple[int, int]]) -> tuple[NDArray[np.int64], Floats]:
    """For each row the window it lies in (-1: none) and what it is worth; windows are [begin, end)."""
    window = np.full(rows, -1)
    worth = np.full(rows, -1.0)
    for number, (begin, end) in enumerate(windows):
        inside = np.arange(begin, end)
        window[begin:end] = number
        worth[begin:end] = _decline((inside - end) / (end - begin)) / _decline(np.array(-1.0))
        following = windows[number + 1][0] if number + 1 < len(windows) else rows
        after = np.arange(end, following)
        if end - begin > 1:
            worth[end:following] = _decline((after - end + 1) / (end - begin - 1))
    return window, worth


def _decline(position: Floats) -> Floats:
    """From 1 long before a window's end over 0 at it to -1 three widths after it."""
    return np.where(position > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, 3))) - 1)


def check(folder: Path, corpus: Mapping[str, Labelled]) -> None:
    """Hold the scorer against what is published of two detectors; ends the program if it differs."""
    for detector, published in PUBLISHED.items():
        archive = folder / "scorer_fixture" / f"{detector}.tar.xz"
        if not archive.is_file():
            print(f"scorer not checked: {archive} is not there")
            continue
        scores = dict(_archived(archive, detector))
        ours = tuple(best(corpus, scores, profile).score for profile in PROFILES)
        line = " / ".join(f"{score:.2f}" for score in ours)
        if any(abs(a - b) > 0.006 for a, b in zip(ours, published, strict=True)):
            raise SystemExit(f"the scorer is wrong: {detector} has {line}, published is {published}")
        print(f"scorer checked: {detector} {line}, as published")


def _archived(archive: Path, detector: str) -> Iterator[tuple[str, Floats]]:
    with tarfile.open(archive) as files:
        for member in files.getmembers():
            path = Path(member.name)
            content = files.extractfile(member)
            if content is None or path.suffix != ".csv" or not path.stem.startswith(detector):
                continue
            rows = csv.DictReader(io.TextIOWrapper(content, encoding="utf-8"))
            if rows.fieldnames and "anomaly_score" in rows.fieldnames:
                scores = [float(row["anomaly_score"]) for row in rows]
                yield f"{path.parent.name}/{path.name.removeprefix(f'{detector}_')}", np.array(scores)


def detect(corpus: Mapping[str, Labelled], constants: Mapping[str, float]) -> dict[str, Floats]:
    """Every row's score, each series from a fresh state; the step is the time between the first two rows."""
    return {name: _detect_one(series, constants) for name, series in corpus.items()}


def _detect_one(series: Labelled, constants: Mapping[str, float]) -> Floats:
    step_ms = max(1, series.times_ms[1] - series.times_ms[0])
    settings = msgspec.structs.replace(SeriesSettings(step_ms=step_ms, one_sided=False), **constants)
    state = Series()
    scores = np.empty(len(series.values))
    last_ms = -1
    for row, (time_ms, value) in enumerate(zip(series.times_ms, series.values, strict=True)):
        last_ms = max(time_ms, last_ms + 1)  # some rows of the corpus bear the time of the row before
        scores[row] = observe(state, last_ms, value, settings).score
    return scores


def best(corpus: Mapping[str, Labelled], scores: Mapping[str, Floats], profile: str) -> Result:
    """The score at the threshold that is best for these series."""
    return _swept(corpus, scores, profile, None)


def at(
    corpus: Mapping[str, Labelled], scores: Mapping[str, Floats], profile: str, threshold: float
) -> Result:
    """The score at a threshold that was found elsewhere."""
    return _swept(corpus, scores, profile, threshold)


def _swept(
    corpus: Mapping[str, Labelled], scores: Mapping[str, Floats], profile: str, threshold: float | None
) -> Result:
    """Lower the threshold row by row; what the score gains and loses by each row that is reached."""
    missed, false = PROFILES[profile]
    parts_score, parts_window, parts_worth = [], [], []
    windows = 0
    for name, series in corpus.items():
        scored = slice(series.probation, None)
        window = series.window[scored]
        parts_score.append(scores[name][scored])
        parts_window.append(np.where(window >= 0, window + windows, -1))
        parts_worth.append(series.worth[scored])
        windows += int(series.window.max(initial=-1)) + 1
    score = np.concatenate(parts_score)
    order = np.argsort(-score, kind="stable")
    score, window = score[order], np.concatenate(parts_window)[order]
    worth = np.concatenate(parts_worth)[order]
    gain = np.where(window < 0, worth * false, 0.0)
    for number in range(windows):
        rows = np.flatnonzero(window == number)
        if rows.size:
            gain[rows] = np.diff(np.maximum.accumulate(worth[rows]), prepend=-missed)
    total = np.concatenate([[0.0], np.cumsum(gain)])
    if threshold is None:
        whole = np.concatenate([[0], np.flatnonzero(np.append(score[1:] != score[:-1], True)) + 1])
        reached = int(whole[np.argmax(total[whole])])
    else:
        reached = int(np.searchsorted(-score, -threshold, side="right"))
    return Result(
        score=float(100 * total[reached] / (windows * (1 + missed))) if windows else 0.0,
        threshold=float(score[reached - 1]) if reached else float("inf"),
        found=len(set(window[:reached].tolist()) - {-1}),
        false=int(np.sum(window[:reached] < 0)),
    )


def worth_of_constants(
    corpus: Mapping[str, Labelled], scores: Mapping[str, Floats], sets: int, splits: int, workers: int
) -> None:
    """What is left when constants are moved, and when they and the threshold are chosen on other series."""
    random = Random(0)  # noqa: S311 - reproducible splits, not secrets
    moved = [
        {
            name: getattr(SeriesSettings(step_ms=1), name) * MOST_FACTOR ** random.uniform(-1, 1)
            for name in CONSTANTS
        }
        for _ in range(sets)
    ]
    with ProcessPoolExecutor(workers) as pool:
        others = list(pool.map(partial(detect, corpus), moved))
    whole = [best(corpus, other, "standard").score for other in others]
    print(f"\n{sets} sets of constants, each times or divided by up to {MOST_FACTOR}: {_spread(whole)}")
    candidates = [scores, *others]
    by_threshold, by_both = [], []
    for _ in range(splits):
        names = list(corpus)
        random.shuffle(names)
        half = {name: corpus[name] for name in names[::2]}
        rest = {name: corpus[name] for name in names[1::2]}
        by_threshold.append(at(rest, scores, "standard", best(half, scores, "standard").threshold).score)
        ranked = max(candidates, key=lambda candidate: best(half, candidate, "standard").score)
        by_both.append(at(rest, ranked, "standard", best(half, ranked, "standard").threshold).score)
    print(f"the threshold of one half on the other, {splits} splits: {_spread(by_threshold)}")
    print(f"threshold and the best of these sets of one half on the other: {_spread(by_both)}")
    print("(the sets lie around constants that were found on the whole corpus, so this still flatters)")


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


if __name__ == "__main__":
    main()
