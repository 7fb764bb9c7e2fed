"""The peers of `replay.py`: what one would write in an afternoon with river, one model a user.

    python benchmarks/user_models.py loop|trees FILE [RECORDS]

Both read ELF records, one JSON object a line, and print a line for each that is unusual for its user. `loop` is the
least that can be done: ``json.loads``, a `StandardScaler` and a z-score by exponentially weighted mean and variance.
`trees` has Half-Space Trees instead, 5 of height 6, on two features with fixed limits.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import islice
from math import log1p, sqrt
from pathlib import Path
from typing import Any

from river.anomaly import HalfSpaceTrees
from river.preprocessing import StandardScaler
from river.stats import EWMean, EWVar

LEAST = 10
FAR = 4.0
ODD = 0.95
MOST = log1p(1e7)


class Level:
    """One user's scaler, mean and variance."""

    __slots__ = ("mean", "scaler", "seen", "variance")

    def __init__(self) -> None:
        self.scaler: Any = StandardScaler()
        self.mean = EWMean(fading_factor=0.05)
        self.variance = EWVar(fading_factor=0.05)
        self.seen = 0

    def unusual(self, row: dict[str, Any], rows: float) -> bool:
        """Score, then learn."""
        features = {"rows": rows}
        self.scaler.learn_one(features)
        value = self.scaler.transform_one(features)["rows"]
        far = self.seen > LEAST and value - self.mean.get() > FAR * sqrt(max(self.variance.get(), 1e-9))
        self.mean.update(value)
        self.variance.update(value)
        self.seen += 1
        return far


class Trees:
    """One user's forest."""

    __slots__ = ("forest",)

    def __init__(self) -> None:
        limits: dict[Any, tuple[float, float]] = {"rows": (0.0, 1.0), "hour": (0.0, 1.0)}
        self.forest: Any = HalfSpaceTrees(n_trees=5, height=6, limits=limits, seed=1)

    def unusual(self, row: dict[str, Any], rows: float) -> bool:
        """Score, then learn."""
        features = {"rows": rows / MOST, "hour": int(row["TIMESTAMP"][8:10]) / 24}
        score = self.forest.score_one(features)
        self.forest.learn_one(features)
        return bool(score > ODD)


MODELS: dict[str, Callable[[], Level | Trees]] = {"loop": Level, "trees": Trees}


def main() -> None:
    """Run one of them over a file."""
    name, path, *most = sys.argv[1:]
    make = MODELS[name]
    users: dict[str, Level | Trees] = {}
    with Path(path).open("rb") as lines:
        for line in islice(lines, int(most[0]) if most else None):
            row = json.loads(line)
            user = row["USER_ID"]
            model = users.get(user)
            if model is None:
                model = users[user] = make()
            rows = row.get("ROWS_PROCESSED") or row.get("ROW_COUNT") or row.get("RECORDS_PROCESSED") or 1
            if model.unusual(row, log1p(float(rows))):
                print(user, row["TIMESTAMP_DERIVED"], rows)


if __name__ == "__main__":
    main()
