"""Learns a tenant's population: levels, residuals and scores by group of peers, in figures by day.

A day's figures are whole numbers that only grow by addition, so the order in which identities' days arrive does not
matter, and a decision uses only days that every source has completed. Together this makes a decision the same in
a replay and in a stream over any number of workers.

A *residual* is how many deviations a quantity lies above its identity's expected level. Its probability comes from
the population's real residuals, not from a Gaussian, whose tails are far too thin for this (`surprise`). Everything
is counted by identity and day, like the alert budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1, log1p, sqrt

import msgspec

from detector.fleet.cell import Cell, encode, key_of, name_of, parts_of
from detector.fleet.tail import MAX_SURPRISE, bin_of, residual_of, score_surprise, surprise_of, tail_of
from detector.keyed_state import KeyedState, Prefix
from detector.prior import FLOOR_VARIANCE, prior_mean
from detector.settings import Settings
from detector.signal import Measure, Signal
from detector.units import DAY_MS, TICK_MS

__all__ = [
    "BOUND_SURPRISE",
    "SETTLE_MS",
    "Expectation",
    "Population",
    "day_known_at",
    "settled_at",
]

SETTLE_MS = 2 * TICK_MS
"""The delay before a day's figures are used, when every source has normally completed it."""

MILLI = 1000
PRIOR_WINDOWS = 15.0
"""How many days the built-in expectation is worth, until the population has its own."""
PRIOR_WITHIN = 0.4
"""The variance of one identity's own days, in squared logarithms, until the population has its own."""
VARIANCE_WEIGHT = 4.0
"""How many of an identity's own days the population's within-variance is worth."""
LEAST_OWN_DAYS = 3
"""From this many days on, an identity's spread around its own level is meaningful."""
FULL_KNOWLEDGE = 60.0
OWN_KNOWLEDGE = 8.0
"""Caps surprise in proportion to the known days of the population; the identity's own days count eightfold.
A new installation must learn before it may call anything rare."""
DAILY_FADING = 0.96
MAX_SUMMARIES = 4_000
BOUND_SURPRISE = 2.0
"""The bound is what one day in a hundred exceeds; alerts need more evidence than that."""
STEP_CELLS = 100
"""How many cells a step of `Population.forget` drops."""
MAX_VALUES = 20_000
"""How many different networks, agents or apps are counted per day."""


def day_known_at(time_ms: int) -> int:
    """The last day (days since 1970) whose figures a decision about `time_ms` may use."""
    return (time_ms - SETTLE_MS) // DAY_MS - 1


def settled_at(time_ms: int) -> int:
    """The watermark from which all that a decision about `time_ms` may know of others is complete."""
    return (time_ms - SETTLE_MS) // TICK_MS * TICK_MS + TICK_MS


class Expectation(msgspec.Struct, frozen=True):
    """The expected value of one quantity, and its distance from it."""

    typical: float
    """Rows on a usual day of this identity."""
    bound: float
    """The bound: one day in a hundred exceeds it (`BOUND_SURPRISE`)."""
    residual: float
    """Deviations above the expected level."""
    surprise: float
    """−log10 of the probability of a residual this large; at most `MAX_SURPRISE`."""
    own_days: int
    population_days: int


class _Summary(msgspec.Struct):
    """A cell over all days up to one, with more weight on newer days."""

    windows: float
    mean: float
    within: float
    """Variance of an identity's days around its own level."""
    between: float
    """Variance of the identities' levels."""
    tail: list[float]
    """From the lowest bin on: weight of the residuals in that bin or above."""
    most: float = 0.0
    """The residual of `BOUND_SURPRISE`."""


class _Histogram(msgspec.Struct):
    """A cell of scores over all days up to one."""

    windows: float
    tail: list[float]


class Population:
    """Tenants' figures by day, in cells by name; a cell's key holds its day, its tenant and its name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._days: dict[str, dict[int, dict[str, Cell]]] = {}
        self._cache: dict[tuple[str, str, int], object] = {}
        self.state = KeyedState(Prefix.CELL, encode, self._restore)

    def learn(self, signal: Signal, floor_day: int) -> int:
        """Add an identity's closed day to the day on which its closing became known.

        That is `floor_day` if it is later: a day whose figures are in use does not change. Returns the day.
        """
        day = max(signal.time_ms // DAY_MS, floor_day)
        known = day_known_at(signal.time_ms)
        for measure in signal.measures:
            self._learn_measure(signal, measure, known, day)
        self.count(signal.tenant, day, "active")
        self.count(signal.tenant, day, f"active|{signal.peers}")
        for sort, values in signal.used.items():
            cell = self._cell(signal.tenant, day, f"used|{sort}")
            counts = cell.counts
            for value in values:
                if value in counts or len(counts) < MAX_VALUES:
                    counts[value] = counts.get(value, 0) + 1
        return day

    def count(self, tenant: str, day: int, name: str, value: float | None = None) -> None:
        """Add one to a cell, and `value` to its histogram."""
        cell = self._cell(tenant, day, name)
        cell.windows += 1
        if value is not None:
            index = bin_of(value)
            cell.counts[index] = cell.counts.get(index, 0) + 1

    def count_at(self, tenant: str, day: int, name: str, index: int, more: int = 1) -> None:
        """Add to a cell and to one of its counts."""
        cell = self._cell(tenant, day, name)
        cell.windows += more
        cell.counts[index] = cell.counts.get(index, 0) + more

    def counts(self, tenant: str, day: int, name: str) -> dict[int, int]:
        """A cell's counts on one day."""
        cell = self._known(tenant, day, name)
        return {} if cell is None else cell.counts

    def known_days(self, tenant: str, known: int) -> list[int]:
        """The remembered days up to one."""
        return self._known_days(tenant, known)

    def expect(self, signal: Signal, measure: Measure) -> Expectation:
        """The expected value of a measure when it became known, and how surprising it is.

        The identity's level is its own, shrunk towards its peers', each weighted by its certainty (empirical
        Bayes; Morris, *Parametric empirical Bayes inference*, 1983): much for a newcomer, hardly at all for a
        well-known identity.
        """
        summary = self._summary(
            signal.tenant, name_of(signal.peers, measure), day_known_at(signal.time_ms), measure
        )
        mean, deviation = self._level(summary, measure)
        residual = (log1p(measure.value) - mean) / deviation
        known = summary.windows + OWN_KNOWLEDGE * measure.days
        most = MAX_SURPRISE * min(1.0, known / FULL_KNOWLEDGE)
        return Expectation(
            typical=expm1(mean),
            bound=expm1(mean + summary.most * deviation),
            residual=residual,
            surprise=min(most, surprise_of(summary.tail, summary.windows, bin_of(residual), residual)),
            own_days=measure.days,
            population_days=round(summary.windows),
        )

    def surprise(self, signal: Signal, detector: str, score: float) -> float:
        """−log10 of the share of its peers' days with a detector's score at least this high."""
        if score <= 0:
            return 0.0
        known = day_known_at(signal.time_ms)
        histogram = self._histogram(signal.tenant, f"score|{signal.peers}|{detector}", known)
        days = self.windows(signal.tenant, f"active|{signal.peers}", known)
        return score_surprise(histogram.tail, days, score)

    def days_seen(self, signal: Signal) -> int:
        """How many of its peers' days such a share is of."""
        return round(self.windows(signal.tenant, f"active|{signal.peers}", day_known_at(signal.time_ms)))

    def windows(self, tenant: str, name: str, known: int) -> float:
        """The total count of a cell up to a day, with more weight on newer days."""
        return self._histogram(tenant, name, known).windows

    def users(self, tenant: str, sort: str, value: int, known: int) -> float:
        """The share of a tenant's active identities seen with a value in the last known week."""
        seen = active = 0
        for day in self._known_days(tenant, known):
            if day <= known - 7:
                continue
            cell = self._known(tenant, day, f"used|{sort}")
            if cell is not None:
                seen = max(seen, cell.counts.get(value, 0))
            active = max(active, self._active(tenant, day))
        return seen / active if active else 0.0

    def identities(self, tenant: str, known: int) -> int:
        """The number of identities active on the busiest known day."""
        key = tenant, "identities", known
        cached = self._cache.get(key)
        if cached is None:
            days = self._known_days(tenant, known)
            cached = self._cache[key] = max((self._active(tenant, day) for day in days), default=0)
        return cached if isinstance(cached, int) else 0

    def until(self, tenant: str, day: int, name: str, end: int, bins: int) -> list[int]:
        """By bin: how many of a day's counts at places before `end` lie in that bin or above.

        A place is a tick's number × `bins` + a bin. What lies before `end` must not change any more.
        """
        key = tenant, f"{day}|{name}", end
        cached = self._cached(key)
        if isinstance(cached, list):
            return cached
        above = [0] * bins
        for place, count in self.counts(tenant, day, name).items():
            if place < end:
                above[place % bins] += count
        for index in range(bins - 2, -1, -1):
            above[index] += above[index + 1]
        self._cache[key] = above
        return above

    def forget(self, before_day: int) -> Iterator[None]:
        """Drop all days before one, in steps."""
        for tenant in list(self._days):
            days = self._days[tenant]
            for day in [day for day in days if day < before_day]:
                for number, name in enumerate(days.pop(day)):
                    self.state.drop(key_of(day, tenant, name))
                    if not number % STEP_CELLS:
                        yield
            if not days:
                del self._days[tenant]
        self._cache.clear()

    def forget_tenant(self, tenant: str) -> None:
        """Drop all days of a tenant."""
        days = self._days.pop(tenant, None)
        if days is None:
            return
        for day, cells in days.items():
            for name in cells:
                self.state.drop(key_of(day, tenant, name))
        for key in [key for key in self._cache if key[0] == tenant]:
            del self._cache[key]

    def forget_sums(self) -> None:
        """Recompute the sums on the next use: they were computed before the days were complete."""
        self._cache.clear()

    def _restore(self, key: str, data: bytes) -> None:
        """Put a saved cell back. Raises `ValueError` or msgspec's `DecodeError` for what is none."""
        day, tenant, name = parts_of(key)
        cell = msgspec.msgpack.decode(data, type=Cell)
        self._days.setdefault(tenant, {}).setdefault(day, {})[name] = cell
        self._cache.clear()

    def _active(self, tenant: str, day: int) -> int:
        cell = self._known(tenant, day, "active")
        return 0 if cell is None else cell.windows

    def _known(self, tenant: str, day: int, name: str) -> Cell | None:
        return self._days.get(tenant, {}).get(day, {}).get(name)

    def _cell(self, tenant: str, day: int, name: str) -> Cell:
        """The cell, marked as about to change."""
        cell = self._known(tenant, day, name)
        if cell is None:
            cell = Cell()
            self._days.setdefault(tenant, {}).setdefault(day, {})[name] = cell
        self.state.change(key_of(day, tenant, name), cell)
        return cell

    def _level(self, summary: _Summary, measure: Measure) -> tuple[float, float]:
        """The expected mean of ``log1p(value)``, and the deviation around it."""
        own = min(measure.days, 1 / self._settings.detection.fading)
        precision = own / summary.within + 1 / summary.between
        mean = (own * measure.mean / summary.within + summary.mean / summary.between) / precision
        spread = (own * measure.variance + VARIANCE_WEIGHT * summary.within) / (own + VARIANCE_WEIGHT)
        return mean, sqrt(spread + 1 / precision + FLOOR_VARIANCE)

    def _learn_measure(self, signal: Signal, measure: Measure, known: int, day: int) -> None:
        name = name_of(signal.peers, measure)
        mean, deviation = self._level(self._summary(signal.tenant, name, known, measure), measure)
        logarithm = log1p(measure.value)
        cell = self._cell(signal.tenant, day, name)
        milli = round(logarithm * MILLI)
        cell.windows += 1
        cell.level_milli += milli
        cell.level_milli_squares += milli * milli
        if measure.days >= LEAST_OWN_DAYS:
            away = milli - round(measure.mean * MILLI)
            cell.within += 1
            cell.within_milli_squares += away * away
        index = bin_of((logarithm - mean) / deviation)
        cell.counts[index] = cell.counts.get(index, 0) + 1

    def _known_days(self, tenant: str, known: int) -> list[int]:
        oldest = known - self._settings.triage.population_days
        return sorted(day for day in self._days.get(tenant, ()) if oldest < day <= known)

    def _cached(self, key: tuple[str, str, int]) -> object:
        cached = self._cache.get(key)
        if cached is None and len(self._cache) >= MAX_SUMMARIES:
            self._cache.clear()
        return cached

    def _histogram(self, tenant: str, name: str, known: int) -> _Histogram:
        key = tenant, name, known
        cached = self._cached(key)
        if isinstance(cached, _Histogram):
            return cached
        windows = 0.0
        bins: dict[int, float] = {}
        for day in self._known_days(tenant, known):
            cell = self._known(tenant, day, name)
            if cell is None:
                continue
            weight = DAILY_FADING ** (known - day)
            windows += weight * cell.windows
            for index in sorted(cell.counts):
                bins[index] = bins.get(index, 0.0) + weight * cell.counts[index]
        histogram = self._cache[key] = _Histogram(windows, tail_of(bins))
        return histogram

    def _summary(self, tenant: str, name: str, known: int, measure: Measure) -> _Summary:
        key = tenant, name, known
        cached = self._cached(key)
        if isinstance(cached, _Summary):
            return cached
        detection = self._settings.detection
        expected = prior_mean(measure.span, detection)
        windows = PRIOR_WINDOWS
        level = PRIOR_WINDOWS * expected
        square = PRIOR_WINDOWS * (expected * expected + detection.prior_deviation**2)
        within_windows = PRIOR_WINDOWS
        within = PRIOR_WINDOWS * PRIOR_WITHIN
        bins: dict[int, float] = {}
        for day in self._known_days(tenant, known):
            cell = self._known(tenant, day, name)
            if cell is None:
                continue
            weight = DAILY_FADING ** (known - day)
            windows += weight * cell.windows
            level += weight * cell.level_milli / MILLI
            square += weight * cell.level_milli_squares / MILLI**2
            within_windows += weight * cell.within
            within += weight * cell.within_milli_squares / MILLI**2
            for index in sorted(cell.counts):
                bins[index] = bins.get(index, 0.0) + weight * cell.counts[index]
        mean = level / windows
        inner = within / within_windows
        between = max(FLOOR_VARIANCE, square / windows - mean * mean - inner)
        summary = _Summary(windows - PRIOR_WINDOWS, mean, inner, between, tail_of(bins))
        summary.most = residual_of(summary.tail, summary.windows, BOUND_SURPRISE)
        self._cache[key] = summary
        return summary
