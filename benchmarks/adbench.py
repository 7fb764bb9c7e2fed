"""The population detector and river's own on two public sets, as streams: score, then learn.

    python benchmarks/adbench.py [--data FOLDER] [--seeds 5] [--rows N] [--workers 2] [--only NAME]… [--set http]

http (567,498 × 3, 2,211 attacks that come in bursts of up to a thousand nearly equal rows) and shuttle (49,097 × 9,
3,511 anomalies), in stored order and permuted by ``numpy.random.default_rng(0)``. Each detector scores a row before
it learns it; ROC AUC and average precision over all rows, mean and range over the seeds.

- *grids*: `detector.fleet.forest`. A row whose surprise is 1.3 or more (one in twenty) counts as alarmed, and is not
  learned; *grids, all learned* learns everything.
- *HST*, *LODA*: river's, on river's running `MinMaxScaler` as their documentation shows them; *HST, our features*
  has the features that the grids get.

Those features are logarithms over fixed limits, which follow from what the features are and not from the rows: http's
are logarithms already (of bytes and seconds, up to 10⁹), shuttle's are readings of both signs, up to 10⁵.

First an anchor: river's pipelines over the first 10,000 rows of shuttle must give the ROC AUC that is published for
them. The sets (16_http.npz, 32_shuttle.npz of github.com/Minqi824/ADBench, BSD-2) are not part of this project:
`--data` or ADBENCH_DATA says where they are.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from detector.fleet.forest import Forest

Floats = NDArray[np.float64]

FILES = {"http": "16_http.npz", "shuttle": "32_shuttle.npz"}
ALARM = 1.3
ANCHOR_ROWS = 10_000
ANCHORS = {"HST": 0.9007, "LODA": 0.9646}
LEAST_LOG, MOST_LOG = float(np.log(0.1)), float(np.log(1e9))
MOST_READING = 1e5


class Run(NamedTuple):
    """One detector over one set in one order from one seed."""

    roc_auc: float
    average_precision: float
    microseconds: float


def main() -> None:
    """Check the anchor, then run everything; rows appear as they are done."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--data", type=Path, default=os.environ.get("ADBENCH_DATA", "benchmarks/data/adbench")
    )
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--rows", type=int, help="only so many rows of each set, from the beginning")
    options.add_argument("--workers", type=int, default=os.cpu_count())
    options.add_argument(
        "--only", action="append", choices=DETECTORS, help="of the detectors; LODA takes most of the time"
    )
    options.add_argument("--set", dest="sets", action="append", choices=FILES, help="of the two")
    chosen = options.parse_args()
    folder = Path(chosen.data)
    if not all((folder / file).is_file() for file in FILES.values()):
        print(f"ADBench's http and shuttle are not in {folder}: nothing was run. Say where with --data.")
        return
    names = chosen.only or list(DETECTORS)
    for name, published in ANCHORS.items():
        if name in names:
            ours = anchor(folder, name)
            if abs(ours - published) > 0.00006:
                raise SystemExit(f"the loop is wrong: {name} has {ours:.4f}, published is {published}")
            print(
                f"loop checked: {name} on shuttle's first {ANCHOR_ROWS:,} rows {ours:.4f}, as published",
                flush=True,
            )
    with ProcessPoolExecutor(chosen.workers) as pool:
        for dataset in chosen.sets or FILES:
            for order in ("stored", "permuted"):
                print(f"\n{dataset}, {order} order: ROC AUC, average precision, µs a row", flush=True)
                for name in names:
                    work = partial(run, folder, dataset, order, name, chosen.rows)
                    runs = list(pool.map(work, range(chosen.seeds)))
                    aucs = [one.roc_auc for one in runs]
                    precisions = [one.average_precision for one in runs]
                    micros = statistics.median(one.microseconds for one in runs)
                    print(f"  {name:20} {_spread(aucs)}   {_spread(precisions)}   {micros:6.0f}", flush=True)


def run(folder: Path, dataset: str, order: str, name: str, rows: int | None, seed: int) -> Run:
    """One detector over one set in one order from one seed."""
    raw, labels = load(folder, dataset)
    if order == "permuted":
        shuffled = np.random.default_rng(0).permutation(len(raw))
        raw, labels = raw[shuffled], labels[shuffled]
    raw, labels = raw[:rows], labels[:rows]
    began = time.process_time()
    scores = np.fromiter(DETECTORS[name](dataset, raw, seed), dtype=float, count=len(raw))
    seconds = time.process_time() - began
    return Run(roc_auc(labels, scores), average_precision(labels, scores), seconds / len(raw) * 1e6)


def load(folder: Path, dataset: str) -> tuple[Floats, NDArray[np.int64]]:
    """Features and labels (1: an anomaly), in stored order."""
    with np.load(folder / FILES[dataset]) as arrays:
        return arrays["X"].astype(float), arrays["y"].astype(int)


def features(dataset: str, raw: Floats) -> Floats:
    """Logarithms over fixed limits, within 0 and 1."""
    if dataset == "http":
        scaled = (raw - LEAST_LOG) / (MOST_LOG - LEAST_LOG)
    else:
        scaled = 0.5 + 0.5 * np.sign(raw) * np.log1p(np.abs(raw)) / np.log1p(MOST_READING)
    return np.asarray(np.clip(scaled, 0.0, 1.0), dtype=float)


def roc_auc(labels: NDArray[np.int64], scores: Floats) -> float:
    """The probability that an anomaly has a higher score than another row; equal scores count half."""
    positive = int(labels.sum())
    if not positive:
        return float("nan")
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    below = np.cumsum(count) - count
    rank = (below + (count + 1) / 2)[place]
    wins = rank[labels == 1].sum() - positive * (positive + 1) / 2
    return float(wins / (positive * (len(labels) - positive)))


def average_precision(labels: NDArray[np.int64], scores: Floats) -> float:
    """The mean over anomalies of the precision at their score; rows of equal score are reached together."""
    if not labels.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(labels[order])
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    recall = found[ends] / found[-1]
    precision = found[ends] / (ends + 1)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def anchor(folder: Path, name: str) -> float:
    """The ROC AUC of a river pipeline whose published value is known."""
    raw, labels = load(folder, "shuttle")
    raw, labels = raw[:ANCHOR_ROWS], labels[:ANCHOR_ROWS]
    scores = np.fromiter(DETECTORS[name]("shuttle", raw, 42), dtype=float, count=len(raw))
    return roc_auc(labels, scores)


def _grids(dataset: str, raw: Floats, seed: int, *, all_learned: bool = False) -> Iterator[float]:
    rows = features(dataset, raw).tolist()
    forest = Forest(features=len(rows[0]), seed=seed)
    for row in rows:
        odd = forest.score(row)
        forest.learn(row, alarmed=odd.surprise >= ALARM and not all_learned)
        yield odd.rarity


def _peer(
    make: Callable[[int], Any], *, fixed: bool, dataset: str, raw: Floats, seed: int
) -> Iterator[float]:
    from river.preprocessing import MinMaxScaler

    model = make(seed) if fixed else MinMaxScaler() | make(seed)
    rows = features(dataset, raw) if fixed else raw
    for row in rows.tolist():
        named = dict(enumerate(row))
        yield model.score_one(named)
        model.learn_one(named)


def _trees(seed: int) -> Any:
    from river.anomaly import HalfSpaceTrees

    return HalfSpaceTrees(seed=seed)


def _loda(seed: int) -> Any:
    from river.anomaly import LODA

    return LODA(seed=seed)


def _river(make: Callable[[int], Any], *, fixed: bool) -> Callable[[str, Floats, int], Iterator[float]]:
    return lambda dataset, raw, seed: _peer(make, fixed=fixed, dataset=dataset, raw=raw, seed=seed)


DETECTORS: dict[str, Callable[[str, Floats, int], Iterator[float]]] = {
    "grids": _grids,
    "grids, all learned": partial(_grids, all_learned=True),
    "HST": _river(_trees, fixed=False),
    "HST, our features": _river(_trees, fixed=True),
    "LODA": _river(_loda, fixed=False),
}


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ({min(values):.3f}–{max(values):.3f})"


if __name__ == "__main__":
    main()
