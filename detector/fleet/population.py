"""How a tenant's population behaves: levels and residuals by kind of actor, detector, channel and horizon.

A day's figures are whole numbers that only ever get added to, so the order in which identities' windows
arrive does not matter, and a decision uses only days that every source has finished with. Both together make
a decision the same in a replay and in a stream over any number of workers.

A *residual* is how many deviations a window lies above what was expected of its identity. Its probability
comes from the residuals the population really showed, not from a Gaussian, whose tails are far too thin for
this (`surprise`).
"""

from __future__ import annotations

from functools import lru_cache
from math import expm1, log1p, log10, sqrt

import msgspec

from detector.event import ActorKind
from detector.identity.windows import DAY_MS, FLOOR_VARIANCE, prior_mean
from detector.settings import Settings
from detector.signal import Signal

__all__ = [
    "BOUND_SURPRISE",
    "SETTLE_MS",
    "Cell",
    "Expectation",
    "Population",
    "day_known_at",
    "encode",
]

SETTLE_MS = 20 * 60 * 1000
"""A day's figures are used from this long after its end, when every source has normally finished with it."""

MILLI = 1000
BIN = 0.2
"""Width of a residual's histogram bin, in deviations."""
LOWEST_BIN, HIGHEST_BIN = -25, 200
PRIOR_WINDOWS = 30.0
"""How many windows the built-in expectation counts for, until the population has shown its own."""
PRIOR_WITHIN = 0.4
"""The variance of one identity's own windows, in squared logarithms, until the population has shown it."""
PRIOR_RESIDUALS = 150.0
VARIANCE_WEIGHT = 4.0
"""How many windows of its own the population's within-variance counts for."""
LEAST_OWN_WINDOWS = 3
"""From so many windows on, an identity's spread around its own level says something."""
FULL_KNOWLEDGE = 150.0
OWN_KNOWLEDGE = 10.0
"""Surprise is capped in proportion to what is known: windows of the population, own ones counting tenfold.
What has just been switched on must learn before it may call anything rare."""
DAILY_FADING = 0.95
MAX_SUMMARIES = 2_000
BOUND_SURPRISE = 2.0
"""What one window in a hundred exceeds is the most to be expected; alerts take more evidence than that."""
MAX_SURPRISE = 5.0
"""Nothing is believed to be rarer than one in a hundred thousand on statistics alone."""


def day_known_at(time_ms: int) -> int:
    """The last day (days since 1970) whose figures a decision about `time_ms` may use."""
    return (time_ms - SETTLE_MS) // DAY_MS - 1


class Cell(msgspec.Struct, array_like=True):
    """One day of one cell of the population, in whole numbers."""

    windows: int = 0
    level_milli: int = 0
    """The sum of ``log1p(value)`` in thousandths."""
    level_milli_squares: int = 0
    within: int = 0
    """How many of the windows were of identities with a level of their own."""
    within_milli_squares: int = 0
    """Those windows' squared distances from that level."""
    residuals: dict[int, int] = {}
    """Histogram: bin (of width `BIN`) → windows."""


def encode(cell: Cell) -> bytes:
    """The cell as bytes: the same for the same figures, in whatever order they came."""
    ordered = dict(sorted(cell.residuals.items()))
    return msgspec.msgpack.encode(msgspec.structs.replace(cell, residuals=ordered))


class Expectation(msgspec.Struct, frozen=True):
    """What was expected of one window, and how far it lies from that."""

    typical: float
    """Rows in a usual window of this identity."""
    bound: float
    """The most rows to be expected: one window in a hundred exceeds them (`BOUND_SURPRISE`)."""
    residual: float
    """Deviations above the expected level."""
    surprise: float
    """−log10 of the probability of a residual so large; at most `MAX_SURPRISE`."""
    own_windows: int
    population_windows: int
    warm: bool
    """Whether the identity's own level, not the population's, carries the expectation."""


class _Summary(msgspec.Struct):
    """A cell over all days up to one, newer days weighing more."""

    windows: float
    mean: float
    within: float
    """Variance of an identity's windows around its own level."""
    between: float
    """Variance of the identities' levels."""
    tail: dict[int, float]
    """Bin → weight of the residuals in that bin or above."""
    residuals: float
    most: float = 0.0
    """The residual of `BOUND_SURPRISE`."""


class Population:
    """Tenants' figures by day; `cells` is all its state, and `dirty` the keys changed since they were saved.

    A key is ``tenant|day|kind|detector|channel|horizon``.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.cells: dict[str, Cell] = {}
        self.dirty: set[str] = set()
        self._days: dict[str, set[int]] = {}
        self._summaries: dict[tuple[str, str], dict[int, _Summary]] = {}

    def restore(self, key: str, cell: Cell) -> None:
        """Put a saved cell back."""
        self.cells[key] = cell
        tenant, day = _tenant_and_day(key)
        self._days.setdefault(tenant, set()).add(day)
        self._summaries.clear()

    def learn(self, signal: Signal, expectation: Expectation, floor_day: int) -> None:
        """Add a closed window to the day on which it became known, or to `floor_day` if that one is over."""
        day = max(signal.time_ms // DAY_MS, floor_day)
        name = _cell_name(signal.actor_kind, signal.detector, signal.channel, signal.horizon_ms)
        key = f"{signal.tenant}|{day}|{name}"
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = Cell()
            self._days.setdefault(signal.tenant, set()).add(day)
        milli = round(log1p(signal.value) * MILLI)
        cell.windows += 1
        cell.level_milli += milli
        cell.level_milli_squares += milli * milli
        if signal.own_windows >= LEAST_OWN_WINDOWS:
            away = milli - round(signal.own_mean * MILLI)
            cell.within += 1
            cell.within_milli_squares += away * away
        index = _bin(expectation.residual)
        cell.residuals[index] = cell.residuals.get(index, 0) + 1
        self.dirty.add(key)
        summaries = self._summaries.get((signal.tenant, name))
        if summaries and max(summaries) >= day:  # made too early, for a provisional decision
            summaries.clear()

    def expect(self, signal: Signal) -> Expectation:
        """What was to be expected of a signal's window when it became known, and how surprising it is.

        The identity's level is its own shrunk towards its peers', each weighed by how sure it is (empirical
        Bayes; Morris, *Parametric empirical Bayes inference*, 1983): much for a newcomer, hardly at all for
        one that is well known.
        """
        detection = self._settings.detection
        summary = self._summary(signal)
        own = min(signal.own_windows, 1 / detection.fading)
        precision = own / summary.within + 1 / summary.between
        mean = (own * signal.own_mean / summary.within + summary.mean / summary.between) / precision
        spread = (own * signal.own_variance + VARIANCE_WEIGHT * summary.within) / (own + VARIANCE_WEIGHT)
        deviation = sqrt(spread + 1 / precision + FLOOR_VARIANCE)
        residual = (log1p(signal.value) - mean) / deviation
        known = summary.windows + OWN_KNOWLEDGE * signal.own_windows
        most = MAX_SURPRISE * min(1.0, known / FULL_KNOWLEDGE)
        return Expectation(
            typical=expm1(mean),
            bound=expm1(mean + summary.most * deviation),
            residual=residual,
            surprise=min(most, _surprise(summary, residual)),
            own_windows=signal.own_windows,
            population_windows=round(summary.windows),
            warm=signal.own_windows >= detection.warm_windows,
        )

    def forget(self, before_day: int) -> list[str]:
        """Drop all days before one; the keys dropped."""
        gone = [key for key in self.cells if _tenant_and_day(key)[1] < before_day]
        for key in gone:
            del self.cells[key]
            self.dirty.discard(key)
        kept = {tenant: {day for day in days if day >= before_day} for tenant, days in self._days.items()}
        self._days = {tenant: days for tenant, days in kept.items() if days}
        self._summaries.clear()
        return gone

    def _summary(self, signal: Signal) -> _Summary:
        known = day_known_at(signal.time_ms)
        name = _cell_name(signal.actor_kind, signal.detector, signal.channel, signal.horizon_ms)
        summaries = self._summaries.get((signal.tenant, name))
        if summaries is None:
            if len(self._summaries) >= MAX_SUMMARIES:
                self._summaries.clear()
            summaries = self._summaries[signal.tenant, name] = {}
        summary = summaries.get(known)
        if summary is None:
            if len(summaries) > self._settings.triage.population_days:
                summaries.clear()
            summary = summaries[known] = self._summarise(signal, name, known)
        return summary

    def _summarise(self, signal: Signal, name: str, known: int) -> _Summary:
        detection = self._settings.detection
        expected = prior_mean(signal.horizon_ms, detection)
        windows = PRIOR_WINDOWS
        level = PRIOR_WINDOWS * expected
        square = PRIOR_WINDOWS * (expected * expected + detection.prior_deviation**2)
        within_windows = PRIOR_WINDOWS
        within = PRIOR_WINDOWS * PRIOR_WITHIN
        bins: dict[int, float] = {}
        residuals = 0.0
        oldest = known - self._settings.triage.population_days
        for day in sorted(day for day in self._days.get(signal.tenant, ()) if oldest < day <= known):
            cell = self.cells.get(f"{signal.tenant}|{day}|{name}")
            if cell is None:
                continue
            weight = DAILY_FADING ** (known - day)
            windows += weight * cell.windows
            level += weight * cell.level_milli / MILLI
            square += weight * cell.level_milli_squares / MILLI**2
            within_windows += weight * cell.within
            within += weight * cell.within_milli_squares / MILLI**2
            for index in sorted(cell.residuals):
                bins[index] = bins.get(index, 0.0) + weight * cell.residuals[index]
            residuals += weight * cell.windows
        tail: dict[int, float] = {}
        above = 0.0
        for index in range(HIGHEST_BIN, LOWEST_BIN - 1, -1):
            above += bins.get(index, 0.0)
            tail[index] = above
        mean = level / windows
        inner = within / within_windows
        between = max(FLOOR_VARIANCE, square / windows - mean * mean - inner)
        summary = _Summary(windows - PRIOR_WINDOWS, mean, inner, between, tail, residuals)
        summary.most = _residual_of(summary, BOUND_SURPRISE)
        return summary


def _tenant_and_day(key: str) -> tuple[str, int]:
    tenant, day, *_ = key.rsplit("|", 5)  # from the right: a tenant's name may hold anything
    return tenant, int(day)


@lru_cache(maxsize=4_096)
def _cell_name(actor_kind: ActorKind, detector: str, channel: str, horizon_ms: int) -> str:
    return f"{actor_kind.value}|{detector}|{channel}|{horizon_ms}"


def _bin(residual: float) -> int:
    return max(LOWEST_BIN, min(HIGHEST_BIN, int(residual // BIN)))


def _prior_tail(residual: float) -> float:
    """The built-in probability of a residual at least so large: half at 0, then falling by e every 0.7."""
    return 1.0 if residual <= -1.0 else min(1.0, 0.5 * 10 ** (-0.62 * residual))


def _surprise(summary: _Summary, residual: float) -> float:
    return _surprise_in(summary, _bin(residual), residual)


def _surprise_in(summary: _Summary, index: int, residual: float) -> float:
    probability = (summary.tail[index] + PRIOR_RESIDUALS * _prior_tail(residual)) / (
        summary.residuals + PRIOR_RESIDUALS
    )
    return max(0.0, min(MAX_SURPRISE, -log10(min(1.0, probability))))


def _residual_of(summary: _Summary, surprise: float) -> float:
    """The lower edge of the first bin in which surprise is at least the given one.

    The bin is asked for by its index: ``5 * BIN`` as a float lies in bin 4.
    """
    low, high = 0, HIGHEST_BIN
    while low < high:
        middle = (low + high) // 2
        if _surprise_in(summary, middle, middle * BIN) >= surprise:
            high = middle
        else:
            low = middle + 1
    return low * BIN
