"""Rows that leave now, by category of data, against what is normal at this time of day."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from statistics import median

import msgspec

from detector.catalogue import SENSITIVITY, Category
from detector.units import DAY_MS, HOUR_MS, TICK_MS

__all__ = ["CategoryHour", "Outflow", "outflow"]

DAYS = 28
ENOUGH_DAYS = 5
"""On fewer days before, nothing is called normal."""
LEAST_ROWS = 100
"""Fewer rows than this are never above normal."""
ABOVE = 1.2
"""More than the most before by this factor is above normal."""


class CategoryHour(msgspec.Struct, frozen=True):
    """One category's hour, and the same hour on days before."""

    category: str
    rows: int
    """In the newest hour."""
    usual: int | None
    """The median of the same hour before; ``None`` while too few are known."""
    most: int | None
    """The most of them."""
    days: int

    @property
    def above(self) -> bool:
        """Whether it is more than it ever was in these days."""
        return self.most is not None and self.rows >= LEAST_ROWS and self.rows > ABOVE * self.most


class Outflow(msgspec.Struct, frozen=True):
    """The newest hour."""

    end_ms: int | None
    """Its end; ``None`` if no tick has been published."""
    categories: tuple[CategoryHour, ...]
    hours: tuple[int, ...]
    """Rows by hour of the last day, the newest last."""


def outflow(db: sqlite3.Connection) -> Outflow:
    """The newest hour beside the same hour of the 28 days before: of workdays, or of weekends, as it is one."""
    newest, first_ms = db.execute(
        "SELECT (SELECT max(start_ms) FROM arrivals), (SELECT min(start_ms) FROM arrivals)"
    ).fetchone()
    if newest is None:
        return Outflow(None, (), ())
    end_ms = newest + TICK_MS
    by_day: dict[int, dict[str, int]] = defaultdict(dict)
    rows = db.execute(
        "SELECT (:end - 1 - start_ms) / :day AS ago, category, sum(rows) AS rows FROM ticks"
        " WHERE start_ms >= :end - :span AND (:end - 1 - start_ms) % :day < :hour GROUP BY ago, category",
        {"end": end_ms, "day": DAY_MS, "hour": HOUR_MS, "span": DAYS * DAY_MS + HOUR_MS},
    )
    for ago, category, count in rows:
        by_day[ago][category] = count
    now = by_day.get(0, {})
    known = [ago for ago in range(1, DAYS + 1) if end_ms - HOUR_MS - ago * DAY_MS >= first_ms]
    alike = [ago for ago in known if _weekend(end_ms - ago * DAY_MS) is _weekend(end_ms)]
    before = alike if len(alike) >= ENOUGH_DAYS else known
    known_categories = [kind.value for kind in Category]
    others = sorted({category for counts in by_day.values() for category in counts} - set(known_categories))
    hours = []
    for name in (*known_categories, *others):
        counts = [by_day.get(ago, {}).get(name, 0) for ago in before]
        enough = len(counts) >= ENOUGH_DAYS
        hours.append(
            CategoryHour(
                name,
                now.get(name, 0),
                round(median(counts)) if enough else None,
                max(counts) if enough else None,
                len(counts),
            )
        )
    hours.sort(key=lambda hour: (-hour.rows, -_sensitivity(hour.category)))
    return Outflow(end_ms, tuple(hours), _hours(db, end_ms))


def _hours(db: sqlite3.Connection, end_ms: int) -> tuple[int, ...]:
    rows = dict(
        db.execute(
            "SELECT (:end - 1 - start_ms) / :hour, sum(rows) FROM ticks WHERE start_ms >= :end - 24 * :hour GROUP BY 1",
            {"end": end_ms, "hour": HOUR_MS},
        ).fetchall()
    )
    return tuple(rows.get(ago, 0) for ago in reversed(range(24)))


def _sensitivity(category: str) -> float:
    return SENSITIVITY[Category(category)] if category in set(Category) else 0.5


def _weekend(end_ms: int) -> bool:
    return ((end_ms - 1) // DAY_MS + 3) % 7 >= 5
