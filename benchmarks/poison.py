"""What an attacker can teach: twelve kinds of poison, each in three strengths, against the same world without it.

    python benchmarks/poison.py [--seed 3] [--only NAME,NAME] [--people 80] [--days 20]

A world of `crmwatch simulate` holds an attack of each shape. Each kind of poison is what the attackers do, or have done
to the log, before they take anything; every one of them does it. The loss is how much less is saved of the rows that
they take, as `crmwatch evaluate` computes it: its headline, by what fits into the alert budget, and in parentheses by
all that is published. Rows that the poison itself takes do not count. Less than nothing is lost where poison betrays.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from detector.adapters import RecordError, decode
from detector.adapters.registry import reject_future
from detector.decision import Decision, DecisionSubject, Kind, encode
from detector.engine import Engine
from detector.event import READING, AccessEvent, Operation
from detector.settings import Announced, Settings
from detector.simulation import Format, Labels, Scenario, Simulation, evaluate, score, scored_alert
from detector.simulation.labels import AttackLabel
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS
from streams.kafka.signing import Signatures, Unsigned
from streams.kafka.topics import TopicNames
from streams.worker.operator_inputs import OperatorInputs

STRENGTHS = ("weak", "medium", "strong")
KEY, FORGED = b"k" * 32, b"f" * 32
MOST_VICTIMS = 3
"""Of so many of an attack's accounts at most the past is poisoned."""


class Stage(msgspec.Struct, frozen=True):
    """A world without poison."""

    labels: Labels
    events: tuple[AccessEvent, ...]
    """In the order of their times."""


class Poisoned(msgspec.Struct, frozen=True):
    """The same world with it."""

    added: Sequence[AccessEvent] = ()
    """Events that go before those of the same time."""
    settings: Settings = Settings()
    plain: Settings = Settings()
    """The settings of the world that it is compared with."""
    decisions: Sequence[Decision] = ()
    missing: Callable[[AccessEvent], bool] = lambda event: False
    """Which events never arrive."""


class Outcome(msgspec.Struct, frozen=True):
    """How much of the stolen rows was saved."""

    published: float
    in_budget: float


def stage(seed: int, days: int, people: int) -> Stage:
    """A world, decoded."""
    simulation = Simulation(Scenario(seed=seed, format=Format.RTEM, days=days, people=people))
    events = []
    for file in simulation.files():
        for number, line in enumerate(file.data.splitlines()):
            try:
                events.append(decode(line, f"{file.path}:{number}"))
            except RecordError:
                continue  # one of the log's own defects
    events.sort(key=lambda event: (event.time_ms, event.event_id))
    return Stage(simulation.labels(), tuple(events))


def outcome(world: Stage, settings: Settings, poison: Poisoned | None = None) -> Outcome:
    """What is saved in a world, with or without poison."""
    given = Poisoned() if poison is None else poison
    added = [(event.time_ms, 0, number, event) for number, event in enumerate(given.added)]
    own = [
        (event.time_ms, 1, number, event)
        for number, event in enumerate(world.events)
        if not given.missing(event)
    ]
    engine = Engine(settings)
    engine.triage.apply_decisions(given.decisions)
    alerts = [alert for *_, event in sorted([*added, *own]) for alert in engine.observe(event)]
    alerts += engine.finish(world.labels.end_ms + DAY_MS)
    published = [found for alert in alerts if (found := scored_alert(alert.body)) is not None]
    return Outcome(evaluate(world.labels, published, 0.0).headline, score(world.labels, published).headline)


# --- what attackers do


class Past:
    """What attackers know of a world: their victims, what these usually do, and their own addresses."""

    def __init__(self, world: Stage, seed: int = 1) -> None:
        self.world = world
        self.random = Random(seed)  # noqa: S311 - the same in each run
        self._numbers = iter(range(1 << 40))
        self._usual: dict[str, list[AccessEvent]] = defaultdict(list)
        for event in world.events:
            if event.rows and event.operation in READING:
                self._usual[event.identity].append(event)

    @property
    def attacks(self) -> tuple[AttackLabel, ...]:
        """The attacks."""
        return self.world.labels.attacks

    def victims(self, attack: AttackLabel) -> Iterator[tuple[AccessEvent, AccessEvent, int]]:
        """Of each account: how it usually reads, how the attacker reads, and its rows on a usual day."""
        for identity in attack.identities[:MOST_VICTIMS]:
            acts = self._usual[identity]
            before = [act for act in acts if act.time_ms < attack.start_ms]
            during = [act for act in acts if attack.start_ms <= act.time_ms <= attack.end_ms]
            taken = [act for act in during if act.ip in attack.networks] or during
            if before and taken:
                days = Counter[int]()
                for act in before:
                    days[act.time_ms // DAY_MS] += act.rows or 0
                yield before[-1], taken[0], sorted(days.values())[len(days) // 2]

    def like(self, event: AccessEvent, time_ms: int, **changes: Any) -> AccessEvent:
        """Such an event at another time, with an id and an operation of its own."""
        name = f"poison-{next(self._numbers)}"
        given = {"event_id": name, "operation_id": None, "time_ms": max(self.world.labels.start_ms, time_ms)}
        return msgspec.structs.replace(event, **(given | changes))


def slow_ramp(past: Past, level: int) -> Poisoned:
    """The account takes more from day to day, by 10, 25 or 50 %, for eight days before."""
    growth = (1.1, 1.25, 1.5)[level]
    added = []
    for attack in past.attacks:
        for usual, _, rows in past.victims(attack):
            for day in range(8, 0, -1):
                at = attack.start_ms - day * DAY_MS
                more = round(max(rows, 20) * (growth ** (9 - day) - 1))
                added.append(past.like(usual, at, rows=more))
    return Poisoned(added)


def made_up_peers(past: Past, level: int) -> Poisoned:
    """So many new accounts take 5,000 rows on each of the ten days before, so that much is usual."""
    added = []
    first = min(attack.start_ms for attack in past.attacks)
    models = [usual for attack in past.attacks for usual, _, _ in past.victims(attack)]
    for number in range((4, 16, 48)[level]):
        model = models[number % len(models)]
        for day in range(10):
            at = first - (10 - day) * DAY_MS + past.random.randrange(HOUR_MS)
            for part in range(5):
                rows = round(1_000 * past.random.lognormvariate(0, 0.3))
                added.append(past.like(model, at + part * MINUTE_MS, rows=rows, actor=f"peer-{number}"))
    return Poisoned(added)


def noise(past: Past, level: int) -> Poisoned:
    """Within two days before, other accounts take 400 rows from a host that nobody knows."""
    added = []
    stolen = {identity for attack in past.attacks for identity in attack.identities}
    others = sorted({event.identity: event for event in past.world.events if event.rows}.items())
    for attack in past.attacks:
        for _ in range((1, 4, 10)[level]):
            name, model = past.random.choice(others)
            if name in stolen:
                continue
            at = attack.start_ms - past.random.randrange(2 * DAY_MS)
            ip = f"198.18.{past.random.randrange(250)}.{past.random.randrange(250)}"
            added += [past.like(model, at + part * MINUTE_MS, rows=100, ip=ip) for part in range(4)]
    return Poisoned(added)


def eviction(past: Past, level: int) -> Poisoned:
    """Before each attack so many made-up identities want to be known, where there is room for few more."""
    room = Settings(detection=msgspec.structs.replace(Settings().detection, most_identities=130))
    added = []
    for attack in past.attacks:
        for usual, _, _ in past.victims(attack):
            for number in range((20, 100, 400)[level]):
                at = attack.start_ms - 12 * HOUR_MS + number * MINUTE_MS
                added.append(past.like(usual, at, rows=1, actor=f"crowd-{attack.id}-{number}"))
    return Poisoned(added, room, room)


def feedback_abuse(past: Past, level: int) -> Poisoned:
    """Mutes of all accounts, sent by a viewer, without a signature, or with a forged one; a worker reads them."""
    topics = TopicNames()
    inputs = OperatorInputs(
        topics,
        keep_days=7,
        on_change=lambda: None,
        fatal=lambda what, error: None,
        connection={},
        signatures=Signatures([KEY], Unsigned.REFUSE),
    )
    signer = (Signatures([KEY]), Signatures(), Signatures([FORGED]))[level]
    names = sorted({identity for attack in past.attacks for identity in attack.identities})
    records = []
    for offset, identity in enumerate(names):
        mute = Decision(
            kind=Kind.MUTE,
            subject=DecisionSubject(identity=identity),
            role="viewer" if level == 0 else "admin",
            time_ms=past.world.labels.start_ms,
            payload={"until_ms": past.world.labels.end_ms + DAY_MS},
        )
        key, value = identity.encode(), encode(mute)
        records.append(
            SimpleNamespace(
                topic=topics.feedback,
                partition=0,
                offset=offset,
                key=key,
                value=value,
                headers=signer.headers(topics.feedback, key, value),
            )
        )
    inputs.take({"": records})
    return Poisoned(decisions=inputs.decisions)


def silence(past: Past, level: int) -> Poisoned:
    """Nothing arrives for 6, 24 or 72 hours before each attack, but for what other attacks do."""
    hours = (6, 24, 72)[level]
    spans = [(attack.start_ms - hours * HOUR_MS, attack.start_ms) for attack in past.attacks]
    acting: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for attack in past.attacks:
        for identity in attack.identities:
            acting[identity].append((attack.start_ms, attack.end_ms))

    def missing(event: AccessEvent) -> bool:
        time_ms = event.time_ms
        if any(first <= time_ms <= last for first, last in acting.get(event.identity, ())):
            return False
        return any(first <= time_ms < last for first, last in spans)

    return Poisoned(missing=missing)


def clock_tricks(past: Past, level: int) -> Poisoned:
    """The account's records are dated nine minutes, a day or 300 days ahead of their arrival."""
    ahead_ms = (9 * MINUTE_MS, DAY_MS, 300 * DAY_MS)[level]
    added = []
    for attack in past.attacks:
        for usual, _, rows in past.victims(attack):
            for number in range(60):
                arrived_ms = attack.start_ms - (60 - number) * HOUR_MS
                event = past.like(usual, arrived_ms + ahead_ms, rows=max(1, rows // 20))
                try:
                    reject_future(event, arrived_ms)
                except RecordError:
                    continue  # as a worker refuses it
                added.append(event)
    return Poisoned(added)


def id_collisions(past: Past, level: int) -> Poisoned:
    """A tenth, half or all of what is taken is preceded by a record of one row with its id and its time."""
    share = (0.1, 0.5, 1.0)[level]
    added = []
    for attack in past.attacks:
        own = {usual.identity: usual for usual, _, _ in past.victims(attack)}
        for event in past.world.events:
            usual = own.get(event.identity)
            if usual is None or not attack.start_ms <= event.time_ms <= attack.end_ms:
                continue
            if past.random.random() < share:
                added.append(
                    past.like(
                        usual, event.time_ms, event_id=event.event_id, rows=1, operation=event.operation
                    )
                )
    return Poisoned(added)


def announced_windows(past: Past, level: int) -> Poisoned:
    """The attack falls into a window that the operator announced: its first two hours, its first day, or all of it."""
    length_ms = (2 * HOUR_MS, DAY_MS, 30 * DAY_MS)[level]
    windows = tuple(
        Announced(
            reason="a migration",
            from_ms=attack.start_ms,
            until_ms=min(attack.start_ms + length_ms, attack.end_ms + DAY_MS),
            identities=tuple(identity.partition("/")[2] for identity in attack.identities),
        )
        for attack in past.attacks
    )
    triage = msgspec.structs.replace(Settings().triage, announced=windows)
    return Poisoned(settings=Settings(triage=triage))


def refused_sign_ins(past: Past, level: int) -> Poisoned:
    """Sign-ins as the account from the attacker's host are refused, over eight days before."""
    count = (1, 15, 200)[level]
    added = []
    for attack in past.attacks:
        for usual, theft, _ in past.victims(attack):
            for number in range(count):
                at = attack.start_ms - 8 * DAY_MS + number * 7 * DAY_MS // count
                added.append(
                    past.like(
                        usual,
                        at,
                        operation=Operation.LOGIN,
                        rows=None,
                        status="failed",
                        ip=theft.ip,
                        user_agent=theft.user_agent,
                        app=theft.app,
                    )
                )
    return Poisoned(added)


def network_made_known(past: Past, level: int) -> Poisoned:
    """The attacker reads five rows a day as the account, from the host that is used later, 1, 3 or 8 days before."""
    added = []
    for attack in past.attacks:
        for usual, theft, _ in past.victims(attack):
            for day in range((1, 3, 8)[level]):
                at = attack.start_ms - (day + 1) * DAY_MS
                own = {"ip": theft.ip, "user_agent": theft.user_agent, "app": theft.app}
                added.append(past.like(usual, at, rows=5, **own))
    return Poisoned(added)


def made_up_tenants(past: Past, level: int) -> Poisoned:
    """Events of made-up tenants every day, where there is room for 20."""
    room = Settings(triage=msgspec.structs.replace(Settings().triage, most_tenants=20))
    model = next(usual for attack in past.attacks for usual, _, _ in past.victims(attack))
    count = (30, 200, 1_000)[level]
    days = range((past.world.labels.end_ms - past.world.labels.start_ms) // DAY_MS)
    added = [
        past.like(
            model,
            past.world.labels.start_ms + day * DAY_MS + number * DAY_MS // count,
            rows=1,
            tenant=f"made-up-{number}",
        )
        for day in days
        for number in range(count)
    ]
    return Poisoned(added, room, room)


STRATEGIES: dict[str, Callable[[Past, int], Poisoned]] = {
    "slow ramp": slow_ramp,
    "made-up peers": made_up_peers,
    "noise of small incidents": noise,
    "eviction": eviction,
    "feedback abuse": feedback_abuse,
    "source silence": silence,
    "clock tricks": clock_tricks,
    "id collisions": id_collisions,
    "announced windows": announced_windows,
    "refused sign-ins": refused_sign_ins,
    "network made known": network_made_known,
    "made-up tenants": made_up_tenants,
}


def losses(
    world: Stage, name: str, plain: dict[bytes, Outcome], levels: Iterable[int] = range(len(STRENGTHS))
) -> list[Outcome]:
    """By strength, how much less is saved; `plain` keeps what is saved without poison, by settings."""
    found = []
    for level in levels:
        poison = STRATEGIES[name](Past(world), level)
        known = msgspec.json.encode(poison.plain)
        if known not in plain:
            plain[known] = outcome(world, poison.plain)
        after = outcome(world, poison.settings, poison)
        before = plain[known]
        found.append(Outcome(before.published - after.published, before.in_budget - after.in_budget))
    return found


def main() -> None:
    """Measure, and print the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seed", type=int, default=3)
    options.add_argument("--days", type=int, default=20)
    options.add_argument("--people", type=int, default=80)
    options.add_argument("--only", default=",".join(STRATEGIES))
    given = options.parse_args()
    logging.getLogger("streams").setLevel(logging.ERROR)  # a line for each refused decision
    world = stage(given.seed, given.days, given.people)
    plain = {msgspec.json.encode(Settings()): outcome(world, Settings())}
    [before] = plain.values()
    print(
        f"{len(world.events):,} events; saved without poison: {before.in_budget:.2f} "
        f"({before.published:.2f})\n"
    )
    print(f"| poison | {' | '.join(STRENGTHS)} |\n| --- {'| --- ' * len(STRENGTHS)}|", flush=True)
    for name in given.only.split(","):
        cells = (f"{loss.in_budget:+.2f} ({loss.published:+.2f})" for loss in losses(world, name, plain))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
