"""All that is kept of one identity: some hundred bytes to a few KB, versioned; nothing is elsewhere."""

from __future__ import annotations

from typing import Any

import msgspec

from detector.event import AccessEvent, ActorKind
from detector.identity.registry import DETECTORS
from detector.ledger import Ledger, count
from detector.settings import DetectionSettings
from detector.signal import Signal, SignalKind

__all__ = [
    "PROFILE_VERSION",
    "Profile",
    "ProfileError",
    "close",
    "decode",
    "encode",
    "new",
    "next_close_ms",
    "observe",
]

PROFILE_VERSION = 1
MAX_NAME = 120
"""How many characters of an actor's name are kept."""

States: Any = msgspec.defstruct(
    "States",
    [
        (name, detector.State, msgspec.field(default_factory=detector.State))
        for name, detector in DETECTORS.items()
    ],
)
"""Every detector's state under the detector's name: a new detector starts empty in old profiles, and the
state of one that is gone is dropped."""


_OBSERVERS = tuple((name, detector.observe) for name, detector in DETECTORS.items())


class ProfileError(ValueError):
    """A stored profile that cannot be read."""


class Profile(msgspec.Struct, array_like=True, kw_only=True):
    """What is known of one identity."""

    version: int = PROFILE_VERSION
    tenant: str
    actor: str
    actor_kind: ActorKind
    actor_name: str | None = None
    first_ms: int
    """Event time of the first event."""
    clock_ms: int
    """Event time of the newest event."""
    sequence: int = 0
    """How many signals have been sent."""
    duplicates: int = 0
    applied: dict[int, int] = {}
    """Source partition → offset of the last record applied. What lies at or before it is skipped, which makes
    redelivery harmless."""
    ledger: Ledger = msgspec.field(default_factory=Ledger)
    states: States = msgspec.field(default_factory=States)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Profile)


def encode(profile: Profile) -> bytes:
    """The profile as bytes."""
    return _encoder.encode(profile)


def decode(data: bytes) -> Profile:
    """The profile that `encode` made bytes of.

    Raises `ProfileError` if they are none, or of a version that this release does not know.
    """
    try:
        profile = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        version = _version(data)
        if version in (None, PROFILE_VERSION):
            raise ProfileError(f"not a profile: {error}") from error
    else:
        version = profile.version
    if version != PROFILE_VERSION:
        raise ProfileError(f"a profile of version {version}; this release reads {PROFILE_VERSION}")
    return profile


def _version(data: bytes) -> int | None:
    """The version of what cannot be read as a profile of this release, if it is one of another."""
    try:
        values = msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return values[0] if isinstance(values, list) and values and isinstance(values[0], int) else None


def new(event: AccessEvent) -> Profile:
    """The profile of an identity whose first event this is."""
    return Profile(
        tenant=event.tenant,
        actor=event.actor,
        actor_kind=event.actor_kind,
        actor_name=None if event.actor_name is None else event.actor_name[:MAX_NAME],
        first_ms=event.time_ms,
        clock_ms=event.time_ms,
    )


def observe(
    profile: Profile, event: AccessEvent, settings: DetectionSettings
) -> tuple[int | None, list[Signal]]:
    """Take one event in: count its rows once, and let every detector look.

    The rows that it added (``None`` if the event had been entered before), and the signals.
    """
    counted = count(profile.ledger, event)
    if counted is None:
        profile.duplicates += 1
        return None, []
    if event.time_ms > profile.clock_ms:
        profile.clock_ms = event.time_ms
    if event.actor_name is not None:
        profile.actor_name = event.actor_name[:MAX_NAME]
    signals: list[Signal] = []
    states = profile.states
    for name, observe_event in _OBSERVERS:
        said = observe_event(getattr(states, name), event, counted, settings)
        if said:
            signals += said
    if not signals:
        return counted.rows, signals
    if len(signals) > 1:
        signals.sort(
            key=lambda signal: signal.kind is SignalKind.CROSSED
        )  # windows that made room come first
        if signals[-1].kind is SignalKind.CROSSED:
            for signal in signals[:-1]:
                signal.more = True
    return counted.rows, _signed(profile, signals)


def close(profile: Profile, until_ms: int, settings: DetectionSettings) -> list[Signal]:
    """Close and learn what ended before `until_ms`, lateness allowed for."""
    signals: list[Signal] = []
    for name, detector in DETECTORS.items():
        signals += detector.close(getattr(profile.states, name), until_ms, settings)
    signals.sort(key=lambda signal: signal.time_ms)  # stable: detectors keep their order within a moment
    return _signed(profile, signals)


def next_close_ms(profile: Profile, settings: DetectionSettings) -> int | None:
    """The earliest event time at which `close` would do something, or ``None``."""
    dues = [
        due
        for name, detector in DETECTORS.items()
        if (due := detector.next_close_ms(getattr(profile.states, name), settings)) is not None
    ]
    return min(dues, default=None)


def _signed(profile: Profile, signals: list[Signal]) -> list[Signal]:
    tenant, actor = profile.tenant, profile.actor
    actor_kind, actor_name = profile.actor_kind, profile.actor_name
    for sequence, signal in enumerate(signals, profile.sequence + 1):
        signal.tenant, signal.actor = tenant, actor
        signal.actor_kind, signal.actor_name = actor_kind, actor_name
        signal.sequence = sequence
    profile.sequence += len(signals)
    return signals
