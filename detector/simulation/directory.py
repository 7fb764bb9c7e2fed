"""The directory of a simulated company: invented names, managers, and suppliers of its apps."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from detector.directory_entry import DirectoryEntry, DirectoryKind
from detector.simulation.company import Company, Employee, JobRole
from detector.simulation.distributions import stream
from detector.simulation.world import World, accounts
from detector.trait import network
from detector.units import DAY_MS

__all__ = ["as_csv", "company_directory", "world_directory"]

MAIL_DOMAIN = "skyward.example.com"
LEAST_AWAY_DAYS = 5
"""Shorter absences are not in a directory."""
_FIRST_NAMES = (
    "Anna", "Bas", "Chloé", "Dario", "Elif", "Femke", "Goran", "Hana", "Inés", "Jonas", "Kemal", "Nadia",
    "Omar", "Petra", "Quentin", "Rosa", "Sven", "Tuva", "Umut", "Vera", "Wim", "Yara", "Zoltan",
)  # fmt: skip
_LAST_NAMES = (
    "Aalto", "Bakker", "Costa", "Duval", "Eriksen", "Fischer", "García", "Haas", "Ivanov", "Kaya", "Lindqvist",
    "Moreau", "Novák", "Okafor", "Petit", "Rossi", "Sato", "Tran", "Vogel",
)  # fmt: skip
_DEPARTMENTS = {
    JobRole.AGENT: "Customer Care",
    JobRole.SUPERVISOR: "Customer Care",
    JobRole.SALES: "Sales",
    JobRole.ANALYST: "Analytics",
    JobRole.MARKETING: "Marketing",
    JobRole.BACK_OFFICE: "Back Office",
    JobRole.ADMIN: "CRM Operations",
}
_SITES = ("Lyon", "Bristol", "Boston", "Singapore", "Lahore")
_SUPPLIERS = ("Harbour Software", "Quill & Sons", "Northwind Data", "Lumen Works", "in-house")
_COLUMNS = (
    "id", "name", "mail", "owner", "department", "kind", "site", "supplier", "networks", "absent_from", "absent_to",
)  # fmt: skip


def company_directory(company: Company, identities: Mapping[int, str]) -> tuple[DirectoryEntry, ...]:
    """Those of a company whose identity (``tenant/actor``) is known by the number of the account.

    Nobody else is in it; a company that keeps its directory badly leaves some of them out.
    """
    identities = {
        number: identity
        for number, identity in identities.items()
        if stream(company.seed, "directory", number).random() < company.traits.directory
    }
    people = [person for person in company.people if person.account.number in identities]
    bosses = [one for one in people if one.role is JobRole.SUPERVISOR] or people
    owners = [one for one in people if one.role in (JobRole.ADMIN, JobRole.MARKETING)] or people
    entries = [
        _entry(company, person, identities, bosses[place % len(bosses)])
        for place, person in enumerate(people)
    ]
    for place, program in enumerate(company.integrations):
        if program.account.number not in identities:
            continue
        title = _title(program.app.name)
        supplier = _SUPPLIERS[place % len(_SUPPLIERS)]
        owner = _name(owners[place % len(owners)].account.number) if owners else ""
        where = network(program.ip)
        entries.append(
            DirectoryEntry(
                id=_account(identities, program.account.number), name=title, owner=owner, supplier=supplier,
                kind=DirectoryKind.INTEGRATION, networks=(where,) if where else (),
            )
        )  # fmt: skip
        entries.append(
            DirectoryEntry(
                id=f"0H44R{program.app.number:010d}", name=title, aliases=(program.app.name,), owner=owner,
                supplier=supplier, kind=DirectoryKind.APP,
            )
        )  # fmt: skip
    return tuple(entries)


def world_directory(world: World) -> tuple[DirectoryEntry, ...]:
    """Everybody of the demo's airline."""
    people, programs = accounts(world)
    entries = [
        DirectoryEntry(
            id=user, name=_name(number), mail=_mail(number), owner=_name(number // 12 * 12),
            department="Analytics" if number % 12 == 0 else "Customer Care", kind=DirectoryKind.HUMAN,
            site=_SITES[number % 2],
        )
        for number, user in enumerate(people)
    ]  # fmt: skip
    for number, (user, app, ip) in enumerate(programs):
        title, supplier = _title(app), _SUPPLIERS[number % len(_SUPPLIERS)]
        owner = _name(12 * (number % max(1, (world.people + 11) // 12)))
        where = network(ip)
        entries += [
            DirectoryEntry(
                id=user, name=title, owner=owner, supplier=supplier, kind=DirectoryKind.INTEGRATION,
                networks=(where,) if where else (),
            ),
            DirectoryEntry(
                id=f"0H44R{number:010d}", name=title, owner=owner, supplier=supplier, kind=DirectoryKind.APP
            ),
        ]  # fmt: skip
    return tuple(entries)


def as_csv(entries: Iterable[DirectoryEntry]) -> str:
    """The entries as a file of the directory."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow((*_COLUMNS, "aliases"))
    for entry in entries:
        since_ms, until_ms = entry.absent_from_ms, entry.absent_until_ms
        table.writerow(
            (
                entry.id, entry.name, entry.mail, entry.owner, entry.department,
                "" if entry.kind is None else entry.kind.value, entry.site, entry.supplier, ";".join(entry.networks),
                "" if since_ms is None else _day(since_ms), "" if until_ms is None else _day(until_ms - DAY_MS),
                ";".join(entry.aliases),
            )
        )  # fmt: skip
    return text.getvalue()


def _entry(
    company: Company, person: Employee, identities: Mapping[int, str], boss: Employee
) -> DirectoryEntry:
    away = _longest(person.away)
    return DirectoryEntry(
        id=_account(identities, person.account.number),
        name=_name(person.account.number),
        mail=_mail(person.account.number),
        owner=_name(boss.account.number) if boss is not person else "",
        department=_DEPARTMENTS[person.role],
        kind=DirectoryKind.HUMAN,
        site=_SITES[person.office % len(_SITES)],
        absent_from_ms=company.start_ms + away[0] * DAY_MS if away else None,
        absent_until_ms=company.start_ms + (away[1] + 1) * DAY_MS if away else None,
    )


def _longest(days: Iterable[int]) -> tuple[int, int] | None:
    """The longest run of days, first and last; ``None`` if none is long enough to be in a directory."""
    best: tuple[int, int] | None = None
    first = last = -2
    for day in sorted(days):
        first, last = (first, day) if day == last + 1 else (day, day)
        if last - first + 1 >= LEAST_AWAY_DAYS and (best is None or last - first > best[1] - best[0]):
            best = first, last
    return best


def _account(identities: Mapping[int, str], number: int) -> str:
    return identities[number].partition("/")[2]


def _name(number: int) -> str:
    """Somebody's name: each has another as long as there are fewer than some ten thousand."""
    first, rest = number % len(_FIRST_NAMES), number // len(_FIRST_NAMES)
    last, further = (number + rest) % len(_LAST_NAMES), number // (len(_FIRST_NAMES) * len(_LAST_NAMES))
    initial = f" {chr(ord('A') + (further - 1) % 26)}." if further else ""
    return f"{_FIRST_NAMES[first]}{initial} {_LAST_NAMES[last]}"


def _mail(number: int) -> str:
    return f"person{number}@{MAIL_DOMAIN}"


def _title(app: str) -> str:
    return app.replace("-", " ").replace("_", " ").title()


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date().isoformat()
