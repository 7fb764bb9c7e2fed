"""Everything an operator may set for the detector, in one frozen value, with its default and its unit.

The file, the environment and the flags are read at the edge (`streams.config`); here is only what they may
say.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import Annotated

import msgspec

from detector.decision import Decision
from detector.event import ActorKind

__all__ = ["Announced", "DetectionSettings", "Indicator", "Settings", "TriageSettings", "peers_of"]


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
    """Whose it is, or where that is said."""
    score: Surprise = 3.0
    """What meeting it counts for, in -log10 of a probability."""
    from_ms: int = 0
    until_ms: int = 1 << 53
    """Event time, in milliseconds since 1970 UTC, within which it holds."""

    def __post_init__(self) -> None:
        """Raises ValueError if it never holds."""
        _check_window(self.from_ms, self.until_ms)

    def valid_at(self, time_ms: int) -> bool:
        """Whether it holds at an event time.

        >>> Indicator(name="leaked token", until_ms=1000).valid_at(2000)
        False
        """
        return self.from_ms <= time_ms < self.until_ms


class Announced(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A window in which unusual volume was announced: a migration, a quarter's end."""

    reason: str
    from_ms: int
    until_ms: int
    """Event time, in milliseconds since 1970 UTC."""
    identities: tuple[str, ...] = ("*",)
    """Actors' ids, or patterns of them (``0054R9*``)."""

    def __post_init__(self) -> None:
        """Raises ValueError if it is about no moment."""
        _check_window(self.from_ms, self.until_ms)

    def covers(self, actor: str, time_ms: int) -> bool:
        """Whether it is about this actor at this event time.

        >>> Announced(reason="migration", from_ms=0, until_ms=9, identities=("sync*",)).covers("sync-1", 5)
        True
        """
        return self.overlaps(actor, time_ms, time_ms)

    def overlaps(self, actor: str, first_ms: int, last_ms: int) -> bool:
        """Whether it is about this actor at any event time from the first to the last."""
        return (
            first_ms < self.until_ms
            and last_ms >= self.from_ms
            and any(fnmatchcase(actor, pattern) for pattern in self.identities)
        )


class DetectionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides whether something is unusual for one identity."""

    late_seconds: Seconds = 3600
    """How long a day stays open for late events after it ended. Learning waits as long; alerts do not."""
    bound_deviations: Deviations = 1.6
    """How many deviations above its own level an identity must be before a signal is raised."""
    growth: Factor = 1.5
    """What was reported is reported again when it has grown by this factor."""
    fading: Share = 0.05
    """The weight of the newest day in an identity's level once it is warm (1/fading days)."""
    warm_days: Count = 8
    """How many active days of its own an identity needs before its own level is called warm."""
    cold_days: Count = 4
    """How many active days an identity needs before anything about it is called new."""
    forget_days: Count = 400
    """After how many days without an event an identity is known no longer, and is new should it return."""
    most_identities: Identities = 100_000
    """How many identities a worker knows in each partition; beyond them newcomers go first, then the longest idle."""
    prior_weight: Weight = 3.0
    """How many days of its own the prior counts for."""
    prior_rows_hour: Rows = 40.0
    """The rows in its fullest hour expected of an identity that nothing is known of."""
    prior_rows_day: Rows = 120.0
    """The rows a day expected of an identity that nothing is known of."""
    prior_deviation: Deviation = 1.2
    """The deviation, in natural logarithms of rows, expected of an identity that nothing is known of."""
    peers: dict[str, tuple[str, ...]] = {}
    """Groups of identities that are compared with one another: name, and actors' ids or patterns of them. Who
    is in none is compared with all of its kind (humans, integrations, guests)."""
    indicators: dict[str, Indicator] = {}
    """Known-bad addresses, networks (``192.0.2.0/24``, ``2001:db8:7::/48``), user agents or their families, and
    apps."""

    def __post_init__(self) -> None:
        """Raises ValueError for an indicator that nothing can carry."""
        for value in self.indicators:
            _check_network(value)


class TriageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides whether a signal is worth a human."""

    alert_budget: Budget = 10.0
    """How many alerts a day per 1,000 identities a SOC can look at; the threshold follows from it."""
    alert_risk: Risk = 45
    """The risk (0-100) from which an incident is raised until enough is known to follow the budget."""
    least_risk: Risk = 15
    """The risk below which nothing is raised, however few alerts there are."""
    certain_risk: Risk = 75
    """The risk from which an alert always goes out, however many there are."""
    support_surprise: Surprise = 1.0
    """The surprise from which a signal counts towards an incident."""
    half_life_seconds: Seconds = 48 * 3600
    """Evidence counts half after so much event time."""
    quiet_seconds: Seconds = 36 * 3600
    """An incident closes after this much event time without anything new in it."""
    update_growth: Factor = 2.0
    """An incident is published again when its rows have grown by this factor, or its severity has risen."""
    most_tenants: Count = 1_000
    """How many tenants one partition's triage knows; signals about further ones are refused and counted."""
    population_days: Count = 28
    """How many closed days the population is remembered for."""
    evidence_events: Count = 10
    """How many events an incident keeps as evidence."""
    announced: tuple[Announced, ...] = ()
    """Windows in which unusual volume is expected: it is neither alerted on nor learned."""
    expected_rows: dict[str, Rows] = {}
    """Actors' ids (or patterns), and the rows a day up to which none of their volume is unusual."""
    own_networks: tuple[str, ...] = ()
    """Networks known as one's own (``203.0.113.0/24``): to be seen there is never new."""
    decisions: tuple[Decision, ...] = ()
    """Operators' decisions about incidents and identities. The worker reads more of them from the feedback topic."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of the detector's settings."""

    detection: DetectionSettings = DetectionSettings()
    triage: TriageSettings = TriageSettings()


def _check_window(from_ms: int, until_ms: int) -> None:
    if from_ms >= until_ms:
        raise ValueError(f"from_ms must lie before until_ms, {from_ms} is not before {until_ms}")


def _check_network(value: str) -> None:
    """Networks are known by their /24 or /48: an event's address is looked up in no other."""
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        return  # an agent or an app
    bits = 24 if network.version == 4 else 48
    if "/" in value and (network.prefixlen != bits or str(network) != value):
        right = network.supernet(new_prefix=bits) if network.prefixlen >= bits else f"each /{bits} in it"
        raise ValueError(f"an indicator's network must be a /{bits}: instead of {value} give {right}")


def peers_of(settings: DetectionSettings, actor: str, actor_kind: ActorKind) -> str:
    """The group that an actor is compared with: the first one given that names it, or its kind.

    >>> peers_of(DetectionSettings(peers={"analysts": ("0057*",)}), "00571", ActorKind.HUMAN)
    'analysts'
    """
    for group, patterns in settings.peers.items():
        if any(fnmatchcase(actor, pattern) for pattern in patterns):
            return group
    return actor_kind.value
