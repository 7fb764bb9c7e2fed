"""The evidence model: how likely an incident is a theft, from its features.

Boosted trees that ship as data (`evidence.json`, made by ``crmwatch train``). All values are whole thousandths of
log-odds, so that their sum is the same on every machine and in every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.triage.features import FEATURES

__all__ = ["MILLI", "MODEL_VERSION", "EvidenceModel", "EvidenceTrees", "shipped"]

MODEL_VERSION = 1
MILLI = 1000
"""The unit of log-odds in a forest: thousandths."""


class EvidenceTrees(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The trees as they are stored: complete binary trees of one depth, each level from left to right."""

    version: int = MODEL_VERSION
    features: tuple[str, ...] = FEATURES
    """The names of the vector's places."""
    depth: int
    base: int
    """Where every sum begins, in thousandths of log-odds."""
    feature: tuple[tuple[int, ...], ...]
    """By tree and inner node: the place of the vector that is looked at."""
    threshold: tuple[tuple[float, ...], ...]
    """By tree and inner node: above it the way is to the right."""
    value: tuple[tuple[int, ...], ...]
    """By tree and node, leaves included: what is expected there, in thousandths of log-odds; 0 at the root."""
    base_rate: float
    """The share of thefts among incidents at which its probabilities are calibrated."""
    recipe: dict[str, object] = {}
    """What it was made from."""
    scores: dict[str, float] = {}
    """What it reached on worlds that it was not made from."""

    def __post_init__(self) -> None:
        """Raises ValueError for trees of another shape, version or vector."""
        if self.version != MODEL_VERSION:
            raise ValueError(f"version {self.version}; this release reads {MODEL_VERSION}")
        if self.features != FEATURES:
            raise ValueError("its features are not those of this release")
        inner, nodes = 2**self.depth - 1, 2 ** (self.depth + 1) - 1
        if not len(self.feature) == len(self.threshold) == len(self.value):
            raise ValueError("its trees have different numbers of features, thresholds and values")
        shapes = zip(self.feature, self.threshold, self.value, strict=True)
        if any((len(f), len(t), len(v)) != (inner, inner, nodes) for f, t, v in shapes):
            raise ValueError(f"its trees are not all of depth {self.depth}")
        if any(not 0 <= place < len(FEATURES) for tree in self.feature for place in tree):
            raise ValueError("a tree looks at a feature that there is not")


class EvidenceModel:
    """A forest ready to be evaluated.

    >>> stump = EvidenceTrees(depth=1, base=-3000, feature=((0,),), threshold=((1.0,),), value=((0, -500, 4000),),
    ...                base_rate=0.2)
    >>> model = EvidenceModel(stump)
    >>> quiet, loud = [0.0] * len(FEATURES), [2.0] * len(FEATURES)
    >>> model.log_odds(quiet), model.log_odds(loud), model.contributions(loud)
    (-3500, 1000, {'volume': 4000})
    """

    def __init__(self, forest: EvidenceTrees) -> None:
        self.forest = forest
        self._depth = forest.depth
        inner = 2**forest.depth - 1
        self._first = np.arange(len(forest.feature), dtype=np.intp) * inner
        self._first_value = np.arange(len(forest.feature), dtype=np.intp) * (2 * inner + 1)
        self._feature = np.array(forest.feature, dtype=np.intp).ravel()
        self._threshold = np.array(forest.threshold, dtype=np.float64).ravel()
        self._value = np.array(forest.value, dtype=np.int64).ravel()

    def log_odds(self, features: Sequence[float]) -> int:
        """The log-odds of theft, in thousandths, of a vector of `FEATURES`."""
        vector = np.array(features, dtype=np.float64)
        node = np.zeros(len(self._first), dtype=np.intp)
        for _ in range(self._depth):
            node = self._step(vector, node)
        return self.forest.base + int(self._value[self._first_value + node].sum())

    def contributions(self, features: Sequence[float]) -> dict[str, int]:
        """What each feature adds to the base, in thousandths of log-odds; those that add nothing are left out.

        A step of a tree is ascribed to the feature that it looks at: the difference of what is expected after it and
        before (Saabas, 2014).
        """
        vector = np.array(features, dtype=np.float64)
        sums = np.zeros(len(FEATURES), dtype=np.int64)
        node = np.zeros(len(self._first), dtype=np.intp)
        for _ in range(self._depth):
            after = self._step(vector, node)
            change = self._value[self._first_value + after] - self._value[self._first_value + node]
            np.add.at(sums, self._feature[self._first + node], change)
            node = after
        return {name: int(change) for name, change in zip(FEATURES, sums, strict=True) if change}

    def _step(self, vector: NDArray[np.float64], node: NDArray[np.intp]) -> NDArray[np.intp]:
        at = self._first + node
        right: NDArray[np.intp] = vector[self._feature[at]] > self._threshold[at]
        return 2 * node + 1 + right


@lru_cache(maxsize=1)
def shipped() -> EvidenceModel:
    """The model that crmwatch comes with."""
    data = files("detector.triage").joinpath("evidence.json").read_bytes()
    return EvidenceModel(msgspec.json.decode(data, type=EvidenceTrees))
