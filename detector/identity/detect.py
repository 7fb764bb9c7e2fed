"""The detect step for one shard of identities: events in, signals out.

A shard is whatever set of identities one caller owns: all of them in a replay, a partition's in a worker. Its
encoded profiles are in a store (a mapping of bytes); the ones in use are kept decoded beside it, up to a
limit.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, MutableMapping
from heapq import heappop, heappush
from itertools import chain, islice

import msgspec

from detector.catalogue import PERSONAL_SENSITIVITY, Category, category, gravest, sensitivity
from detector.event import AccessEvent, ActorKind
from detector.identity.profile import NOTHING_APPLIED, PROFILES, Profile, ProfileModel
from detector.identity.retention import IdentityRetention
from detector.identity.summary import summary
from detector.indicator_index import IndicatorIndex
from detector.keyed_state import Changes, Key, KeyedState, apply_changes, reading, slices
from detector.name_order import in_order
from detector.published import IdentityRecord
from detector.settings import Settings
from detector.signal import Signal, SignalKind, Tally
from detector.units import DAY_MS, TICK_MS

__all__ = ["LIVE_PROFILES", "Detection"]

_KEYS = frozenset(Key)
LIVE_PROFILES = 10_000
"""How many profiles a shard keeps decoded: each is dozens of objects that every collection of garbage looks at."""
STEP_IDENTITIES = 50
"""How many identities, or tallies, a step of `Detection.advance` deals with."""
EVICTED_AT_ONCE = 20
"""How many identities at most a newcomer drives out, should fewer be allowed than before."""

_tallies = msgspec.msgpack.Decoder(tuple[int, dict[int, dict[str, Tally]]])


class _Live(msgspec.Struct, gc=False):
    profile: Profile
    due: int
    """The event time at which it has something to close, or is to be forgotten."""
    forgotten: int
    """What its ledger had forgotten when that was last looked at."""
    day: int
    """The day of its newest event."""


class Detection:
    """Profiles and their detectors, applied to events in their order.

    What it says depends on each identity's own events alone, in their order: neither on how identities
    interleave nor on when `advance` is called. Only when there are more identities than may be known does it depend
    on the others who has to go.

    What may have to do with all identities at once comes in steps, each the work of a moment: whoever has other things
    to do can do them between two steps, but must take all of them before the next call.
    """

    def __init__(
        self,
        settings: Settings,
        store: MutableMapping[bytes, bytes],
        live_profiles: int = LIVE_PROFILES,
        shard: int = 0,
        profiles: ProfileModel = PROFILES,
    ) -> None:
        self._settings = settings.detection
        self._own_indicators = IndicatorIndex(settings.detection.indicators)
        self._indicators = IndicatorIndex()
        self._late_ms = settings.detection.late_seconds * 1000
        self._store = store
        self._profiles = profiles
        self._limit = max(1, live_profiles)
        self._live: OrderedDict[str, _Live] = OrderedDict()  # the first has been decoded for longest
        self._saved = KeyedState(b"", self._encode, self._restore)
        self._shard = shard
        self._tallies: dict[int, dict[str, Tally]] = {}  # start of a tick → tenant → what was counted
        self._roster = IdentityRetention()
        self._looked_day = -(1 << 62)
        self._tallied_ms = -(1 << 62)  # up to here ticks have been told
        if Key.TALLIES in store:
            with reading(Key.TALLIES):
                self._tallied_ms, self._tallies = _tallies.decode(store[Key.TALLIES])
        self._schedule: dict[int, set[str]] = {}  # event time → who may have a window to close
        self._dues: list[int] = []  # the schedule's times, as a heap
        self.skipped = 0
        """Events skipped because they had been applied before."""
        self.late: Counter[str] = Counter()
        """Events that came after their day had been learned, by adapter."""
        self.refused: Counter[str] = Counter()
        """Events that were refused before anybody had shown a credential, by adapter; redelivered ones count again."""
        self.duplicates = 0
        """Events that the ledger had entered before."""
        self.rows_taken: Counter[tuple[str, Category]] = Counter()
        """Rows that left, by adapter and data category."""
        self.profiles: Counter[ActorKind] = Counter()
        """Identities known, whether decoded or not: those restored and those created since."""
        self.evicted = 0
        """Identities forgotten because there were too many."""
        self.forgotten = 0
        """Operations that full ledgers had forgotten by when changes were last asked for."""

    def restore(self, keys: Iterable[bytes]) -> Iterator[None]:
        """Look through stored profiles for windows that are still open, in steps: for a shard that is taken over.

        Raises `StoredValueError` for one that cannot be read.
        """
        for part in slices((key, self._store[key]) for key in keys if key not in _KEYS):
            for key in part:
                with reading(key):
                    self._restore(key.decode(), self._store[key])
            yield

    def watch_for(self, indicators: IndicatorIndex) -> None:
        """Look for these indicators from now on, however they change, beside those that the settings hold."""
        self._indicators = indicators

    def observe(self, event: AccessEvent, source: int = 0, offset: int | None = None) -> list[Signal]:
        """Apply one event; `source` and `offset` say where it came from, so that it is applied once."""
        name = event.identity
        signals: list[Signal] = []
        live = self._live.get(name) or self._load(name)
        status = event.status
        if status is not None and status != "success" and event.refused:
            self._refuse(name, live, event, source, offset)
            return signals
        if live is None:
            if len(self._roster) >= self._settings.most_identities:
                signals = self._make_room(event.time_ms)
            live = self._create(name, self._profiles.new(event))
        profile = live.profile
        if offset is not None:
            applied = profile.applied
            if applied.get(source, NOTHING_APPLIED) >= offset:
                self.skipped += 1
                return []
            applied[source] = offset
        time_ms = event.time_ms
        if time_ms >= live.due:
            signals += self._close(name, live, time_ms)
            if self._saved.gone(name):  # not heard of for so long that it is somebody new
                profile = msgspec.structs.replace(self._profiles.new(event), applied=profile.applied)
                live = self._create(name, profile)
        self._saved.change(name, live)
        indicator = self._own_indicators.find(event) or self._indicators.find(event)
        rows, said = self._profiles.observe(profile, event, self._settings, indicator)
        if said:
            signals += said
            if profile.known_days >= self._settings.cold_days:
                self._roster.establish(name)
        if rows is None:
            self.duplicates += 1
            return signals
        origin = event.origin.adapter
        tally = self._tally_of(event.tenant, time_ms)
        what = f"{origin}/{event.operation}"
        tally.sources[what] = tally.sources.get(what, 0) + 1
        if rows:
            kind = gravest(event.objects)
            of = category(kind)
            self.rows_taken[origin, of] += rows
            tally.categories[of.value] = tally.categories.get(of.value, 0) + rows
            if sensitivity((kind,)) >= PERSONAL_SENSITIVITY:
                tally.rows += rows
        day = time_ms // DAY_MS
        if day <= profile.learned_day:
            self.late[origin] += 1
        if day > live.day:
            live.day = day
            self._roster.move(name, day)
        due = (day + 1) * DAY_MS + self._late_ms
        if due <= live.due:  # the same, if it is on its last day that it would have been forgotten
            live.due = due
            self._plan(due, name)
        return signals

    def advance(self, watermark_ms: int) -> Iterator[list[Signal]]:
        """Close what is due for identities that have gone quiet: no event before `watermark_ms` will come.

        Yields each step's signals: those of `STEP_IDENTITIES` identities at most, however many are due.
        """
        work = chain(self._quiet(watermark_ms), self._tallied(watermark_ms))
        while step := list(islice(work, STEP_IDENTITIES)):
            yield [signal for signals in step for signal in signals]

    def summary(self, name: str) -> IdentityRecord | None:
        """An identity as it is to be published; ``None`` if it is not known."""
        live = self._live.get(name)
        profile = self._stored(name) if live is None else live.profile
        return None if profile is None else summary(profile)

    def changes(self) -> Iterator[Changes]:
        """The profiles changed since `saved`, in slices that belong together."""
        if self._saved.dirty:
            yield from self._saved.changes()
            yield {Key.TALLIES: msgspec.msgpack.encode((self._tallied_ms, self._tallies))}

    def saved(self, changes: Changes) -> None:
        """Note that a slice of `changes` is durable; nothing may have been applied since they were asked for."""
        apply_changes(self._store, changes)
        self._saved.saved(changes)

    @property
    def live(self) -> int:
        """How many profiles are decoded."""
        return len(self._live)

    @property
    def dirty(self) -> int:
        """How many profiles have changed since they were saved."""
        return self._saved.dirty

    def _refuse(
        self, name: str, live: _Live | None, event: AccessEvent, source: int, offset: int | None
    ) -> None:
        """Count an event that needed no credential: it creates nobody, keeps nobody known, and teaches nothing."""
        self.refused[event.origin.adapter] += 1
        if live is None:
            return
        profile = live.profile
        if offset is not None:
            if profile.applied.get(source, NOTHING_APPLIED) >= offset:
                return
            profile.applied[source] = offset
        self._saved.change(name, live)
        self._profiles.refuse(profile, event)

    def _tally_of(self, tenant: str, time_ms: int) -> Tally:
        """What has been counted of a tenant in the tick that an event falls into, or in the first that is not told."""
        start = max(time_ms - time_ms % TICK_MS, self._tallied_ms)
        tallies = self._tallies.get(start)
        if tallies is None:
            tallies = self._tallies[start] = {}
        tally = tallies.get(tenant)
        if tally is None:
            tally = tallies[tenant] = Tally()
        return tally

    def _tally(self, tenant: str, start: int, tally: Tally) -> Signal:
        facts = {name: float(events) for name, events in sorted(tally.sources.items())}
        return Signal(
            kind=SignalKind.TALLY,
            detector="",
            time_ms=start + TICK_MS,
            day=start // DAY_MS,
            first_ms=start,
            last_ms=start + TICK_MS - 1,
            rows=tally.rows,
            objects=dict(sorted(tally.categories.items())),
            facts=facts,
            tenant=tenant,
            actor=f"\x00{self._shard}",
            sequence=start // TICK_MS,
        )

    def _quiet(self, watermark_ms: int) -> Iterator[list[Signal]]:
        """The signals of each identity that has a day to close, or is idle for too long: the first one due first."""
        day = (watermark_ms - self._late_ms) // DAY_MS - self._settings.forget_days - 1
        if day > self._looked_day:
            for idle_day in self._roster.idle_days(day):
                yield from self._over((idle_day + self._settings.forget_days + 1) * DAY_MS + self._late_ms)
                for name in self._roster.idle_since(idle_day):
                    yield self._forget_known(name)
            self._looked_day = day
        yield from self._over(watermark_ms)

    def _over(self, until_ms: int) -> Iterator[list[Signal]]:
        """The signals of each identity that has a day to close."""
        while self._dues and (due := self._dues[0]) <= until_ms:
            for name in in_order(self._schedule[due]):
                yield self._close_due(name, due)
            del self._schedule[heappop(self._dues)]

    def _tallied(self, watermark_ms: int) -> Iterator[list[Signal]]:
        """What has been counted of each tenant in each tick that is over."""
        if watermark_ms - self._tallied_ms < TICK_MS:
            return
        for start in sorted(start for start in self._tallies if start + TICK_MS <= watermark_ms):
            tallies = self._tallies[start]
            for tenant in in_order(tallies):
                yield [self._tally(tenant, start, tallies[tenant])]
            del self._tallies[start]
        self._tallied_ms = watermark_ms - watermark_ms % TICK_MS

    def _restore(self, name: str, data: bytes) -> None:
        """Raises `ProfileError`."""
        profile = self._profiles.decode(data)
        self._enter(name, profile)
        if profile.open_days:
            self._plan(self._profiles.due_ms(profile, self._settings), name)

    def _encode(self, live: _Live) -> bytes:
        forgotten = live.profile.ledger.forgotten
        self.forgotten += forgotten - live.forgotten
        live.forgotten = forgotten
        return self._profiles.encode(live.profile)

    def _load(self, name: str) -> _Live | None:
        profile = self._stored(name)
        if profile is None:
            return None
        return self._decoded(name, profile)

    def _stored(self, name: str) -> Profile | None:
        if self._saved.gone(name):
            return None
        data = self._saved.packed(name) or self._store.get(name.encode())
        return None if data is None else self._profiles.decode(data)

    def _decoded(self, name: str, profile: Profile) -> _Live:
        """Keep a profile decoded, in place of the one that has been for longest if there are too many."""
        due_ms = self._profiles.due_ms(profile, self._settings)
        live = _Live(profile, due_ms, profile.ledger.forgotten, profile.clock_ms // DAY_MS)
        self._live[name] = live
        if len(self._live) > self._limit:
            oldest, _ = self._live.popitem(last=False)
            self._saved.pack(oldest)
        return live

    def _create(self, name: str, profile: Profile) -> _Live:
        live = self._decoded(name, profile)
        self._saved.change(name, live)
        self._enter(name, profile)
        return live

    def _enter(self, name: str, profile: Profile) -> None:
        self.profiles[profile.actor_kind] += 1
        newcomer = profile.known_days < self._settings.cold_days
        self._roster.enter(name, profile.clock_ms // DAY_MS, newcomer=newcomer)

    def _close(self, name: str, live: _Live, until_ms: int) -> list[Signal]:
        """Close and learn what is over, and forget the identity if even that was long ago."""
        profile = live.profile
        signals = self._profiles.close(profile, until_ms, self._settings)
        if profile.known_days >= self._settings.cold_days:
            self._roster.establish(name)
        live.due = self._profiles.due_ms(profile, self._settings)
        if profile.open_days:
            self._plan(live.due, name)
        elif live.due <= until_ms:
            return signals + self._forget(name, live, live.due)
        self._saved.change(name, live)
        return signals

    def _close_due(self, name: str, due: int) -> list[Signal]:
        live = self._live.get(name) or self._load(name)
        if live is None:
            return []
        if live.due <= due:
            return self._close(name, live, due)
        if live.profile.open_days:  # planned before it was known when; put away and taken up since
            self._plan(live.due, name)
        return []

    def _forget_known(self, name: str, time_ms: int | None = None) -> list[Signal]:
        """Forget somebody known at an event time, or when he was due."""
        live = self._live.get(name) or self._load(name)
        if live is None:
            self._roster.leave(name)
            return []
        return self._forget(name, live, live.due if time_ms is None else time_ms)

    def _make_room(self, time_ms: int) -> list[Signal]:
        """Forget the most expendable of too many."""
        signals: list[Signal] = []
        for _ in range(min(EVICTED_AT_ONCE, 1 + len(self._roster) - self._settings.most_identities)):
            signals += self._forget_known(self._roster.most_expendable(), time_ms)
            self.evicted += 1
        return signals

    def _forget(self, name: str, live: _Live, time_ms: int) -> list[Signal]:
        self._roster.leave(name)
        self.profiles[live.profile.actor_kind] -= 1
        del self._live[name]
        self._saved.drop(name)
        return self._profiles.forget(live.profile, time_ms, self._settings)

    def _plan(self, due: int, name: str) -> None:
        names = self._schedule.get(due)
        if names is None:
            self._schedule[due] = {name}
            heappush(self._dues, due)
        else:
            names.add(name)
