"""Five detectors as products and tutorials have them, over the same events, to be scored in the same way.

* *fixed rows*: so many rows in an hour, the same for everybody
* *deviations*: more than 3 standard deviations above the account's hourly rows of the trailing 14 days
* *ratio*: more than 3 times the account's mean daily rows of the trailing 14 days
* *new network*: rows taken through a network that the account began to use within the last day
* *trees*: Half-Space Trees over the population's hours (Tan, Ting and Liu, *Fast anomaly detection for streaming
  data*, 2011; river's, on logarithms within fixed limits)

Each is given its best chance: it sees what the ledger counts, it speaks while the hour goes on wherever it can,
its score ranks its findings, and one account's day is one finding. The trees score an hour when it is over.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from math import log1p, sqrt
from typing import Any

import msgspec
from river.anomaly import HalfSpaceTrees

from detector.event import AccessEvent
from detector.identity.ledger import Ledger, count
from detector.simulation.score import ScoredAlert
from detector.units import DAY_MS, HOUR_MS

__all__ = ["BaselineDetector", "BaselineDetectors"]

TRAILING_DAYS = 14
KNOWN_DAYS = 3
"""How long an account must be known before it is compared with itself."""
NEW_MS = DAY_MS
GROWTH = 1.25
"""A finding is published again when its score has grown by this factor."""
LIMIT = 3.0
"""Deviations, or times the mean, from which the two detectors that have a limit speak."""
FEW_ROWS = 20
"""Fewer rows than this in an hour, or day for the ratio, are never reported."""
_MOST_ROWS, _MOST_CALLS, _MOST_BYTES = log1p(1e6), log1p(1e4), log1p(1e10)


class BaselineDetector(StrEnum):
    """The baselines' names."""

    FIXED_ROWS = "fixed rows"
    DEVIATIONS = "deviations"
    RATIO = "ratio"
    NEW_NETWORK = "new network"
    TREES = "trees"


class _Account(msgspec.Struct):
    """What is kept of one identity."""

    ledger: Ledger
    first_ms: int
    hour: int = -1
    day: int = -1
    hour_rows: int = 0
    day_rows: int = 0
    new_rows: int = 0
    calls: int = 0
    bytes_out: int = 0
    hours: deque[tuple[int, int]] = msgspec.field(default_factory=deque)
    """The trailing days' hours with rows: (hour, rows)."""
    hours_sum: float = 0.0
    hours_squares: float = 0.0
    days: deque[tuple[int, int]] = msgspec.field(default_factory=deque)
    networks: dict[str, int] = {}
    """Network → when it was first used."""


class BaselineDetectors:
    """All five over one run of events in the order of their time.

    >>> from detector.event import ActorKind, Operation
    >>> five = BaselineDetectors(seed=1)
    >>> five.observe(AccessEvent(time_ms=0, event_id="a", tenant="t", actor="u", rows=700,
    ...                          actor_kind=ActorKind.HUMAN, operation=Operation.QUERY))
    >>> five.finish()[BaselineDetector.FIXED_ROWS]
    [ScoredAlert(uid='fixed rows:t/u:0', time_ms=0, risk=700.0, identities=('t/u',), networks=())]
    """

    def __init__(self, seed: int) -> None:
        self._accounts: dict[str, _Account] = {}
        self._active: dict[str, None] = {}
        self._hour = -1
        self._best: dict[str, float] = {}
        self._found: dict[BaselineDetector, list[ScoredAlert]] = {
            baseline: [] for baseline in BaselineDetector
        }
        names = ("rows", "calls", "bytes", "new", "hour")
        self._trees: Any = HalfSpaceTrees(
            n_trees=25, height=8, window_size=500, limits=dict.fromkeys(names, (0.0, 1.0)), seed=seed
        )

    def observe(self, event: AccessEvent) -> None:
        """Take in an event, whose time is not before that of the last one."""
        hour = event.time_ms // HOUR_MS
        if hour != self._hour:
            self._close(hour)
        name = event.identity
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = _Account(Ledger(recent={}, operations={}), event.time_ms)
        counted = count(account.ledger, event)
        if counted is None:
            return
        if account.hour != hour:
            account.hour, account.hour_rows, account.new_rows = hour, 0, 0
            account.calls = account.bytes_out = 0
        if account.day != hour // 24:
            account.day, account.day_rows = hour // 24, 0
        self._active[name] = None
        account.calls += 1
        account.bytes_out += event.bytes_out or 0
        new = self._is_new(account, event)
        if counted.rows:
            account.hour_rows += counted.rows
            account.day_rows += counted.rows
            if new:
                account.new_rows += counted.rows
            self._judge(name, account, event)

    def finish(self) -> dict[BaselineDetector, list[ScoredAlert]]:
        """What each has found."""
        self._close(self._hour + 1)
        return self._found

    def _is_new(self, account: _Account, event: AccessEvent) -> bool:
        if event.ip is None:
            return False
        network = event.ip.rpartition("." if "." in event.ip else ":")[0]
        first_ms = account.networks.setdefault(network, event.time_ms)
        known_ms = event.time_ms - account.first_ms
        return known_ms >= KNOWN_DAYS * DAY_MS and event.time_ms - first_ms < NEW_MS

    def _judge(self, name: str, account: _Account, event: AccessEvent) -> None:
        time_ms, hour = event.time_ms, event.time_ms // HOUR_MS
        rows = account.hour_rows
        if max(rows, account.day_rows) < FEW_ROWS:
            return
        self._publish(BaselineDetector.FIXED_ROWS, name, time_ms, rows)
        if account.new_rows:
            self._publish(BaselineDetector.NEW_NETWORK, name, time_ms, account.new_rows)
        known_ms = time_ms - account.first_ms
        if known_ms < KNOWN_DAYS * DAY_MS:
            return
        self._forget(account, hour)
        if rows >= FEW_ROWS:
            hours = min(TRAILING_DAYS * 24, known_ms // HOUR_MS)
            mean = account.hours_sum / hours
            deviation = sqrt(max(1.0, account.hours_squares / hours - mean * mean))
            score = (rows - mean) / deviation
            if score > LIMIT:
                self._publish(BaselineDetector.DEVIATIONS, name, time_ms, score)
        days = min(TRAILING_DAYS, known_ms // DAY_MS)
        usual = sum(rows for day, rows in account.days if day < hour // 24) / days
        score = account.day_rows / max(1.0, usual)
        if score > LIMIT:
            self._publish(BaselineDetector.RATIO, name, time_ms, score)

    def _forget(self, account: _Account, hour: int) -> None:
        while account.hours and account.hours[0][0] < hour - TRAILING_DAYS * 24:
            rows = account.hours.popleft()[1]
            account.hours_sum -= rows
            account.hours_squares -= rows * rows
        while account.days and account.days[0][0] < hour // 24 - TRAILING_DAYS:
            account.days.popleft()

    def _close(self, hour: int) -> None:
        """The hours before this one are over."""
        for name in self._active:
            account = self._accounts[name]
            features = {
                "rows": min(1.0, log1p(account.hour_rows) / _MOST_ROWS),
                "calls": min(1.0, log1p(account.calls) / _MOST_CALLS),
                "bytes": min(1.0, log1p(account.bytes_out) / _MOST_BYTES),
                "new": min(1.0, log1p(account.new_rows) / _MOST_ROWS),
                "hour": account.hour % 24 / 24,
            }
            score = float(self._trees.score_one(features))
            self._trees.learn_one(features)
            if account.hour_rows >= FEW_ROWS and score > 0:
                self._publish(BaselineDetector.TREES, name, (account.hour + 1) * HOUR_MS, score)
            if account.hour_rows:
                account.hours.append((account.hour, account.hour_rows))
                account.hours_sum += account.hour_rows
                account.hours_squares += account.hour_rows * account.hour_rows
                if account.days and account.days[-1][0] == account.day:
                    account.days.pop()  # the same day's earlier hours
                account.days.append((account.day, account.day_rows))
        self._active.clear()
        self._hour = hour

    def _publish(self, baseline: BaselineDetector, name: str, time_ms: int, score: float) -> None:
        uid = f"{baseline.value}:{name}:{time_ms // DAY_MS}"
        best = self._best.get(uid)
        if best is None or score > best * GROWTH:
            self._best[uid] = score
            self._found[baseline].append(ScoredAlert(uid, time_ms, float(score), (name,)))
