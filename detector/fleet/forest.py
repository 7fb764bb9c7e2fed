"""How odd a mixture is among a population's: an identity's day, or an incident, as a few figures from 0 to 1.

Each of some dozens of *grids* looks at a few of the features, cut into cells of a random width at a random offset,
and counts what has fallen into each cell. A vector's rarity is the mean over the grids of log₂ of how much rarer its
cell is than a cell that holds everything (Sathe and Aggarwal, *Subspace outlier detection in linear time with
randomized hashing*, 2016). What that is worth is read off the population's own past rarities.

Grids and not river's Half-Space Trees, because thefts come in bursts: trees whose mass is renewed by windows take a
thousand equal vectors for normal (`docs/benchmarks.md` has the figures).

Support, never the sole ground of an alert: odd is not wrong. Features are ``log1p`` of counts over fixed limits
(`unit`), never a running scale, which one huge value would stretch. Learn only from closed days; what was alerted on
is not learned, only counted among the rarities. A state is under 30 KB; a score costs about 25 µs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log1p, log2, log10
from random import Random

import msgspec

from detector.errors import CrmwatchError

__all__ = ["FOREST_VERSION", "Forest", "ForestError", "Oddness", "unit"]

FOREST_VERSION = 1
GRIDS = 32
CELLS = 256
"""Cells are hashed into so many counters a grid: a collision makes something look less rare, never more."""
NARROWEST, WIDEST = 0.03, 0.3
"""The width of a cell. At a third of the range a grid still tells little from much."""
SAMPLE = 1_000
"""A grid looks at no more features than leave so many vectors about one a cell."""
MOST_LEARNED = 60_000
"""Beyond so many vectors all counts are halved: the past fades, and counters stay small."""
BINS_PER_UNIT = 8
BINS = 17 * BINS_PER_UNIT
"""Rarities by eighths of a log₂: none exceeds that of an empty cell among `MOST_LEARNED`."""
WARM = 200
"""Vectors from which on a surprise means something."""
MOST_SURPRISE = 4.0
TELLING = 3


def unit(count: float, most: float) -> float:
    """A count as a feature: its ``log1p`` over that of the most that is to be told apart, within 0 and 1.

    >>> unit(0, 1_000_000), round(unit(1_000, 1_000_000), 2), unit(5_000_000, 1_000_000)
    (0.0, 0.5, 1.0)
    """
    return min(1.0, max(0.0, log1p(max(0.0, count)) / log1p(most)))


class ForestError(CrmwatchError, ValueError):
    """Stored bytes that are no forest of this release."""


class Oddness(msgspec.Struct, frozen=True):
    """What is said of one vector."""

    surprise: float
    """−log10 of the share of the population's vectors that were as rare or rarer; at most what their number shows,
    and at most `MOST_SURPRISE`. 0 while not warm."""
    rarity: float
    """How rare its cells are, as log₂: to rank vectors by where surprises are equal."""
    warm: bool


class _State(msgspec.Struct, array_like=True):
    """What is kept; the grids follow from the seed and the number of features."""

    version: int
    seed: int
    features: int
    learned: int
    counts: list[list[int]]
    rarities: list[int]
    """Histogram of the rarities of all vectors, those included that were not learned."""


class _Grid(msgspec.Struct, frozen=True):
    """The features it looks at, each with the inverse of a cell's width, an offset in cells, and a hash's factor."""

    axes: tuple[tuple[int, float, float, int], ...]


class Forest:
    """One population: a tenant's identities of one kind. The same vectors in the same order give the same bytes.

    >>> forest = Forest(features=2, seed=1)
    >>> for number in range(1000):
    ...     forest.learn((0.2 + number % 7 / 100, 0.2 + number % 7 / 100))
    >>> usual, odd = forest.score((0.23, 0.23)), forest.score((0.26, 0.9))
    >>> usual.surprise < 1 < 2 < odd.surprise, forest.telling((0.26, 0.9))
    (True, (1, 0))
    >>> Forest.decode(forest.encode()).score((0.26, 0.9)) == odd
    True
    """

    def __init__(self, features: int, seed: int = 0) -> None:
        self._state = _State(
            FOREST_VERSION, seed, features, 0, [[0] * CELLS for _ in range(GRIDS)], [0] * BINS
        )
        self._grids = _grown(features, seed)

    @property
    def learned(self) -> int:
        """How many vectors it knows, older ones fading."""
        return self._state.learned

    def score(self, features: Sequence[float]) -> Oddness:
        """How odd a vector is; changes nothing. Raises `ValueError` for another number of features."""
        rarity = self._rarity(self._cells(features))
        warm = self._state.learned >= WARM
        return Oddness(surprise=self._surprise(rarity) if warm else 0.0, rarity=rarity, warm=warm)

    def telling(self, features: Sequence[float]) -> tuple[int, ...]:
        """Which features (by position) make a vector odd: those whose cells are rarest, the rarest first."""
        counts = zip(self._state.counts, self._cells(features), strict=True)
        seen = [0.0] * self._state.features
        grids = [0] * self._state.features
        for grid, (cells, cell) in zip(self._grids, counts, strict=True):
            for axis, *_ in grid.axes:
                seen[axis] += log2(cells[cell] + 1)
                grids[axis] += 1
        order = sorted(range(len(seen)), key=lambda axis: (seen[axis] / max(1, grids[axis]), axis))
        return tuple(order[:TELLING])

    def learn(self, features: Sequence[float], *, alarmed: bool = False) -> None:
        """Take a vector in. What was `alarmed` on only counts among the rarities: it is news, but no habit."""
        state = self._state
        cells = self._cells(features)
        state.rarities[_bin(self._rarity(cells))] += 1
        if alarmed:
            return
        for counts, cell in zip(state.counts, cells, strict=True):
            counts[cell] += 1
        state.learned += 1
        if state.learned > MOST_LEARNED:
            state.counts = [[count // 2 for count in counts] for counts in state.counts]
            state.rarities = [count // 2 for count in state.rarities]
            state.learned //= 2

    def encode(self) -> bytes:
        """All it knows."""
        return msgspec.msgpack.encode(self._state)

    @classmethod
    def decode(cls, data: bytes) -> Forest:
        """The forest that `encode` made bytes of. Raises `ForestError` for anything else."""
        try:
            state = msgspec.msgpack.decode(data, type=_State)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ForestError(f"not a forest: {error}") from error
        sizes = [len(counts) for counts in state.counts]
        if state.version != FOREST_VERSION or sizes != [CELLS] * GRIDS or len(state.rarities) != BINS:
            raise ForestError(f"a forest of version {state.version}; this release reads {FOREST_VERSION}")
        forest = cls(state.features, state.seed)
        forest._state = state
        return forest

    def _cells(self, features: Sequence[float]) -> list[int]:
        if len(features) != self._state.features:
            raise ValueError(f"{len(features)} features instead of {self._state.features}")
        cells = []
        for grid in self._grids:
            mixed = 0
            for axis, per_unit, offset, factor in grid.axes:
                mixed = (mixed * 31 + int(features[axis] * per_unit + offset) * factor) & 0x3FFFFFFF
            cells.append(((mixed ^ mixed >> 13) * 0x9E3779B1 >> 8) % CELLS)
        return cells

    def _rarity(self, cells: list[int]) -> float:
        seen = 0.0
        for counts, cell in zip(self._state.counts, cells, strict=True):
            seen += log2(counts[cell] + 1)
        return max(0.0, log2(self._state.learned + 1) - seen / GRIDS)  # rounding can take it below

    def _surprise(self, rarity: float) -> float:
        rarities = self._state.rarities
        as_rare = sum(rarities[_bin(rarity) :])
        return min(MOST_SURPRISE, log10((sum(rarities) + 1) / (as_rare + 1)))


def _bin(rarity: float) -> int:
    return min(BINS - 1, int(rarity * BINS_PER_UNIT))


def _grown(features: int, seed: int) -> tuple[_Grid, ...]:
    """The grids of a seed: the narrower a grid's cells, the fewer features it looks at."""
    random = Random(seed)  # noqa: S311 - the same seed must give the same grids
    grids = []
    for _ in range(GRIDS):
        width = NARROWEST + (WIDEST - NARROWEST) * random.random()
        most = log(SAMPLE) / log(1 / width)
        fewest = int(1 + most / 2)
        number = min(features, fewest + int(random.random() * (max(fewest, int(most)) - fewest + 1)))
        chosen = sorted(range(features), key=lambda _: random.random())[:number]
        grids.append(
            _Grid(
                tuple(
                    (axis, 1 / width, random.random(), random.getrandbits(30) | 1) for axis in sorted(chosen)
                )
            )
        )
    return tuple(grids)
