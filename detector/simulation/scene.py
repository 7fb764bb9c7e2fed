"""The stage of an attack: its victims, their usual acts, and free times to act."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from detector.event import Operation
from detector.simulation.actions import ActionRecorder, App, Interface, SimulatedAction
from detector.simulation.company import RECORDS, Company, Employee, Integration, JobRole
from detector.simulation.distributions import stream
from detector.simulation.shapes import Difficulty, Shape
from detector.units import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = ["FIRST_FOREIGN_APP", "WARM_DAYS", "Attack", "Scene"]

WARM_DAYS = 14
"""No attack begins before this day, or before half of a shorter world."""
FIRST_FOREIGN_APP = 800
"""The number of the first app that belongs to an attacker."""
_SESSIONS = 970_000_000


class Attack(msgspec.Struct, frozen=True):
    """One attack as it was carried out."""

    number: int
    shape: Shape
    level: Difficulty
    accounts: tuple[int, ...]
    networks: tuple[str, ...]
    """The attacker's own addresses; none where only the account's own were used."""
    acts: list[SimulatedAction]


class Scene:
    """What a play needs: a generator, victims and what they usually do."""

    def __init__(
        self,
        company: Company,
        done: dict[int, list[SimulatedAction]],
        used: set[int],
        number: int,
        shape: Shape,
        level: Difficulty,
    ) -> None:
        self.random = stream(company.seed, "attack", shape)
        self.company = company
        self.done = done
        self.used = used
        self.number = number
        self.shape = shape
        self.level = level
        self.acts: list[SimulatedAction] = []
        self.first = min(WARM_DAYS, company.days // 2)
        self.sessions = _SESSIONS + number * 10_000

    def by_level(self, easy: float, medium: float, hard: float) -> float:
        """One of three numbers, give or take a quarter."""
        value = (easy, medium, hard)[list(Difficulty).index(self.level)]
        return value * self.random.uniform(0.75, 1.25)

    def pick(self, level: tuple[int, int, int]) -> int:
        """One of three whole numbers, as it is."""
        return level[list(Difficulty).index(self.level)]

    @property
    def easy(self) -> bool:
        """Whether it is to be loud."""
        return self.level is Difficulty.EASY

    @property
    def hard(self) -> bool:
        """Whether it is to be hidden as well as can be."""
        return self.level is Difficulty.HARD

    def person(
        self, *roles: JobRole, test: Callable[[Employee], bool] = lambda person: True
    ) -> Employee | None:
        """Somebody of these roles who has worked from the beginning, works yet, and is no victim so far."""
        free = [one for one in self.company.people if self._free(one)]
        wanted = [one for one in free if one.role in roles and test(one)]
        wanted = wanted or [one for one in free if one.role in roles] or free
        return self.take(self.random.choice(wanted)) if wanted else None

    def people(self, count: int) -> list[Employee]:
        """So many people, or half of those who are left."""
        free = [one for one in self.company.people if self._free(one)]
        return [self.take(one) for one in self.random.sample(free, min(count, len(free) // 2))]

    def take(self, person: Employee) -> Employee:
        """Make somebody a victim."""
        self.used.add(person.account.number)
        return person

    def _free(self, person: Employee) -> bool:
        known = len(self.workdays(person.account.number, self.first, 6)) > 3
        stays = person.first_day == 0 and person.last_day >= self.company.days
        return known and stays and person.account.number not in self.used

    def day(self, length: int) -> int:
        """A first day for something of so many days."""
        return self.random.randrange(self.first, max(self.first + 1, self.company.days - length - 1))

    def at(self, day: int, hour: float, zone_hours: int = 0) -> int:
        """A time near an hour of a day, local to a zone."""
        base = self.company.start_ms + day * DAY_MS + int((hour - zone_hours) * HOUR_MS)
        return base + self.random.randrange(20 * MINUTE_MS)

    def worked(self, account: int) -> dict[int, list[SimulatedAction]]:
        """An account's ordinary acts by the day on which they began (a night shift's day is the evening's).

        What the CRM does by itself for the account, from no address, is left out.
        """
        days: dict[int, list[SimulatedAction]] = {}
        for act in self.done[account]:
            if act.ip:
                days.setdefault(act.session // 100 % 1000, []).append(act)
        return days

    def workdays(self, account: int, first: int, count: int) -> list[list[SimulatedAction]]:
        """What the account did on its next workdays from a day on, at most so many.

        If there are fewer left, then on its last ones since the warm-up.
        """
        days = self.worked(account)
        full = [days[day] for day in sorted(days) if day >= self.first and len(days[day]) > 3]
        begin = sum(day < first and len(days[day]) > 3 for day in days if day >= self.first)
        return full[begin:][:count] if len(full) - begin >= min(count, 2) else full[-count:]

    def usual(self, account: int, *operations: Operation) -> float:
        """Rows on a usual day of the account's, by these operations or by all."""
        rows = [
            sum(act.rows for act in acts if not operations or act.operation in operations)
            for acts in self.worked(account).values()
        ]
        rows = sorted(row for row in rows if row)
        return float(rows[len(rows) // 2]) if rows else 1.0

    def hand(
        self,
        whose: Employee | Integration,
        ip: str,
        agent: str,
        way: Interface = Interface.PAGE,
        app: App | None = None,
    ) -> ActionRecorder:
        """The victim's account in the attacker's hand, in a session of its own."""
        self.sessions += 1
        return ActionRecorder(self.acts, whose.account, ip, agent, self.sessions, way, app, self.number)

    def own_hand(self, acts: list[SimulatedAction], way: Interface = Interface.PAGE) -> ActionRecorder:
        """The account's own session of a day."""
        first = next((act for act in acts if act.session % 100 == 0), acts[0])  # the browser's, not a tool's
        hand = ActionRecorder(
            self.acts, first.account, first.ip, first.agent, first.session, way, None, self.number
        )
        hand.jobs = first.session * 1000 + 900
        return hand

    def record(self, kind: str) -> int:
        """Any record of a kind."""
        return 1 + int(self.random.random() * RECORDS[kind])

    def result(self, accounts: Iterable[int], networks: Iterable[str]) -> list[Attack]:
        """The attack, unless nothing came of it."""
        self.acts.sort(key=lambda act: act.time_ms)
        acts = [act for act in self.acts if act.time_ms < self.company.end_ms]
        if not acts:
            return []
        networks = tuple(dict.fromkeys(networks))
        return [Attack(self.number, self.shape, self.level, tuple(accounts), networks, acts)]
