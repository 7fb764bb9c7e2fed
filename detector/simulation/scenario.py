"""A labelled world: a company's weeks with attacks, bursts and defects, as files in a vendor's format.

company ──routine, bursts──▶ acts ──attacks──▶ acts ──elf, rtem or ual──▶ files, with labels beside them
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from operator import attrgetter, itemgetter
from random import Random

import msgspec

from detector.adapters import RecordError, decode
from detector.directory_entry import DirectoryEntry
from detector.event import AccessEvent
from detector.simulation.actions import SimulatedAction
from detector.simulation.activity import everything_done, routine, stream_of
from detector.simulation.attacks import Attack, attacks
from detector.simulation.bursts import Burst, Calendar, calendar
from detector.simulation.company import company
from detector.simulation.directory import company_directory
from detector.simulation.distributions import stream
from detector.simulation.elf import HEADERS, Elf
from detector.simulation.labels import AttackLabel, BurstLabel, DefectLabel, IdentityLabel, Labels
from detector.simulation.look_alikes import look_alikes
from detector.simulation.rtem import Rtem
from detector.simulation.shapes import Shape
from detector.simulation.theft import PlannedTheft, thefts
from detector.simulation.traits import ORDINARY, draw_traits
from detector.simulation.truth import AttackTruth
from detector.simulation.ual import Ual
from detector.units import DAY_MS, HOUR_MS

__all__ = ["Format", "LogFile", "Scenario", "Simulation"]

FIRST_MONDAY_MS = 1_771_804_800_000  # 2026-02-23
QUARTER_END_MS = 1_774_915_200_000  # 2026-03-31
_COLUMNS = {event_type: header[1:-1].split('","') for event_type, header in HEADERS.items()}


class Format(StrEnum):
    """In whose format the log is written."""

    ELF = "elf"
    RTEM = "rtem"
    UAL = "ual"


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate."""

    seed: int
    format: Format
    days: int = 42
    people: int | None = None
    """How many people there are; without it the traits say."""
    shapes: tuple[Shape, ...] = tuple(Shape)
    start_ms: int | None = None
    """Midnight UTC of the Monday on which it begins; without it the seed says which."""
    integrations: int | None = None
    """How many programs there are; without it the traits say."""
    calm: bool = False
    """Whether it is an ordinary time at an ordinary company: no bursts, no odd days, no public sites."""
    varied: bool = True
    """Whether the seed draws the company's traits; otherwise it is an ordinary one."""
    thefts: tuple[PlannedTheft, ...] = ()
    """Thefts at chosen times, beside the shapes."""


class LogFile(msgspec.Struct, frozen=True):
    """One file of the log."""

    path: str
    """Relative, with slashes."""
    data: bytes


class Simulation:
    """A world: first its files, then its labels.

    >>> world = Simulation(Scenario(seed=1, format=Format.ELF, days=4, people=8, shapes=()))
    >>> files = [file.path for file in world.files()]
    >>> files[0].startswith("2026-03-02/00_"), world.labels().records > 1000
    (True, True)
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        by_seed_ms = FIRST_MONDAY_MS + scenario.seed % 4 * 7 * DAY_MS
        self._start_ms = by_seed_ms if scenario.start_ms is None else scenario.start_ms
        self.traits = draw_traits(scenario.seed) if scenario.varied and not scenario.calm else ORDINARY
        """The company's."""
        self._company = company(
            scenario.seed,
            self._start_ms,
            scenario.days,
            self.traits.people if scenario.people is None else scenario.people,
            scenario.integrations,
            portals=not scenario.calm,
            traits=self.traits,
        )
        self._look_alikes: tuple[Burst, ...] = ()
        quarter_end = (QUARTER_END_MS - self._start_ms) // DAY_MS
        self._calendar = (
            Calendar(bursts=(), odd_days=False) if scenario.calm else calendar(self._company, quarter_end)
        )
        self.attacks: list[Attack] = []
        """What was carried out; known when the first file is."""
        self._writer = _writer(scenario.format)
        self._random = stream(scenario.seed, "defects", scenario.format)
        self._defects: list[DefectLabel] = []
        self._identities: dict[int, str] = {}
        self._taken: dict[int, list[tuple[int, int]]] = {}
        self._truths: dict[int, AttackTruth] = {}
        self.records = 0
        """Records written so far."""

    def files(self) -> Iterator[LogFile]:
        """The log's files, one hour (and, for ELF, one event type) each, in the order of their arrival."""
        acts = self._acts()
        late: list[tuple[int, str, list[str]]] = []
        hour_acts: list[SimulatedAction] = []
        hour = acts[0].time_ms // HOUR_MS if acts else 0
        for act in acts:
            if act.time_ms // HOUR_MS != hour:
                yield from self._hour(hour, hour_acts, late)
                hour, hour_acts = act.time_ms // HOUR_MS, []
            hour_acts.append(act)
        yield from self._hour(hour, hour_acts, late)
        yield from self._arrived(hour + 100, late)

    def stream(self) -> Iterator[tuple[int, bytes]]:
        """The records as a live log would have them: event time and JSON, in order, without the log's defects.

        They are made a day at a time. Of the attacks only the `thefts` are among them.
        """
        elf = self._scenario.format is Format.ELF
        for act in stream_of(self._company, self._calendar, self._thefts()):
            for event_type, line in self._writer.lines(act):
                yield act.time_ms, _row(event_type, line) if elf else line.encode()

    def directory(self) -> tuple[DirectoryEntry, ...]:
        """Who is who in it; call it when all `files` have been written."""
        return company_directory(self._company, self._identities)

    def labels(self) -> Labels:
        """What is true of it; call it when all `files` have been written."""
        scenario, names = self._scenario, self._identities
        roles = {one.account.number: one.role.value for one in self._company.people}
        roles |= {one.account.number: "integration" for one in self._company.integrations}
        roles |= {one.account.number: "guest" for one in self._company.portals}
        return Labels(
            seed=scenario.seed,
            format=scenario.format.value,
            start_ms=self._start_ms,
            end_ms=self._start_ms + scenario.days * DAY_MS,
            identities=tuple(IdentityLabel(name, roles[number]) for number, name in sorted(names.items())),
            attacks=tuple(self._attack(attack) for attack in self.attacks),
            bursts=tuple(
                BurstLabel(
                    kind=burst.kind.value,
                    identities=tuple(names[number] for number in burst.accounts if number in names) or "all",
                    start_ms=burst.start_ms,
                    end_ms=burst.end_ms,
                )
                for burst in (*self._calendar.bursts, *self._look_alikes)
            ),
            defects=tuple(self._defects),
            records=self.records,
        )

    def record_ids(self) -> Iterator[tuple[str, str, str]]:
        """(attack id, object, record id) of every id that the attacks' records show; call it as the `labels`."""
        for attack in self.attacks:
            for name, record in self._truths[attack.number].record_ids():
                yield _attack_id(attack), name, record

    # --- what happens

    def _acts(self) -> list[SimulatedAction]:
        done = routine(self._company, self._calendar)
        if not self._scenario.calm:
            self._look_alikes = look_alikes(self._company, done)
        self.attacks = [*attacks(self._company, done, self._scenario.shapes), *self._thefts()]
        acts = everything_done(self._company, self._calendar, done, self.attacks)
        for attack in self.attacks:
            self._note(attack)
            self._truths[attack.number] = AttackTruth(attack.networks)
        return acts

    def _thefts(self) -> list[Attack]:
        return thefts(self._company, self._scenario.thefts)

    def _note(self, attack: Attack) -> None:
        """How much has been taken when, as far as this format shows it."""
        exact = 1000 if self._scenario.format is Format.UAL else 1
        taken: list[tuple[int, int]] = []
        total = 0
        for act in sorted(attack.acts, key=attrgetter("time_ms")):
            total += self._writer.shown(act)
            at = act.time_ms // exact * exact
            if taken and taken[-1][0] == at:
                taken[-1] = (at, total)
            elif not taken or taken[-1][1] < total:
                taken.append((at, total))
        self._taken[attack.number] = taken

    def _attack(self, attack: Attack) -> AttackLabel:
        times = [act.time_ms for act in attack.acts]
        truth = self._truths[attack.number]
        return AttackLabel(
            id=_attack_id(attack),
            shape=attack.shape,
            level=attack.level,
            manner=attack.manner,
            identities=tuple(
                self._identities[number] for number in attack.accounts if number in self._identities
            ),
            networks=attack.networks,
            start_ms=min(times) // 1000 * 1000,
            end_ms=max(times),
            taken=tuple(self._taken[attack.number]),
            agents=tuple(truth.agents),
            apps=tuple(truth.apps),
            sessions=tuple(truth.sessions),
            objects=truth.objects(),
            persons=truth.persons(),
            reconnaissance=truth.reconnaissance(),
            origin=truth.origin(),
        )

    # --- how it is logged

    def _hour(
        self, hour: int, acts: list[SimulatedAction], late: list[tuple[int, str, list[str]]]
    ) -> Iterator[LogFile]:
        yield from self._arrived(hour, late)
        random, traits = self._random, self.traits
        lines = self._writer.lines
        by_type: dict[str, list[str]] = {}
        touched: set[str] = set()
        for act in acts:
            written = lines(act)
            if act.attack:
                events = [self._event(event_type, line) for event_type, line in written]
                self._truths[act.attack].add(act, self._writer.shown(act), events)
            for event_type, line in written:
                found = by_type.get(event_type)
                if found is None:
                    found = by_type[event_type] = []
                found.append(line)
                if act.attack:
                    touched.add(event_type)
                if act.account.number not in self._identities:
                    self._identities[act.account.number] = self._event(event_type, line).identity
        if self._scenario.format is not Format.ELF:
            touched = {""} if touched else set()
            by_type = {"": [line for act_lines in by_type.values() for line in act_lines]} if by_type else {}
        for event_type in sorted(by_type):
            rows = by_type[event_type]
            if event_type not in touched and random.random() < traits.missing:
                self._defect("missing_hour", hour, len(rows), event_type)
                continue
            rows = self._damaged(random, rows, hour, event_type, spare=event_type in touched)
            name = f"_{event_type}" if event_type else ""
            if random.random() < traits.late:
                self._defect("late_hour", hour, len(rows), event_type)
                late.append(
                    (hour + random.randrange(3, traits.late_hours), f"late_{hour % 24:02d}{name}", rows)
                )
            elif len(rows) > 20 and random.random() < traits.split:
                self._defect("split_hour", hour, len(rows), event_type)
                half = len(rows) // 2
                yield self._file(hour, f"{name}_part1", rows[:half])
                yield self._file(hour, f"{name}_part2", rows[half:], turned=True)
            else:
                yield self._file(hour, name, rows)

    def _arrived(self, hour: int, late: list[tuple[int, str, list[str]]]) -> Iterator[LogFile]:
        due = [entry for entry in late if entry[0] <= hour]
        for entry in sorted(due, key=itemgetter(0)):
            late.remove(entry)
            yield self._file(entry[0], f"_{entry[1]}", entry[2])

    def _file(self, hour: int, name: str, rows: list[str], *, turned: bool = False) -> LogFile:
        self.records += len(rows)
        day = datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%d")
        if self._scenario.format is not Format.ELF:
            return LogFile(f"{day}/{hour % 24:02d}{name}.jsonl", "\n".join([*rows, ""]).encode())
        header = HEADERS[next(part for part in name.split("_") if part in HEADERS)]
        rows = [header, *rows]
        if turned:  # as another version of the API writes it: the same columns in another order
            rows = [_turned(row) for row in rows]
        return LogFile(f"{day}/{hour % 24:02d}{name}.csv", "\n".join([*rows, ""]).encode())

    def _damaged(
        self, random: Random, rows: list[str], hour: int, event_type: str, *, spare: bool
    ) -> list[str]:
        """Some rows twice; and, unless an attack's are among them, some broken off."""
        count = len(rows)
        twice = sum(random.random() < self.traits.duplicated * 50 for _ in range(count // 50 + 1))
        for _ in range(min(twice, count)):
            at = random.randrange(count)
            rows = [*rows[: at + 1], rows[at], *rows[at + 1 :]]
            self._defect("duplicated", hour, 1, event_type)
        broken = sum(random.random() < self.traits.malformed * 50 for _ in range(count // 50 + 1))
        for _ in range(0 if spare else min(broken, count)):
            at = random.randrange(count)
            rows[at] = rows[at][: 20 + random.randrange(60)]
            self._defect("malformed", hour, 1, event_type)
        return rows

    def _defect(self, kind: str, hour: int, records: int, event_type: str) -> None:
        self._defects.append(
            DefectLabel(
                kind=kind,
                start_ms=hour * HOUR_MS,
                end_ms=(hour + 1) * HOUR_MS,
                records=records,
                event_type=event_type,
            )
        )

    def _event(self, event_type: str, line: str) -> AccessEvent:
        """What the adapter makes of a record."""
        record = _row(event_type, line) if self._scenario.format is Format.ELF else line.encode()
        try:
            return decode(record, "simulation")
        except RecordError as error:  # it would be a fault of the simulation's own
            raise AssertionError(str(error)) from error


def _attack_id(attack: Attack) -> str:
    return f"{attack.shape.value}-{attack.level.value}"


def _writer(log_format: Format) -> Elf | Rtem | Ual:
    if log_format is Format.ELF:
        return Elf()
    return Rtem() if log_format is Format.RTEM else Ual()


def _row(event_type: str, line: str) -> bytes:
    """An event log file's row as a JSON object."""
    return msgspec.json.encode(dict(zip(_COLUMNS[event_type], line[1:-1].split('","'), strict=True)))


def _turned(row: str) -> str:
    return '"' + '","'.join(reversed(row[1:-1].split('","'))) + '"'
