"""The stage of an attack: its victims, their usual acts, and free times to act."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

import msgspec

from detector.event import Operation
from detector.simulation.actions import ActionRecorder, App, Interface, SimulatedAction
from detector.simulation.addresses import home_ip, mobile_ip, rented_ip, tor_ip, vpn_ip
from detector.simulation.company import RECORDS, Company, Employee, Integration, JobRole
from detector.simulation.distributions import stream
from detector.simulation.manner import AttackHours, AttackPlace, draw_manner
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
    manner: dict[str, str | bool | int | float] = {}
    """The aspects of its `Manner` that it follows, by name."""


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
        self.manner = draw_manner(self.random, level, company.days - self.first)

    def between(
        self, easy: tuple[float, float], medium: tuple[float, float], hard: tuple[float, float]
    ) -> float:
        """A number from the range of the level, evenly in its logarithm."""
        low, high = {Difficulty.EASY: easy, Difficulty.MEDIUM: medium}.get(self.level, hard)
        return low * float((high / low) ** self.random.random())

    def count(self, easy: tuple[int, int], medium: tuple[int, int], hard: tuple[int, int]) -> int:
        """A whole number from the range of the level."""
        return max(1, round(self.between(easy, medium, hard)))

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
        """A first day for something of so many days, the last of which is not the world's last."""
        return self.random.randrange(self.first, max(self.first + 1, self.company.days - length - 1))

    def at(self, day: int, hour: float, zone_hours: int = 0) -> int:
        """A time near an hour of a day, local to a zone."""
        base = self.company.start_ms + day * DAY_MS + int((hour - zone_hours) * HOUR_MS)
        return base + self.random.randrange(20 * MINUTE_MS)

    def foreign_ip(self, number: int, place: AttackPlace | None = None) -> str:
        """An address in a network of the manner's kind, or another kind; `number` is the victim's.

        A home of the same provider stands for the account's own network, which somebody outside does not have.
        """
        random, place = self.random, place or self.manner.place
        if place in (AttackPlace.OWN, AttackPlace.HOME):
            provider = number % 23 if place is AttackPlace.OWN else random.randrange(23)
            return home_ip(23 * (1_000 + random.randrange(400)) + provider, 99)
        return _ADDRESSES[place](random)

    def moment(self, acts: list[SimulatedAction]) -> int:
        """A time on a day of which these are the account's acts: amid them, in the evening after, or at night."""
        if self.manner.hours is AttackHours.WORK:
            return acts[int(self.random.uniform(0.1, 0.6) * len(acts))].time_ms
        low, high = (0.3, 3.5) if self.manner.hours is AttackHours.EVENING else (5, 9)
        return acts[-1].time_ms + int(self.random.uniform(low, high) * HOUR_MS)

    def spray(self, ips: Sequence[str], agent: str, at: int, count: int) -> None:
        """Try passwords on other accounts, in vain, until a time."""
        names = [one.account for one in self.company.people]
        self.sessions += 1
        for account in self.random.sample(names, min(count, len(names))):
            at -= int(1000 * self.random.uniform(5, 240))
            hand = ActionRecorder(
                self.acts, account, self.random.choice(ips), agent, self.sessions, attack=self.number
            )
            hand.scouting = True
            hand.login(max(at, self.company.start_ms + self.first * DAY_MS), "LOGIN_ERROR_INVALID_PASSWORD")

    def worked(self, account: int) -> dict[int, list[SimulatedAction]]:
        """An account's ordinary acts by the day on which they began (a night shift's day is the evening's).

        What the CRM does by itself for the account, from no address, is left out, and what others attempt.
        """
        days: dict[int, list[SimulatedAction]] = {}
        for act in self.done[account]:
            if act.ip and act.session < _SESSIONS:
                days.setdefault(act.session // 100 % 1000, []).append(act)
        return days

    def workdays(self, account: int, first: int, count: int) -> list[list[SimulatedAction]]:
        """What the account did on its next workdays from a day on, at most so many.

        If there are fewer left, then on its last ones since the warm-up.
        """
        warm_ms = (
            self.company.start_ms + self.first * DAY_MS
        )  # east of Greenwich a day begins on the one before
        days = {day: acts for day, acts in self.worked(account).items() if acts[0].time_ms >= warm_ms}
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
        if not any(act.rows for act in acts):
            return []
        networks = tuple(dict.fromkeys(networks))
        return [Attack(self.number, self.shape, self.level, tuple(accounts), networks, acts)]


_ADDRESSES: dict[AttackPlace, Callable[[Random], str]] = {
    AttackPlace.MOBILE: mobile_ip,
    AttackPlace.HOSTING: rented_ip,
    AttackPlace.VPN: vpn_ip,
    AttackPlace.TOR: tor_ip,
}
