"""All that is kept of one identity: some hundred bytes to a few KB, versioned; nothing is elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

import msgspec

from detector.catalogue import PERSONAL_SENSITIVITY, gravest, sensitivity
from detector.directory import NOBODY, Directory, peers_of
from detector.errors import CrmwatchError
from detector.event import AccessEvent, ActorKind, Operation
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.detectors.registry import DETECTORS
from detector.identity.ledger import Ledger, count
from detector.identity.objects import cut
from detector.identity.observation import ClosedDay, Observation
from detector.settings import DetectionSettings, Indicator
from detector.signal import Measure, Signal, SignalKind
from detector.units import DAY_MS, HOUR_MS

__all__ = [
    "NOTHING_APPLIED",
    "PROFILES",
    "PROFILE_VERSION",
    "Profile",
    "ProfileError",
    "ProfileModel",
    "with_moved_sources",
]

PROFILE_VERSION = 2
NOTHING_APPLIED = -(1 << 62)
"""Before the first offset of a source, and of what lay before a topic that was restored."""
MAX_NAME = 120
"""How many bytes of an actor's name are kept."""
MAX_BYTES = 4_096
"""No profile is larger, whatever is in the log."""
HEAD_BYTES = 300
"""Of these, what is left for names and offsets."""
SPARE_BYTES = 300
"""Of these, what numbers may grow by until its size is looked at again."""
ROOMY_BYTES = 3_500
"""When it has grown too large, things are given up until it is as small as this."""
ENTRY_BYTES = 64
LARGE_ROWS = 1 << 16
"""Rows that make the numbers themselves grow."""
SIGNALS_A_DAY = 1 << 20
"""More than any identity sends."""
MAX_OPEN_DAYS = 3
"""How many days are open at once; times all over the calendar close the first of them early."""


class ProfileError(CrmwatchError, ValueError):
    """A stored profile that cannot be read."""


class Profile(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """What is known of one identity."""

    version: int = PROFILE_VERSION
    tenant: str
    actor: str
    actor_kind: ActorKind
    actor_name: str | None = None
    first_ms: int
    """Event time of the first event that its levels may know of."""
    clock_ms: int
    """Event time of the newest event."""
    known_days: int = 0
    """How many active days have been learned."""
    learned_day: int = -1
    """The newest of them, in days since 1970 UTC; what comes for it or before is late."""
    open_days: list[int] = []
    """Days with events that are not over yet, earliest first."""
    sequence: int = 0
    """The number of the last signal sent. It begins with the first day, so that whoever comes back after having been
    forgotten goes on above what was sent then."""
    duplicates: int = 0
    applied: dict[int, int] = {}
    """Source partition → offset of the last record applied. What lies at or before it is skipped, which makes
    redelivery harmless. Offsets are below zero for records that a restored topic does not hold."""
    ledger: Ledger = msgspec.field(default_factory=Ledger)
    room: int = 0
    """How many more entries of `ENTRY_BYTES` fit in before its size is looked at again."""
    states: Any = None
    """Every detector's state under its name: a new detector starts empty in old profiles, and the state of one that is
    gone is dropped."""


_encoder = msgspec.msgpack.Encoder()
_fields = msgspec.msgpack.Decoder(list[msgspec.Raw])
_applied = msgspec.msgpack.Decoder(dict[int, int])
_APPLIED = Profile.__struct_fields__.index("applied")


def with_moved_sources(data: bytes, move: Callable[[int, int], tuple[int, int]]) -> bytes:
    """A stored profile whose records lie elsewhere now; all but its positions stays the same, byte for byte.

    `move` turns a source and an offset into the new ones. Raises `ProfileError`.
    """
    version = _version(data)
    if version != PROFILE_VERSION:
        raise ProfileError(
            "not a profile"
            if version is None
            else f"a profile of version {version}; this release reads {PROFILE_VERSION}"
        )
    try:
        fields = _fields.decode(data)
        applied = dict(move(source, offset) for source, offset in _applied.decode(fields[_APPLIED]).items())
    except (msgspec.DecodeError, IndexError) as error:
        raise ProfileError(f"not a profile: {error}") from error
    fields[_APPLIED] = msgspec.Raw(_encoder.encode(applied))
    return _encoder.encode(fields)


def _version(data: bytes) -> int | None:
    """The version of what cannot be read as a profile of this release, if it is one of another."""
    try:
        values = msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return values[0] if isinstance(values, list) and values and isinstance(values[0], int) else None


class ProfileModel:
    """Profiles for a set of detectors: what is kept of an identity follows from which detectors look at it."""

    def __init__(self, detectors: Mapping[str, IdentityDetector], directory: Directory = NOBODY) -> None:
        """The directory says whom an identity is compared with, and of what kind it is."""
        self._detectors = dict(detectors)
        self._directory = directory
        states = msgspec.defstruct(
            "States",
            [
                (name, detector.State, msgspec.field(default_factory=detector.State))
                for name, detector in detectors.items()
            ],
            gc=False,
        )
        own = msgspec.defstruct(
            "Profile",
            [("states", states, msgspec.field(default_factory=states))],
            bases=(Profile,),
            gc=False,
            array_like=True,
            kw_only=True,
        )
        self._type = cast("type[Profile]", own)
        self._decoder = msgspec.msgpack.Decoder(self._type)
        self._observers = {
            operation: tuple(
                (name, detector.observe)
                for name, detector in detectors.items()
                if detector.operations is None or operation in detector.operations
            )
            for operation in Operation
        }

        self._refused = [
            (name, detector.refused) for name, detector in detectors.items() if detector.refused is not None
        ]

    def encode(self, profile: Profile) -> bytes:
        """The profile as bytes."""
        return _encoder.encode(profile)

    def decode(self, data: bytes) -> Profile:
        """The profile that `encode` made bytes of.

        Raises `ProfileError` if the bytes are no profile, or of another version.
        """
        try:
            profile = self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            version = _version(data)
            if version in (None, PROFILE_VERSION):
                raise ProfileError(f"not a profile: {error}") from error
        else:
            version = profile.version
        if version != PROFILE_VERSION:
            raise ProfileError(f"a profile of version {version}; this release reads {PROFILE_VERSION}")
        return profile

    def new(self, event: AccessEvent) -> Profile:
        """The profile of an identity whose first event this is."""
        return self._type(
            tenant=event.tenant,
            actor=event.actor,
            actor_kind=event.actor_kind,
            actor_name=None if event.actor_name is None else cut(event.actor_name, MAX_NAME),
            first_ms=event.time_ms,
            clock_ms=event.time_ms,
            sequence=event.time_ms // DAY_MS * SIGNALS_A_DAY,
        )

    def observe(
        self,
        profile: Profile,
        event: AccessEvent,
        settings: DetectionSettings,
        indicator: Indicator | None = None,
    ) -> tuple[int | None, list[Signal]]:
        """Take one event in, and the indicator that it matches: count its rows once, and let every detector look.

        The rows that it added (``None`` if the event had been entered before), and the signals.
        """
        counted = count(profile.ledger, event)
        if counted is None:
            profile.duplicates += 1
            return None, []
        time_ms = event.time_ms
        if time_ms > profile.clock_ms:
            profile.clock_ms = time_ms
        if event.actor_name is not None and event.actor_name != profile.actor_name:
            profile.actor_name = cut(event.actor_name, MAX_NAME)
        day = time_ms // DAY_MS
        signals: list[Signal] = []
        if day not in profile.open_days:
            signals = self._open(profile, day, settings)
        kind, personal = _grave(event.objects)
        access = Observation(
            event,
            counted.rows,
            counted.operation_rows,
            kind,
            personal,
            day,
            time_ms // HOUR_MS,
            profile.known_days,
            day - profile.first_ms // DAY_MS,
            indicator,
        )
        states = profile.states
        said: list[Signal] | None = None
        for name, observe_event in self._observers[event.operation]:
            more = observe_event(getattr(states, name), access, settings)
            if more:
                said = more if said is None else said + more
        if counted.rows >= LARGE_ROWS:
            access.grown += 2
        if access.grown:
            profile.room -= access.grown
            if profile.room < 0:
                self._make_room(profile)
        if said:
            for signal in said[:-1]:
                signal.more = True
            signals += self._signed(profile, said, settings)
        return counted.rows, signals

    def refuse(self, profile: Profile, event: AccessEvent) -> None:
        """Take in an event that was refused: nothing is learned, and its time does not count as the identity's."""
        for name, refused in self._refused:
            refused(getattr(profile.states, name), event)

    def close(self, profile: Profile, until_ms: int, settings: DetectionSettings) -> list[Signal]:
        """Close and learn the days that ended before `until_ms`, lateness allowed for."""
        signals: list[Signal] = []
        late_ms = settings.late_seconds * 1000
        while profile.open_days and (end_ms := (profile.open_days[0] + 1) * DAY_MS + late_ms) <= until_ms:
            signals += self._close_first(profile, end_ms, settings)
        return signals

    def forget(self, profile: Profile, time_ms: int, settings: DetectionSettings) -> list[Signal]:
        """Say that the identity is known no longer."""
        day = time_ms // DAY_MS
        last = Signal(
            kind=SignalKind.FORGOTTEN,
            detector="",
            time_ms=time_ms,
            day=day,
            first_ms=time_ms,
            last_ms=time_ms,
        )
        return self._signed(profile, [last], settings)

    def due_ms(self, profile: Profile, settings: DetectionSettings) -> int:
        """The earliest event time at which `close` would do something, or at which it is known no longer.

        Both are the end of a day, lateness allowed for.
        """
        last = (
            profile.open_days[0] if profile.open_days else profile.clock_ms // DAY_MS + settings.forget_days
        )
        return (last + 1) * DAY_MS + settings.late_seconds * 1000

    def _open(self, profile: Profile, day: int, settings: DetectionSettings) -> list[Signal]:
        days = profile.open_days = sorted([*profile.open_days, day])
        if len(days) <= MAX_OPEN_DAYS:
            return []
        if days[0] != day:
            return self._close_first(profile, profile.clock_ms, settings)
        # It cannot close before its first event: one that was reopened goes, or else the one that is furthest ahead.
        gone = days[1] if days[1] <= profile.learned_day else days[-1]
        days.remove(gone)
        self._drop(profile, gone)
        return []

    def _close_first(self, profile: Profile, time_ms: int, settings: DetectionSettings) -> list[Signal]:
        """Learn the first open day, unless it had been learned before; what it shows, and what triage learns of it."""
        day = profile.open_days.pop(0)
        states = profile.states
        if day <= profile.learned_day:
            self._drop(profile, day)
            return []
        measures: list[Measure] = []
        over = ClosedDay(day, profile.known_days, day - profile.first_ms // DAY_MS, time_ms, measures, {}, {})
        signals: list[Signal] = []
        for name, detector in self._detectors.items():
            signals += detector.close(getattr(states, name), over, settings)
        for signal in signals:
            signal.more = True
        signals.append(
            Signal(
                kind=SignalKind.CLOSED,
                detector="",
                time_ms=time_ms,
                day=day,
                first_ms=day * DAY_MS,
                last_ms=day * DAY_MS,
                measures=measures,
                used=over.used,
                facts=over.facts,
            )
        )
        self._signed(profile, signals, settings)
        profile.known_days += 1
        profile.learned_day = day
        return signals

    def _size(self, profile: Profile) -> int:
        """How large it is at most; how far its sources are does not count, as that is no matter of the identity."""
        return HEAD_BYTES + len(_encoder.encode(profile.ledger)) + len(_encoder.encode(profile.states))

    def _make_room(self, profile: Profile) -> None:
        """See how large it is; if too large, let the largest states give up what they need least."""
        states = profile.states
        size = self._size(profile)
        if size > MAX_BYTES - SPARE_BYTES:
            while size > ROOMY_BYTES:
                sizes = {name: len(_encoder.encode(getattr(states, name))) for name in self._detectors}
                largest_first = sorted(self._detectors, key=lambda name: (-sizes[name], name))
                if not any(self._detectors[name].shrink(getattr(states, name)) for name in largest_first):
                    break
                size = self._size(profile)
        profile.room = max(0, MAX_BYTES - SPARE_BYTES - size) // ENTRY_BYTES

    def _drop(self, profile: Profile, day: int) -> None:
        for name, detector in self._detectors.items():
            detector.drop(getattr(profile.states, name), day)

    def _signed(self, profile: Profile, signals: list[Signal], settings: DetectionSettings) -> list[Signal]:
        tenant, actor, directory = profile.tenant, profile.actor, self._directory
        actor_kind, actor_name = profile.actor_kind, profile.actor_name
        entry = directory.find(actor, tenant)
        if entry is not None and entry.actor_kind is not None:
            actor_kind = entry.actor_kind
        peers = peers_of(settings, actor, actor_kind, tenant=tenant, recorded=actor_name, directory=directory)
        for sequence, signal in enumerate(signals, profile.sequence + 1):
            signal.tenant, signal.actor = tenant, actor
            signal.actor_kind, signal.actor_name = actor_kind, actor_name
            signal.peers = peers
            signal.known_days = profile.known_days
            signal.sequence = sequence
        profile.sequence += len(signals)
        return signals


PROFILES = ProfileModel(DETECTORS)
"""Profiles for the built-in detectors."""


@lru_cache(maxsize=4_096)
def _grave(objects: tuple[str, ...]) -> tuple[str, bool]:
    kind = gravest(objects)
    return kind, sensitivity((kind,)) >= PERSONAL_SENSITIVITY
