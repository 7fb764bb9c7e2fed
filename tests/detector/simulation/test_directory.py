"""Who is who in simulated worlds."""

from __future__ import annotations

import pytest

from detector.directory import Directory
from detector.directory_entry import DirectoryKind
from detector.directory_file import parse_directory
from detector.simulation import Format, Scenario, Simulation, World
from detector.simulation.company import company
from detector.simulation.directory import as_csv, company_directory, world_directory

COMPANY = company(1, 1_772_409_600_000, 42, 60)
NUMBERS = [one.account.number for one in (*COMPANY.people, *COMPANY.integrations)]
ENTRIES = company_directory(COMPANY, {number: f"t/u{number}" for number in NUMBERS})


def test_everybody_but_visitors_is_in_it() -> None:
    """Each person and each program has an entry with a name and its kind; owners are in it themselves; long holidays
    are there, short illnesses are not."""
    book = Directory(ENTRIES)
    for people, kind in (
        (COMPANY.people, DirectoryKind.HUMAN),
        (COMPANY.integrations, DirectoryKind.INTEGRATION),
    ):
        for one in people:
            entry = book.find(f"u{one.account.number}", "t")
            assert entry is not None
            assert entry.name
            assert entry.kind is kind
    owners = {entry.owner for entry in ENTRIES if entry.owner}
    assert len(owners) > 2
    assert all(book.find(owner) is not None for owner in owners)
    assert {entry.department for entry in ENTRIES} >= {"Customer Care", "Sales"}
    away = [entry for entry in ENTRIES if entry.absent_from_ms is not None]
    assert 0 < len(away) < len(COMPANY.people) / 2


def test_the_file_holds_the_same() -> None:
    """What is written is read back entry for entry, the demo's as well; every name is somebody's own."""
    airline = world_directory(World(seed=1, start_ms=0, hours=1, people=40, integrations=3))
    for entries in (ENTRIES, airline):
        assert parse_directory(as_csv(entries).encode()) == entries
        people = [entry.name for entry in entries if entry.kind is DirectoryKind.HUMAN]
        assert len(set(people)) == len(people) >= 40


@pytest.mark.slow
@pytest.mark.parametrize("form", list(Format))
def test_whoever_acts_is_known_by_the_id_of_the_logs(form: Format) -> None:
    """In every format, whatever that calls its accounts."""
    world = Simulation(Scenario(seed=1, format=form, days=2, people=20, shapes=(), varied=False))
    for _ in world.files():
        pass
    book = Directory(world.directory())
    acting = [one.id for one in world.labels().identities if one.role != "guest"]
    assert len(acting) > 10
    assert all(book.name(*one.split("/")[::-1]) for one in acting)
