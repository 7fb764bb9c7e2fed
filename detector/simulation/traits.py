"""What distinguishes one company from another: size, places, habits, programs and the quality of its log.

A varied world draws each trait from its range by the seed alone, so that two worlds differ in more than their dice.
"""

from __future__ import annotations

from math import exp, log
from random import Random

import msgspec

from detector.simulation.distributions import stream

__all__ = ["ORDINARY", "RANGES", "ROLE_SHARES", "CompanyTraits", "TraitRange", "draw_traits"]

ROLE_SHARES = (0.54, 0.06, 0.18, 0.05, 0.06, 0.08, 0.03)
"""Agents, supervisors, sales, analysts, marketing, back office, administrators."""
_ZONES = (-8, -6, -5, -3, 0, 1, 2, 3, 5, 8, 10)
MOST_OFFICES = 6


class CompanyTraits(msgspec.Struct, frozen=True, kw_only=True):
    """A company's traits; the defaults are an ordinary one's."""

    people: int = 250
    role_shares: tuple[float, ...] = ROLE_SHARES
    """Shares of the roles, in the order of `ROLE_SHARES`."""
    offices: tuple[tuple[int, float], ...] = ((1, 0.42), (0, 0.2), (-5, 0.14), (8, 0.16), (5, 0.08))
    """For each office its hours ahead of UTC and its share of the people."""
    home_share: float = 0.24
    """Mean share of days that a person works from home."""
    lease_change: float = 0.02
    """Chance a day that a home has another address."""
    mobile: float = 0.008
    """Chance that a person works a day through a mobile network."""
    journeys: float = 0.004
    """Chance a day that a person sets out on a journey of some days."""
    vpn_share: float = 0.04
    """Share of the people who use a VPN of their own at home."""
    vpn_exit_days: int = 2
    """Days for which such a VPN keeps an exit."""
    mistyped: float = 0.03
    """Chance a day that a person mistypes the password."""
    second_factor: float = 0.0
    """Chance that a sign-in from outside the offices is challenged for a second factor."""
    sprays: int = 1
    """How many times somebody outside tries passwords on many accounts, in vain."""
    report_rows: float = 1.0
    """Factor on the rows of reports."""
    report_spread: float = 0.9
    """Deviation of the natural logarithm of a person's report sizes."""
    exports: float = 1.0
    """Factor on the share of reports that are exported."""
    large_reports: float = 0.001
    """Chance a day that an analyst, marketer, supervisor or salesperson runs one enormous report."""
    month_end: float = 1.4
    """Factor on the number of reports on the last two days of a month."""
    quarter_end: float = 3.2
    """Factor on the number of reports at the quarter's end."""
    busy_spread: float = 0.22
    """Deviation of the natural logarithm of a person's tasks a day."""
    odd_days: float = 1.0
    """Factor on the chances of occasional oddities."""
    night_travel: float = 0.3
    """Journeys with night work from a hotel, a week for 100 people."""
    on_call: float = 1.0
    """Nights a week in which somebody is called out."""
    programs: int = 13
    """Number of integrations."""
    program_pace: float = 1.0
    """Factor on the time between integrations' calls."""
    program_spread: float = 0.3
    """Deviation of the natural logarithm of the integrations' typical rows."""
    releases: float = 0.0
    """Chance a week that an integration's agent has a new version."""
    upgrades: int = 1
    """Integrations that move to another network with another agent."""
    backfills: int = 1
    """Times that an integration reads again what it has already read."""
    illness: float = 0.025
    """Chance a day to be ill."""
    holidays: float = 0.3
    """Share of the people who are on holiday within six weeks."""
    public_holidays: float = 0.03
    """Share of the weekdays that are public holidays at an office."""
    long_leaves: float = 0.01
    """Share of the people who return from a leave of weeks."""
    joiners: float = 0.04
    quitters: float = 0.03
    """Shares of the people who join and who leave."""
    burst_chance: float = 0.86
    """Chance of each planned burst."""
    portals: int = 3
    """Public sites."""
    directory: float = 1.0
    """Share of the people and programs that are in the directory."""
    late: float = 0.012
    """Share of the hours' files that arrive late."""
    late_hours: int = 7
    """They arrive fewer than so many hours late."""
    missing: float = 0.0015
    """Share of the hours' files that never arrive."""
    split: float = 0.02
    """Share of the hours' files in two parts."""
    duplicated: float = 3e-4
    """Share of the records written twice."""
    malformed: float = 1e-4
    """Share of the records that break off."""


ORDINARY = CompanyTraits()


class TraitRange(msgspec.Struct, frozen=True):
    """The range that a trait is drawn from, both ends included; `log` draws evenly in its logarithm."""

    low: float
    high: float
    log: bool = False

    def draw(self, random: Random) -> float:
        """One value.

        >>> TraitRange(2, 2, log=True).draw(Random(1))
        2.0
        """
        share = random.random()
        if self.log:
            return float(min(self.high, exp(log(self.low) + share * log(self.high / self.low))))
        return self.low + share * (self.high - self.low)


RANGES: dict[str, TraitRange] = {
    "people": TraitRange(80, 600, log=True),
    "home_share": TraitRange(0.02, 0.8),
    "lease_change": TraitRange(0.003, 0.15, log=True),
    "mobile": TraitRange(0.002, 0.08, log=True),
    "journeys": TraitRange(0.0005, 0.012, log=True),
    "vpn_share": TraitRange(0, 0.35),
    "vpn_exit_days": TraitRange(1, 7),
    "mistyped": TraitRange(0.008, 0.08, log=True),
    "second_factor": TraitRange(0, 1),
    "sprays": TraitRange(0, 6),
    "report_rows": TraitRange(0.3, 4, log=True),
    "report_spread": TraitRange(0.6, 1.3),
    "exports": TraitRange(0.3, 2.5, log=True),
    "large_reports": TraitRange(0.0002, 0.006, log=True),
    "month_end": TraitRange(1, 3),
    "quarter_end": TraitRange(1.3, 5),
    "busy_spread": TraitRange(0.12, 0.4),
    "odd_days": TraitRange(0.3, 2.5, log=True),
    "night_travel": TraitRange(0, 1.2),
    "on_call": TraitRange(0, 4),
    "programs": TraitRange(5, 24),
    "program_pace": TraitRange(0.6, 2.5, log=True),
    "program_spread": TraitRange(0.2, 0.9),
    "releases": TraitRange(0, 0.3),
    "upgrades": TraitRange(0, 4),
    "backfills": TraitRange(0, 4),
    "illness": TraitRange(0.01, 0.06, log=True),
    "holidays": TraitRange(0.1, 0.6),
    "public_holidays": TraitRange(0.01, 0.06),
    "long_leaves": TraitRange(0, 0.04),
    "joiners": TraitRange(0.01, 0.1),
    "quitters": TraitRange(0.01, 0.08),
    "burst_chance": TraitRange(0.4, 1),
    "portals": TraitRange(1, 3),
    "directory": TraitRange(0.6, 1),
    "late": TraitRange(0.003, 0.05, log=True),
    "late_hours": TraitRange(5, 20),
    "missing": TraitRange(0.0005, 0.006, log=True),
    "split": TraitRange(0.003, 0.05, log=True),
    "duplicated": TraitRange(1e-4, 2e-3, log=True),
    "malformed": TraitRange(4e-5, 4e-4, log=True),
}
"""The range of each trait but `role_shares` and `offices`."""


def draw_traits(seed: int) -> CompanyTraits:
    """A company's traits from its seed; each is drawn from a stream of its own.

    >>> draw_traits(3) == draw_traits(3) != draw_traits(4)
    True
    """
    drawn: dict[str, object] = {}
    for name, reach in RANGES.items():
        value = reach.draw(stream(seed, "trait", name))
        drawn[name] = round(value) if isinstance(getattr(ORDINARY, name), int) else value
    random = stream(seed, "trait", "roles")
    shares = [share * random.lognormvariate(0, 0.45) for share in ROLE_SHARES]
    drawn["role_shares"] = tuple(share / sum(shares) for share in shares)
    random = stream(seed, "trait", "offices")
    weights = [random.uniform(0.2, 1) for _ in range(random.randrange(1, MOST_OFFICES + 1))]
    zones = random.sample(_ZONES, len(weights))
    drawn["offices"] = tuple(
        (zone, weight / sum(weights)) for zone, weight in zip(zones, weights, strict=True)
    )
    return msgspec.structs.replace(ORDINARY, **drawn)
