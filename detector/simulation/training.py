"""Fits the evidence model to incidents of simulated worlds whose truth is known.

Boosted trees by scikit-learn, of which only the numbers are kept. The same tables and the same recipe give the same
forest, byte for byte: one thread, a seed, thresholds of six digits and leaves of whole thousandths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.triage.evidence import MILLI, EvidenceTrees
from detector.triage.features import FEATURES, RISING

__all__ = ["STARTING", "CandidateTable", "Recipe", "fit"]

BASE_RATE = 0.2
"""Thefts' share of the weight: the base rate at which probabilities are stated."""
CERTAIN = 1e9
"""The threshold of a node that every vector passes to the left."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How trees are grown."""

    trees: int = 150
    depth: int = 4
    rate: float = 0.1
    least_leaf: int = 100
    ridge: float = 1.0
    crowding: float = 0.6
    """Each of an incident's n candidates weighs n to the power of minus this: long incidents must not drown others."""
    folds: int = 4
    """The probabilities are calibrated on worlds left out, one of so many parts at a time."""
    rounds: int = 2
    """Which incidents are asked about depends on what is published: the model of each round asks in the next."""


class CandidateTable(msgspec.Struct, frozen=True):
    """One world's candidates: the states of incidents at the moments when triage weighed them."""

    features: NDArray[np.float64]
    """(n, `FEATURES`)"""
    incident: NDArray[np.int64]
    """(n,) Which incident each is a state of."""
    theft: NDArray[np.bool_]
    """(n,) Whether that incident belongs to an attack."""


def _starting() -> EvidenceTrees:
    """Publishes what is well beyond usual in amount, news or origin: what the first round's candidates come from."""
    places = tuple((FEATURES.index(name),) for name in ("amount", "novelty", "origin"))
    count = len(places)
    return EvidenceTrees(
        depth=1, base=-2000, feature=places, threshold=((1.5,),) * count, value=((0, -500, 2500),) * count,
        base_rate=BASE_RATE,
    )  # fmt: skip


STARTING = _starting()
"""The model of the first round."""


def fit(tables: Sequence[CandidateTable], recipe: Recipe) -> EvidenceTrees:
    """The forest that a recipe makes of worlds' candidates. Raises ImportError without scikit-learn."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        trees = _grow(tables, recipe)
        sums, thefts, weights = [], [], []
        for fold in range(recipe.folds):
            others = [table for number, table in enumerate(tables) if number % recipe.folds != fold]
            held_out = tables[fold :: recipe.folds]
            if not others or not held_out:
                continue
            grown = _grow(others, recipe)
            for table in held_out:
                sums.append(grown.decision_function(table.features))
                thefts.append(table.theft)
                weights.append(_weights(table, 1.0))
        slope, shift = 1.0, 0.0
        if sums:
            line = LogisticRegression(C=1e6).fit(
                np.concatenate(sums)[:, None], np.concatenate(thefts), sample_weight=np.concatenate(weights)
            )
            slope, shift = float(line.coef_[0, 0]), float(line.intercept_[0])
    base = slope * float(trees._baseline_prediction.ravel()[0]) + shift
    packed = [_packed(parts[0].nodes, recipe.depth, slope) for parts in trees._predictors]
    return EvidenceTrees(
        depth=recipe.depth,
        base=round(MILLI * base),
        feature=tuple(feature for feature, _, _ in packed),
        threshold=tuple(threshold for _, threshold, _ in packed),
        value=tuple(value for _, _, value in packed),
        base_rate=BASE_RATE,
    )


def _grow(tables: Sequence[CandidateTable], recipe: Recipe) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    weights = np.concatenate([_weights(table, recipe.crowding) for table in tables])
    return HistGradientBoostingClassifier(
        max_iter=recipe.trees, max_depth=recipe.depth, learning_rate=recipe.rate, max_bins=64,
        min_samples_leaf=recipe.least_leaf, l2_regularization=recipe.ridge, early_stopping=False,
        monotonic_cst=[int(name in RISING) for name in FEATURES], random_state=0,
    ).fit(
        np.concatenate([table.features for table in tables]),
        np.concatenate([table.theft for table in tables]),
        sample_weight=weights * (len(weights) / weights.sum()),
    )  # fmt: skip


def _weights(table: CandidateTable, crowding: float) -> NDArray[np.float64]:
    """(n,) Each world weighs the same, and thefts `BASE_RATE` of it."""
    weights = np.bincount(table.incident)[table.incident].astype(np.float64) ** -crowding
    for which, share in ((table.theft, BASE_RATE), (~table.theft, 1 - BASE_RATE)):
        if which.any():
            weights[which] *= share / weights[which].sum()
    return weights


def _packed(
    nodes: Any, depth: int, slope: float
) -> tuple[tuple[int, ...], tuple[float, ...], tuple[int, ...]]:
    """A tree as `EvidenceTrees` stores it: feature, threshold and value of a complete tree's nodes."""
    inner = 2**depth - 1
    feature, threshold, value = [0] * inner, [CERTAIN] * inner, [0] * (2 * inner + 1)
    waiting = [(0, 0)]
    while waiting:
        at, place = waiting.pop()
        node = nodes[at]
        value[place] = round(MILLI * slope * float(node["value"]))
        if place >= inner:
            continue
        if node["is_leaf"]:  # what is below says the same
            waiting += [(at, 2 * place + 1), (at, 2 * place + 2)]
            continue
        feature[place] = int(node["feature_idx"])
        threshold[place] = float(f"{float(node['num_threshold']):.6g}")
        waiting += [(int(node["left"]), 2 * place + 1), (int(node["right"]), 2 * place + 2)]
    value[0] = 0
    return tuple(feature), tuple(threshold), tuple(value)
