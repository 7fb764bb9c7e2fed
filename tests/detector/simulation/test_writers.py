from __future__ import annotations

from collections import defaultdict

import msgspec
import pytest

from detector.adapters import decode
from detector.event import AccessEvent, ActorKind, Operation
from detector.identity.ledger import Ledger, count
from detector.simulation import Format
from detector.simulation.actions import ActionRecorder, App, Interface, Login, SimulatedAction
from detector.simulation.elf import HEADERS, Elf
from detector.simulation.rtem import Rtem
from detector.simulation.ual import Ual
from tests.detector.simulation.worlds import decoded, world

WRITERS = {Format.ELF: Elf, Format.RTEM: Rtem, Format.UAL: Ual}
TIME_MS = 1_772_409_600_123
SEEDS = (1, 2, 3)


def events(log_format: Format, writer: Elf | Rtem | Ual, act: SimulatedAction) -> list[AccessEvent]:
    """What an act's records decode to."""
    found = []
    for event_type, line in writer.lines(act):
        record = line.encode()
        if log_format is Format.ELF:
            names = HEADERS[event_type][1:-1].split('","')
            record = msgspec.json.encode(dict(zip(names, line[1:-1].split('","'), strict=True)))
        found.append(decode(record, "w:1"))
    return found


def acts(kind: ActorKind = ActorKind.HUMAN, way: Interface = Interface.PAGE) -> ActionRecorder:
    """An empty-handed account."""
    return ActionRecorder(
        [], Login(7, "anna@skyward.example.com", kind), "203.0.113.9", "agent/1", 70_100, way, App(3, "app")
    )


OPERATIONS = {
    "login": {Format.ELF: "login", Format.RTEM: "login", Format.UAL: "login"},
    "view": {Format.ELF: "record_view", Format.RTEM: "record_view", Format.UAL: "record_view"},
    "list_view": {Format.ELF: "list_view", Format.RTEM: "list_view", Format.UAL: "query"},
    "search": {Format.ELF: "search", Format.UAL: "query"},
    "write": {Format.ELF: "write", Format.RTEM: "write", Format.UAL: "write"},
    "download": {Format.ELF: "file_download", Format.RTEM: "file_download", Format.UAL: "file_download"},
    "report": {Format.ELF: "report", Format.RTEM: "report", Format.UAL: "query"},
    "export": {Format.ELF: "report_export", Format.RTEM: "report_export", Format.UAL: "report_export"},
    "admin": {Format.ELF: "admin", Format.RTEM: "admin", Format.UAL: "admin"},
    "describe": {Format.ELF: "describe"},
    "limits": {Format.ELF: "other"},
    "count": {Format.ELF: "count", Format.RTEM: "count", Format.UAL: "count"},
    "query": {Format.ELF: "query", Format.RTEM: "query", Format.UAL: "query"},
    "bulk": {Format.ELF: "bulk_export", Format.RTEM: "query", Format.UAL: "query"},
}
"""What each thing done is to become in each format; where it is missing, the format does not show it."""


def done(name: str) -> list[SimulatedAction]:
    """One thing done, by its name in `OPERATIONS`."""
    programs = {"describe", "limits", "count", "query", "bulk"}
    hand = acts(way=Interface.REST if name in programs else Interface.PAGE)
    {
        "login": lambda: hand.login(TIME_MS),
        "view": lambda: hand.view(TIME_MS, "Case", 5),
        "list_view": lambda: hand.list_view(TIME_MS, "Case", 31),
        "search": lambda: hand.search(TIME_MS, "Case", 4),
        "write": lambda: hand.write(TIME_MS, "Case", 5),
        "download": lambda: hand.download(TIME_MS, 5, 9_000),
        "report": lambda: hand.report(TIME_MS, "Case", 170, 3),
        "export": lambda: hand.report(TIME_MS, "Case", 4_500, 3, export=True),
        "admin": lambda: hand.admin(TIME_MS),
        "describe": lambda: hand.describe(TIME_MS, "Case"),
        "limits": lambda: hand.limits(TIME_MS),
        "count": lambda: hand.count(TIME_MS, "Case"),
        "query": lambda: hand.query(
            TIME_MS, "Case", 4_700, "SELECT Id FROM Case WHERE LastModifiedDate >= :since"
        ),
        "bulk": lambda: hand.bulk(TIME_MS, "Case", 9_000, "SELECT Id FROM Case", 200_000, delete_ms=24_000),
    }[name]()
    return hand.acts


@pytest.mark.parametrize("log_format", list(Format))
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_act_becomes_the_event_that_was_meant(name: str, log_format: Format) -> None:
    """Who, when, from where, what and how much, through the vendor's own adapter; or no record at all."""
    writer = WRITERS[log_format]()
    made = done(name)
    found = [event for act in made for event in events(log_format, writer, act)]
    expected = OPERATIONS[name].get(log_format)
    if expected is None:
        assert found == []
        return
    assert expected in {event.operation.value for event in found}
    assert {event.ip for event in found} == {"203.0.113.9"}
    assert len({event.identity for event in found}) == 1
    assert {event.user_agent for event in found} <= {"agent/1", None}
    seconds = {act.time_ms // 1000 for act in made}
    assert {event.time_ms // 1000 for event in found} <= seconds
    ledger = Ledger(recent={}, operations={})
    counted = [count(ledger, event) for event in found]
    assert sum(one.rows for one in counted if one is not None) == sum(writer.shown(act) for act in made)


def test_a_deleted_job_shows_in_event_log_files_alone() -> None:
    """As does everything about a job but its batches."""
    made = done("bulk")
    shown = {
        log_format: {
            event.operation for act in made for event in events(log_format, WRITERS[log_format](), act)
        }
        for log_format in Format
    }
    assert shown[Format.ELF] == {Operation.BULK_EXPORT, Operation.EXPORT_DELETE}
    assert shown[Format.RTEM] == {Operation.QUERY, Operation.BULK_EXPORT}
    assert shown[Format.UAL] == {Operation.QUERY}


def test_a_long_result_is_cut_into_parts_that_belong_together() -> None:
    """Each part of a unified audit log's record is at most 3 KB and lists other rows; all share a correlation."""
    writer = Ual()
    [act] = done("list_view")
    act.rows = 500
    lines = [line for _, line in writer.lines(act)]
    assert len(lines) == 10
    assert all(len(line) < 3_072 for line in lines)
    found = [decode(line.encode(), "w:1") for line in lines]
    assert len({event.operation_id for event in found}) == 1
    assert len({event.event_id for event in found}) == 10
    assert sum(event.rows or 0 for event in found) == 500
    assert len({record for event in found for record in event.record_ids}) == 500


def test_addresses_of_either_kind_come_through() -> None:
    """With a port, in brackets or bare; what the CRM does by itself has none."""
    for log_format in Format:
        for ip in ("203.0.113.9", "2001:db8:5:1a2::7", ""):
            hand = acts()
            hand.ip = ip
            for record in range(4):
                hand.view(TIME_MS, "Case", record)
            writer = WRITERS[log_format]()
            found = {event.ip for act in hand.acts for event in events(log_format, writer, act)}
            assert found == {ip or None}


def test_a_guest_is_a_guest() -> None:
    """In both of Salesforce's formats; one whose access was denied got no row."""
    for log_format in (Format.ELF, Format.RTEM):
        hand = acts(ActorKind.GUEST)
        hand.view(TIME_MS, "Case", 5)
        hand.view(TIME_MS, "Case", 6, status="A")
        seen = [event for act in hand.acts for event in events(log_format, WRITERS[log_format](), act)]
        assert [event.actor_kind for event in seen] == [ActorKind.GUEST, ActorKind.GUEST]
        assert [event.status for event in seen] in (["success", "A"], ["success", "Failure"])
        assert [act.rows for act in hand.acts] == [1, 0]


def left(found: list[AccessEvent]) -> int:
    """The rows that left in what succeeded, each counted once."""
    ledgers: dict[str, Ledger] = defaultdict(lambda: Ledger(recent={}, operations={}))
    total = 0
    for event in found:
        if event.status in (None, "success"):
            counted = count(ledgers[event.identity], event)
            total += counted.rows if counted is not None else 0
    return total


@pytest.mark.slow
@pytest.mark.parametrize("log_format", list(Format))
@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_taken_is_what_the_records_say(log_format: Format, seed: int) -> None:
    """The rows of an attack's records, decoded and counted once, are those of its label."""
    simulation, _, labels = world(log_format, seed)
    assert len(simulation.attacks) == len(labels.attacks)
    for attack, label in zip(simulation.attacks, labels.attacks, strict=True):
        writer = WRITERS[log_format]()
        found = [event for act in attack.acts for event in events(log_format, writer, act)]
        assert left(found) == label.taken[-1][1] > 0
        assert {event.identity for event in found if not event.refused} == set(label.identities)


@pytest.mark.slow
@pytest.mark.parametrize("log_format", list(Format))
def test_what_was_taken_from_elsewhere_is_in_the_files(log_format: Format) -> None:
    """All that came from an attacker's own networks is in the log and in no other name than the victims'."""
    labels = world(log_format, 1)[2]
    foreign = [attack for attack in labels.attacks if attack.networks]
    assert len(foreign) > 3
    for attack in foreign:
        own = {event.event_id: event for event in decoded(log_format, 1) if event.ip in attack.networks}
        assert left(list(own.values())) == attack.taken[-1][1]
        entered = {event.identity for event in own.values() if not event.refused}
        assert entered <= set(attack.identities)
