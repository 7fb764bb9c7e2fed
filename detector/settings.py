"""The detector's settings, in one frozen value, with defaults and units.

`streams.config` reads the file, the environment and the flags; this module only defines the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from detector.actor_pattern import matches
from detector.decision import Decision
from detector.directory_entry import DirectoryEntry
from detector.prefix import prefix_of

__all__ = [
    "SEVERITIES",
    "Announced",
    "DetectionSettings",
    "Indicator",
    "Settings",
    "SeverityTable",
    "TriageSettings",
]


Seconds = Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Identities = Annotated[int, msgspec.Meta(ge=100, le=10_000_000)]
Rows = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Surprise = Annotated[float, msgspec.Meta(ge=0, le=100)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Factor = Annotated[float, msgspec.Meta(gt=1, le=1e6)]
Weight = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
Deviations = Annotated[float, msgspec.Meta(ge=0, le=100)]
Deviation = Annotated[float, msgspec.Meta(gt=0, le=10)]
Risk = Annotated[int, msgspec.Meta(ge=0, le=100)]
Budget = Annotated[float, msgspec.Meta(gt=0, le=100_000)]


class Indicator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A known-bad address, network, agent or app."""

    name: str
    """Whose it is, or where that is documented."""
    score: Surprise = 3.0
    """The weight of a match, in -log10 of a probability."""
    from_ms: int = 0
    until_ms: int = 1 << 53
    """Period of validity in event time, in milliseconds since 1970 UTC."""

    def __post_init__(self) -> None:
        """Raises ValueError if it is never valid."""
        _check_window(self.from_ms, self.until_ms)

    def valid_at(self, time_ms: int) -> bool:
        """Whether it is valid at an event time.

        >>> Indicator(name="leaked token", until_ms=1000).valid_at(2000)
        False
        """
        return self.from_ms <= time_ms < self.until_ms


class Announced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An announced window of unusual volume: a migration, a quarter's end."""

    reason: str
    from_ms: int
    until_ms: int
    """Event time, in milliseconds since 1970 UTC."""
    identities: tuple[str, ...] = ("*",)
    """Actors' ids, names or mail addresses, or patterns of them (``0054R9*``)."""

    def __post_init__(self) -> None:
        """Raises ValueError if the window is empty."""
        _check_window(self.from_ms, self.until_ms)

    def covers(self, actor: str, time_ms: int) -> bool:
        """Whether it covers this actor at this event time.

        >>> Announced(reason="migration", from_ms=0, until_ms=9, identities=("sync*",)).covers("sync-1", 5)
        True
        """
        return self.overlaps((actor,), time_ms, time_ms)

    def overlaps(self, terms: Sequence[str], first_ms: int, last_ms: int) -> bool:
        """Whether it covers an actor at any event time from the first to the last; `terms` are what it is known by."""
        return (
            first_ms < self.until_ms
            and last_ms >= self.from_ms
            and any(matches(pattern, terms) for pattern in self.identities)
        )


class DetectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings for what is unusual for one identity."""

    late_seconds: Seconds = 3600
    """How long a day stays open for late events after it ends. Learning waits as long; alerts do not."""
    bound_deviations: Deviations = 1.6
    """How many deviations above its own baseline an identity must be to raise a signal."""
    growth: Factor = 1.5
    """A signal is raised again when its value has grown by this factor."""
    fading: Share = 0.05
    """The weight of the newest day in an identity's baseline once it is warm (1/fading days)."""
    warm_days: Count = 8
    """How many active days an identity needs before its own baseline counts as warm."""
    cold_days: Count = 4
    """How many active days an identity needs before anything about it counts as new."""
    forget_days: Count = 400
    """After this many days without an event an identity is forgotten, and treated as new if it returns."""
    most_identities: Identities = 100_000
    """How many identities a worker knows in each partition; newcomers are evicted first, then the longest idle."""
    prior_weight: Weight = 3.0
    """How many of an identity's own days the prior is worth."""
    prior_rows_hour: Rows = 40.0
    """The rows expected of an unknown identity in its fullest hour."""
    prior_rows_day: Rows = 120.0
    """The rows expected of an unknown identity in a day."""
    prior_deviation: Deviation = 1.2
    """The deviation expected of an unknown identity, in natural logarithms of rows."""
    peers: dict[str, tuple[str, ...]] = {}
    """Groups of identities that are compared with one another: name, and actors' ids, names or mail addresses, or
    patterns of them. An identity in no group is compared with those of its peer group or department in the directory,
    or else with all of its kind (humans, integrations, guests)."""
    indicators: dict[str, Indicator] = {}
    """Known-bad addresses, networks of any size (``192.0.2.0/24``, ``2001:db8:7::/48``), user agents or their families,
    and apps."""

    def __post_init__(self) -> None:
        """Raises ValueError for an indicator that no event can match."""
        for value in self.indicators:
            prefix_of(value)


SEVERITIES = ("informational", "low", "medium", "high", "critical")
Level = Literal["informational", "low", "medium", "high", "critical"]


class SeverityTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which severity a risk and an impact make together."""

    risks: tuple[Risk, ...] = (30, 60, 85)
    """Where the second and each further row begins: the probability of theft, in percent."""
    impacts: tuple[Risk, ...] = (60, 80)
    """Where the second and each further column begins: how bad it would be, 0-100."""
    levels: tuple[tuple[Level, ...], ...] = (
        ("informational", "informational", "low"),
        ("low", "low", "medium"),
        ("low", "medium", "high"),
        ("medium", "high", "critical"),
    )
    """The severities, a row for each range of risk, a column for each range of impact."""

    def __post_init__(self) -> None:
        """Raises ValueError for a table of another size, or limits that do not rise."""
        if sorted(set(self.risks)) != [*self.risks] or sorted(set(self.impacts)) != [*self.impacts]:
            raise ValueError("the limits of risks and of impacts must rise")
        if {len(row) for row in self.levels} != {len(self.impacts) + 1} or len(self.levels) != len(
            self.risks
        ) + 1:
            raise ValueError(
                f"levels must have {len(self.risks) + 1} rows of {len(self.impacts) + 1}, "
                "one more than there are limits"
            )


class TriageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings for what is worth an analyst's attention."""

    alert_budget: Budget = 10.0
    """How many alerts a day per 1,000 identities the SOC can look at; the threshold follows from it."""
    alert_risk: Risk = 45
    """The risk (probability of theft in percent) from which incidents are raised until enough is known to follow the
    budget."""
    least_risk: Risk = 15
    """Incidents of less risk are never raised, however few alerts there are."""
    certain_risk: Risk = 95
    """Incidents of this risk or more are always raised, however many alerts there are."""
    severity: SeverityTable = SeverityTable()
    """Which severity a risk and an impact make together."""
    support_surprise: Surprise = 1.0
    """The surprise from which a signal counts towards an incident."""
    half_life_seconds: Seconds = 48 * 3600
    """Half-life of evidence, in event time."""
    quiet_seconds: Seconds = 36 * 3600
    """An incident closes after this much event time without new signals."""
    update_growth: Factor = 1.5
    """An incident is published again when its rows have grown by this factor, or its severity has risen."""
    most_tenants: Count = 1_000
    """How many tenants one partition's triage knows. A further one displaces the one that has been active least, unless
    all are yours or established; then signals about it are dropped and counted."""
    own_tenants: tuple[str, ...] = ()
    """Your own tenants (ids of your orgs): they always have room."""
    population_days: Count = 28
    """For how many closed days the population is remembered."""
    evidence_events: Count = 10
    """How many events an incident keeps as evidence."""
    announced: tuple[Announced, ...] = ()
    """Windows in which unusual volume is expected: it is neither alerted on nor learned."""
    expected_rows: dict[str, Rows] = {}
    """Actors' ids, names or mail addresses (or patterns), and the rows a day up to which their volume is never
    unusual."""
    own_networks: tuple[str, ...] = ()
    """Your own networks (``203.0.113.0/24``): activity from them is never new."""
    longest_mute_days: Count = 90
    """Mutes and expectations that last longer are cut to so many days after they were decided."""
    decisions: tuple[Decision, ...] = ()
    """Operators' decisions about incidents and identities. The worker reads more of them from the feedback topic."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of the detector."""

    detection: DetectionSettings = DetectionSettings()
    triage: TriageSettings = TriageSettings()
    directory: tuple[DirectoryEntry, ...] = ()
    """Who is who, of the files in `directory.files`."""


def _check_window(from_ms: int, until_ms: int) -> None:
    if from_ms >= until_ms:
        raise ValueError(f"from_ms must be before until_ms, but {from_ms} is not before {until_ms}")
