from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import pytest

from detector.simulation import Format, Scenario, Simulation
from detector.simulation.actions import ActionRecorder, App, Interface, Login, SimulatedAction
from detector.simulation.elf import HEADERS
from detector.simulation.labels import AttackLabel
from detector.simulation.read_records import record_numbers
from detector.simulation.shapes import Shape
from detector.simulation.theft import PlannedTheft
from detector.units import HOUR_MS
from tests.detector.simulation.worlds import decoded, world

FORMATS = list(Format)
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday


def attack(log_format: Format, shape: Shape, seed: int = 1) -> AttackLabel:
    """The label of a world's attack of a shape."""
    return next(one for one in world(log_format, seed)[2].attacks if one.shape is shape)


def test_pages_of_a_query_read_other_records_than_one_another() -> None:
    """A query of 4,500 rows reads 4,500 records; a refused view none."""
    acts: list[SimulatedAction] = []
    hand = ActionRecorder(acts, Login(7, "a", "human"), "", "", 70_100, Interface.REST, App(3, "app"))  # type: ignore[arg-type]
    hand.query(0, "Case", 4_500, "SELECT Id FROM Case")
    hand.view(0, "Case", 5, status="A")
    assert [len(record_numbers(act)) for act in acts] == [2_000, 2_000, 500, 0]
    assert len({number for act in acts for number in record_numbers(act)}) == 4_500


@pytest.mark.slow
@pytest.mark.parametrize("log_format", FORMATS)
def test_what_comes_from_the_attackers_own_networks_is_in_the_label(log_format: Format) -> None:
    """Every agent, app, session, object and identity of these records is named; the first of them is the origin."""
    foreign = [one for one in world(log_format)[2].attacks if one.networks]
    assert foreign
    for one in foreign:
        found = [event for event in decoded(log_format) if event.ip in one.networks]
        assert {event.user_agent for event in found} - {None} <= set(one.agents)
        assert {event.app for event in found} - {None} <= set(one.apps)
        assert {event.session for event in found} - {None} <= set(one.sessions)
        assert one.origin is not None
        assert one.origin.first_ms == found[0].time_ms
        assert set(one.origin.identities) >= {event.identity for event in found}
        assert one.origin.identities[0] == one.origin.identity


@pytest.mark.slow
@pytest.mark.parametrize("log_format", FORMATS)
def test_rows_by_object_add_up_to_what_was_taken(log_format: Format) -> None:
    """No more distinct records are read, downloaded or shown by id than the log's rows and the world allow."""
    for one in world(log_format)[2].attacks:
        assert sum(each.rows for each in one.objects) == one.taken[-1][1]
        for each in one.objects:
            assert each.records > 0
            assert each.downloaded <= each.records
            assert each.ids <= each.records


@pytest.mark.slow
@pytest.mark.parametrize("log_format", FORMATS)
def test_the_listed_record_ids_are_those_of_the_records(log_format: Format) -> None:
    """As many per attack as its label says, and from an attacker's own networks exactly those in the log."""
    simulation, _, labels = world(log_format)
    listed: dict[str, set[str]] = defaultdict(set)
    for name, _, record in simulation.record_ids():
        listed[name].add(record)
    for one in labels.attacks:
        assert len(listed[one.id]) == sum(each.ids for each in one.objects)
        if one.networks and one.shape is not Shape.LOOKALIKE_APP:
            shown = {
                record
                for event in decoded(log_format)
                if event.ip in one.networks and event.rows
                for record in event.record_ids
            }
            assert shown <= listed[one.id]


@pytest.mark.slow
def test_a_fetched_job_is_downloaded_and_one_that_only_ran_is_not() -> None:
    """Real-time events show the fetching; event log files do not, so that nothing there is known to have left."""
    theft = PlannedTheft(start_ms=START_MS + HOUR_MS, rows=1_000)
    for log_format, downloaded in ((Format.RTEM, 1_000), (Format.ELF, 0)):
        scenario = Scenario(
            seed=1,
            format=log_format,
            days=1,
            people=3,
            shapes=(),
            calm=True,
            start_ms=START_MS,
            thefts=(theft,),
        )
        simulation = Simulation(scenario)
        assert sum(1 for _ in simulation.files()) > 5
        [one] = simulation.labels().attacks
        assert sum(each.downloaded for each in one.objects) == downloaded
        assert sum(each.records for each in one.objects) >= 1_000


@pytest.mark.slow
@pytest.mark.parametrize("log_format", FORMATS)
def test_reconnaissance_comes_before_the_taking(log_format: Format) -> None:
    """A stolen token looks around from an address of the attacker's own, before most of the rows are taken."""
    one = attack(log_format, Shape.STOLEN_TOKEN)
    found = one.reconnaissance
    assert one.manner["scouts"]
    assert found is not None
    assert one.start_ms <= found.first_ms <= found.last_ms < one.end_ms
    assert set(found.networks) <= set(one.networks)
    assert max((rows for at, rows in one.taken if at <= found.last_ms), default=0) < one.taken[-1][1] / 2


@pytest.mark.slow
def test_missing_hours_say_of_which_type() -> None:
    """Event log files are missing by type, and no file of that type and hour is in the log."""
    for seed in (1, 2):
        _, files, labels = world(Format.ELF, seed)
        missing = [one for one in labels.defects if one.kind == "missing_hour"]
        assert missing
        paths = {file.path for file in files}
        for one in missing:
            day = datetime.fromtimestamp(one.start_ms / 1000, UTC)
            assert one.event_type in HEADERS
            assert f"{day:%Y-%m-%d/%H}_{one.event_type}.csv" not in paths
