"""Something new about an identity: its network, agent, app, country, kind of operation, object, query, or the hour.

What is new stays *young* for some days, fading: attackers log in first and take later. The rows that leave
with it are counted, and each time they have grown there is a signal. How surprising it is depends on how
often this identity shows something new of that sort, and, which triage knows, on how rare the thing is among
the others.
"""

from __future__ import annotations

import msgspec

from detector import phrase
from detector.anomaly import Anomaly
from detector.event import AccessEvent, ActorKind, Operation
from detector.explanation import Explanation
from detector.identity.detectors.contract import IdentityDetector
from detector.identity.objects import add_rows, cut
from detector.identity.observation import ClosedDay, Observation
from detector.message import Message, Template, message
from detector.published import NewTrait
from detector.settings import DetectionSettings
from detector.signal import GROWN_MS, NewValue, Signal, SignalKind, evidence
from detector.trait import MAX_TEXT, SORTS, YOUNG_DAYS, agent_family, checksum, network
from detector.units import DAY_MS

__all__ = ["DETECTOR", "NoveltyState", "Young"]

NAME = "novelty"

MOST_KNOWN = (24, 12, 12, 8, 16, 20, 16)
"""How many values of each sort are remembered; the longest unseen go first."""
USED = ("network", "agent", "app")
"""Of these sorts triage learns how common each value is."""
MAX_YOUNG = 12
LEAST_KNOWN = 4
"""So many values of a sort are kept even when room is short."""
MAX_COMBINATIONS = 64
MAX_REFUSED = 4
"""So many networks are remembered on which sign-ins were refused."""
MAX_ATTEMPTS = 10_000
"""More refused sign-ins are not counted."""
FIRST_ROWS = 10
"""A signal follows each time rows have grown by the growth factor and by so many."""
ODD_SHARE = 0.12
"""An hour is odd in which the identity was active on fewer than this share of such days."""
FORGET_DAYS = 60
"""How often something new is shown is remembered about this long."""
ENOUGH_DAYS = 3
"""After so many days, who showed something new of a sort on more than half of them is expected to."""
HOUR = "hour"


class Young(msgspec.Struct, array_like=True, gc=False):
    """Something not long known."""

    what: str
    value: str
    first_ms: int
    news: float = 0.0
    """On how many days something new of this sort had been shown before, out of `days`."""
    days: float = 0.0
    rows: int = 0


class NoveltyState(msgspec.Struct, array_like=True, dict=True):
    """What the identity has been seen with."""

    known: list[dict[int, int]] = []
    """By sort: checksum of the value → day on which it was last seen."""
    news: list[float] = []
    """By sort: on how many days something new was shown; in the last place, out of how many days."""
    hours: list[int] = []
    """Days active by hour, 24 of weekdays and 24 of weekends."""
    hour: int = -1
    """The hour (since 1970) that `odd` is about."""
    odd: float = 0.0
    """The share of such days on which it is active in this hour, if that is small; else 0."""
    seen_hours: dict[int, int] = {}
    """Day that is not over → the hours in which it was active, a bit each."""
    fresh: dict[int, int] = {}
    """Day that is not over → the sorts that have shown something new, a bit each."""
    young: dict[int, Young] = {}
    rows: int = 0
    """Rows that left with anything young, or in an odd hour, on `said_day`."""
    since: int = 0
    said: int = 0
    said_day: int = -1
    objects: dict[str, int] = {}
    refused: dict[int, list[int]] = {}
    """Checksum of a network → how many events in the identity's name were refused there, and the day of the last."""
    said_ms: int = 0
    """When rows were last said, in event time."""

    def new_traits(self) -> tuple[NewTrait, ...]:
        """What is young, as it is published."""
        return tuple(
            NewTrait(
                what=young.what,
                value=young.value,
                first_ms=young.first_ms,
                last_day=self.known[SORTS.index(young.what)].get(key),
                rows=young.rows,
            )
            for key, young in self.young.items()
        )

    def last_used(self) -> dict[str, dict[int, int]]:
        """The networks, agents and apps that are known, as they are published: checksum → day last seen."""
        return {what: dict(days) for what, days in zip(USED, self.known, strict=False)}


def _observe(state: NoveltyState, access: Observation, settings: DetectionSettings) -> list[Signal] | None:
    """Note what the event shows that is new, and what leaves with it."""
    event = access.event
    if access.hour != state.hour:
        _turn(state, access, settings)
    combination = (
        event.ip,
        event.user_agent,
        event.app,
        event.country,
        event.operation,
        access.object if access.rows else None,
        event.query_shape,
    )
    cache = state.__dict__.get("cache")
    if cache is None or state.__dict__["day"] != access.day:
        cache = state.__dict__["cache"] = {}
        state.__dict__["day"] = access.day
    keys: tuple[int, ...] | None = cache.get(combination)
    first = False
    if keys is None:
        keys, first = _meet(state, access, settings)
        if len(cache) >= MAX_COMBINATIONS:
            cache.clear()
        cache[combination] = keys
    if not keys and not state.odd:
        return None
    return _weigh(state, access, keys, settings, first=first)


def _close(state: NoveltyState, day: ClosedDay, settings: DetectionSettings) -> list[Signal]:
    """Learn how often something new is shown, and the hours of the day; what is no longer young is known."""
    if not state.news:
        state.news = [0.0] * (len(SORTS) + 1)
    state.news[-1] += 1
    fresh = state.fresh.pop(day.day, 0)
    for sort in range(len(SORTS)):
        state.news[sort] += fresh >> sort & 1
    if day.known_days + 1 == settings.cold_days:  # a start is not a habit, unless it goes on like this
        state.news[:-1] = [count if count > state.news[-1] / 2 else 0.0 for count in state.news[:-1]]
    if state.news[-1] >= FORGET_DAYS:
        state.news = [count / 2 for count in state.news]
    _learn_hours(state, day)
    state.refused = {key: last for key, last in state.refused.items() if last[1] > day.day - FORGET_DAYS}
    end_ms = (day.day + 1) * DAY_MS
    old = [key for key, young in state.young.items() if young.first_ms <= end_ms - YOUNG_DAYS * DAY_MS]
    for key in old:
        del state.young[key]
    for what, known in zip(USED, state.known, strict=False):  # nothing is known in a profile from before
        day.used[what] = sorted(key for key, seen in known.items() if seen >= day.day)
    return []


def _refused(state: NoveltyState, event: AccessEvent) -> None:
    """Count a refused sign-in by its network, which does not become known by it."""
    if event.ip is None:
        return
    key = checksum(SORTS.index("network"), network(event.ip))
    refused = state.refused
    if key not in refused and len(refused) >= MAX_REFUSED:
        del refused[min(refused, key=lambda known: (*refused[known], known))]
    attempts, day = refused.get(key, (0, 0))
    refused[key] = [min(attempts + 1, MAX_ATTEMPTS), max(day, event.time_ms // DAY_MS)]


def _drop(state: NoveltyState, day: int) -> None:
    """Forget the day."""
    state.fresh.pop(day, None)
    state.seen_hours.pop(day, None)


def _shrink(state: NoveltyState) -> bool:
    """Give up what is young with the fewest rows, or else what has been unseen the longest of the largest sort."""
    state.__dict__.clear()  # the cache must not remember what the state does not
    if len(state.young) > MAX_YOUNG // 2:
        _forget_young(state)
        return True
    known = max(state.known, key=len, default={})
    if len(known) <= LEAST_KNOWN:
        return False
    for _ in range(LEAST_KNOWN):
        del known[min(known, key=lambda key: (known[key], key))]
    return True


def _meet(
    state: NoveltyState, access: Observation, settings: DetectionSettings
) -> tuple[tuple[int, ...], bool]:
    """Look at values that have not been met together today; the keys of those that are young."""
    event = access.event
    if not state.known:
        state.known = [{} for _ in SORTS]
    guest = event.actor_kind is ActorKind.GUEST  # who is many visitors at once
    values = (
        None if event.ip is None or guest else network(event.ip),
        None if event.user_agent is None or guest else agent_family(event.user_agent),
        event.app,
        None if guest else event.country,
        event.operation.value,
        access.object if access.rows else None,
        event.query_shape if event.actor_kind is ActorKind.INTEGRATION else None,  # people's vary
    )
    cold = access.known_days < settings.cold_days
    young: list[int] = []
    first = False
    for sort, value in enumerate(values):
        if not value:
            continue
        key = checksum(sort, value)
        known = state.known[sort]
        if key not in known:
            if access.known_days:  # on the first day everything is new
                state.fresh[access.day] = state.fresh.get(access.day, 0) | 1 << sort
            if not cold and not _always_new(state, sort):
                first = True
                if len(state.young) >= MAX_YOUNG:
                    _forget_young(state)
                news, days = (state.news[sort], state.news[-1]) if state.news else (0.0, 0.0)
                text = cut(value, MAX_TEXT)
                state.young[key] = Young(SORTS[sort], text, event.time_ms, news, days)
                access.grown += 2
            if len(known) >= MOST_KNOWN[sort]:
                del known[min(known, key=lambda k: (known[k], k))]
                state.__dict__["cache"].clear()  # it must not remember what the state does not
            else:
                access.grown += 1
        known[key] = max(access.day, known.get(key, 0))
        if key in state.young:
            young.append(key)
    return tuple(young), first


def _weigh(
    state: NoveltyState,
    access: Observation,
    keys: tuple[int, ...],
    settings: DetectionSettings,
    *,
    first: bool,
) -> list[Signal] | None:
    young = [state.young[key] for key in keys if key in state.young]
    if not young and not state.odd:
        return None
    if access.day != state.said_day:
        state.said_day = access.day
        state.rows = state.said = 0
        state.objects = {}
    rows = access.rows if access.personal else 0
    if rows:
        for value in young:
            value.rows += rows
        if not state.rows:
            state.since = access.event.time_ms
        state.rows += rows
        access.grown += add_rows(state.objects, access.object, rows)
    grown = rows and state.rows >= state.said * settings.growth + FIRST_ROWS
    event = access.event
    now_ms = event.time_ms
    further = rows and not first and not grown and state.said and now_ms - state.said_ms >= GROWN_MS
    if not first and not grown and not further:
        return None
    if grown:
        state.said = state.rows
    if rows:
        state.said_ms = now_ms
    news = [
        NewValue(
            value.what,
            value.value,
            value.news,
            value.days,
            max(0.0, (now_ms - value.first_ms) / DAY_MS),
            value.rows,
        )
        for value in state.young.values()
        if now_ms - value.first_ms < YOUNG_DAYS * DAY_MS
    ]
    if state.odd:
        weekend = "weekend " if _is_weekend(access.day) else ""
        news.append(NewValue(HOUR, f"{weekend}{access.hour % 24:02}:00 UTC", state.odd, 1.0, 0.0, state.rows))
    if not news:
        return None
    attempts = _attempts(state, event) if any(value.what == "network" for value in news) else 0
    start_ms = state.since if state.rows else now_ms
    return [
        Signal(
            kind=SignalKind.GROWN if further else SignalKind.CROSSED,
            detector=NAME,
            time_ms=now_ms,
            day=access.day,
            first_ms=min(start_ms, now_ms),
            last_ms=now_ms,
            channel=event.operation.value,
            rows=state.rows,
            objects=dict(state.objects),
            news=news,
            facts={"refused": float(attempts)} if attempts else {},
            evidence=evidence(event, access.rows),
        )
    ]


def _attempts(state: NoveltyState, event: AccessEvent) -> int:
    """How many sign-ins were refused before on the network of an event."""
    if event.ip is None or not state.refused:
        return 0
    return state.refused.get(checksum(SORTS.index("network"), network(event.ip)), (0,))[0]


def _forget_young(state: NoveltyState) -> None:
    young = state.young
    del young[min(young, key=lambda key: (young[key].rows, young[key].first_ms, key))]


def _always_new(state: NoveltyState, sort: int) -> bool:
    """Whether something new of a sort is nothing new about the identity."""
    return len(state.news) > 0 and state.news[-1] >= ENOUGH_DAYS and state.news[sort] > state.news[-1] / 2


def _is_weekend(day: int) -> bool:
    return (day + 3) % 7 >= 5  # day 0 was a Thursday


def _turn(state: NoveltyState, access: Observation, settings: DetectionSettings) -> None:
    """See whether the identity is usually active in this hour."""
    state.hour = access.hour
    state.odd = 0.0
    state.seen_hours[access.day] = state.seen_hours.get(access.day, 0) | 1 << access.hour % 24
    if access.known_days < 2 * settings.cold_days or not state.hours:
        return
    weekend = _is_weekend(access.day)
    days = access.age_days * (2 if weekend else 5) / 7
    days = min(days, FORGET_DAYS)
    start = 24 if weekend else 0
    at = access.hour % 24
    active = max(state.hours[start + (at + step) % 24] for step in (-1, 0, 1))
    share = (active + 0.5) / (days + 1)
    if share < ODD_SHARE:
        state.odd = share


def _learn_hours(state: NoveltyState, day: ClosedDay) -> None:
    if not state.hours:
        state.hours = [0] * 48
    start = 24 if _is_weekend(day.day) else 0
    seen = state.seen_hours.pop(day.day, 0)
    for hour in range(24):
        if seen >> hour & 1:
            state.hours[start + hour] += 1
    if max(state.hours) > FORGET_DAYS:
        state.hours = [count // 2 for count in state.hours]


SHOWN_NEWS = 3
UNNAMED_OBJECT = "*"
"""What kinds of record are called that are too many to be named."""
_OPERATIONS = frozenset(operation.value for operation in Operation)
TEMPLATES: dict[str, Template] = {
    "title.new.network": "New network for {who}",
    "title.new.agent": "New agent for {who}",
    "title.new.app": "New app for {who}",
    "title.new.country": "New country for {who}",
    "title.new.query": "New query for {who}",
    "title.new.operation": "New kind of operation for {who}",
    "title.new.object": "New kind of record for {who}",
    "title.new.hour": "New hour of activity for {who}",
    "title.new.origin": "New origin for {who}",
    "doing.login": "logging in",
    "doing.describe": "looking up what objects there are",
    "doing.count": "counting records",
    "doing.query": "API queries",
    "doing.bulk_export": "bulk exports",
    "doing.report": "running reports",
    "doing.report_export": "exporting reports",
    "doing.list_view": "list views",
    "doing.record_view": "opening records",
    "doing.search": "searching",
    "doing.file_download": "downloading files",
    "doing.export_delete": "deleting export jobs",
    "doing.write": "changing records",
    "doing.admin": "administration",
    "doing.vendor_finding": "being found by the vendor",
    "doing.other": "an operation of another kind",
    "new.network": "the network {value}",
    "new.agent": "the agent {value}",
    "new.app": "the app {value}",
    "new.country": "the country {value}",
    "new.operation": "{value}",
    "new.object": "{value} records",
    "new.query": "the query that it ran",
    "new.hour": "being active at {value}",
    "new.weekend_hour": "being active at {value} at a weekend",
    "new.unnamed_object": "unnamed records",
    "new.other": "{value}",
}
"""Messages by code that are made from a closed vocabulary."""


def _title(anomaly: Anomaly, who: str) -> Message:
    code = f"title.new.{anomaly.news[0].what if anomaly.news else 'origin'}"
    return _of(code if code in TEMPLATES else "title.new.origin", who=who)


def _reason(anomaly: Anomaly, known_days: int) -> Message:
    if not anomaly.news:
        return message("novelty.something", "It was seen with something new")
    named = [_thing(new) for new in anomaly.news[:SHOWN_NEWS]]
    if len(anomaly.news) > SHOWN_NEWS:
        named.append(message("new.more", "{n} more", n=len(anomaly.news) - SHOWN_NEWS))
    days = phrase.counted(known_days, "active_day")
    attempts = round(anomaly.facts.get("refused", 0))
    if attempts:
        return message(
            "novelty.refused",
            "New for it after {days}: {news}; before that, {attempts} in its name were refused there",
            days=days,
            news=named,
            attempts=phrase.counted(attempts, "attempt"),
        )
    return message("novelty.reason", "New for it after {days}: {news}", days=days, news=named)


def _thing(new: NewValue) -> Message:
    thing = _named(new)
    if new.age_days < 1:
        return thing
    days = phrase.counted(round(new.age_days), "day")
    return message("new.aged", "{thing} ({days} ago)", thing=thing, days=days)


def _named(new: NewValue) -> Message:
    match new.what:
        case "operation" if new.value in _OPERATIONS:
            return _of("new.operation", value=_of(f"doing.{new.value}"))
        case "hour":  # the detector's own words
            sort = "new.weekend_hour" if new.value.startswith("weekend ") else "new.hour"
            return _of(sort, value=phrase.clean(new.value.removeprefix("weekend ")))
        case "object" if new.value == UNNAMED_OBJECT:
            return _of("new.unnamed_object")
        case "query":
            return _of("new.query")
    code = f"new.{new.what}"
    return _of(code if code in TEMPLATES else "new.other", value=phrase.name(new.value))


def _of(code: str, **params: object) -> Message:
    return message(code, TEMPLATES[code], **params)


EXPLANATION = Explanation(name=NAME, title=_title, reason=_reason, by_news=True)

DETECTOR = IdentityDetector(
    explanation=EXPLANATION,
    State=NoveltyState,
    observe=_observe,
    refused=_refused,
    close=_close,
    drop=_drop,
    shrink=_shrink,
)
