from __future__ import annotations

import gzip
import json
import random
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.adapters import ADAPTERS, Adapter, FieldError, RecordError, Rejection
from detector.event import AccessEvent
from streams.files import decode as events
from streams.files.decode import EVENT_KEY, FilePart, decoded, events_in_order
from streams.files.reader import EVERY_ADAPTER, FileRecord, ReadError, decode_raw, read, read_in_order

SAMPLES = Path(__file__).parents[2] / "samples"
Unread = list[tuple[FileRecord, str]]


def elf(number: int, second: int = 44, **columns: str) -> dict[str, str]:
    """An event log row."""
    account = {"ORGANIZATION_ID": "00D5g000004SkyW", "USER_ID": "0055g0000AgAnna"}
    when = {"EVENT_TYPE": "API", "TIMESTAMP": f"202503201459{second:02d}.655", "REQUEST_ID": f"r{number}"}
    return when | account | {"METHOD_NAME": "query", "ROWS_PROCESSED": "7"} | columns


def rtem(number: int) -> dict[str, str]:
    """A real-time event."""
    return {
        "EventDate": "2025-03-21T10:04:39.747Z",
        "EventIdentifier": f"i{number}",
        "UserId": "0055g0000AgAnnaAQC",
        "attributes": {"type": "LoginEvent"},  # type: ignore[dict-item] # it is written as JSON
    }


def closely(path: Path, adapters: tuple[Adapter, ...] = EVERY_ADAPTER) -> tuple[list[AccessEvent], Unread]:
    """What decoding the records one by one comes to."""
    found: list[AccessEvent] = []
    unread: Unread = []
    for raw in read([str(path)]):
        result = decode_raw(raw, adapters)
        if isinstance(result, RecordError):
            unread.append((raw, str(result)))
        else:
            found.append(result)
    return found, unread


def at_once(
    path: Path, adapters: tuple[Adapter, ...] = EVERY_ADAPTER, parts: int = 1
) -> tuple[list[AccessEvent], Unread]:
    """What decoding them in lists comes to, part for part."""
    found: list[AccessEvent] = []
    unread: Unread = []
    for number in range(parts):
        for some in decoded(FilePart(str(path), number, parts), adapters):
            found += some.events
            unread += [(raw, str(error)) for raw, error in some.unread]
    return found, unread


@pytest.mark.parametrize(
    "path", sorted(SAMPLES.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_samples_are_the_same_either_way(path: Path) -> None:
    """Every file among the samples gives the same events and errors in lists as record by record."""
    assert at_once(path) == closely(path)


LINES = st.sampled_from(
    [
        json.dumps(elf(1)), json.dumps(elf(2, 20)), json.dumps(rtem(1)), json.dumps(elf(3) | {"ROWS_PROCESSED": 7}),
        json.dumps(elf(4, ROWS_PROCESSED="many")), json.dumps(elf(5, TIMESTAMP="soon")), json.dumps(elf(6), indent=1),
        json.dumps(elf(7)) + " ", " " + json.dumps(elf(8)), json.dumps(elf(9)) + json.dumps(elf(10)),
        json.dumps(elf(11))[:-1], "{}", "[]", "", "what?", json.dumps({"EVENT_TYPE": "x", "EventDate": "y"}),
        '203.0.113.7 - anna [21/Mar/2025:10:00:00 +0000] "GET /case/1 HTTP/1.1" 200 12',
    ]
)  # fmt: skip


@pytest.mark.slow
@given(
    st.lists(st.tuples(LINES, st.integers(1, 3)), max_size=25),
    st.sampled_from(["\n", ",\n", "\r\n"]),
    st.data(),
)
def test_objects_are_the_same_either_way(
    lines: list[tuple[str, int]], joint: str, data: st.DataObject
) -> None:
    """Whatever lines a file of objects has, events, errors and positions are those of each record on its own."""
    text = joint.join([json.dumps(elf(0)), *(line for line, times in lines for _ in range(times))])
    adapters = data.draw(
        st.sampled_from([EVERY_ADAPTER, (ADAPTERS["salesforce_elf"],), (ADAPTERS["salesforce_rtem"],)])
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "PART_LINES", data.draw(st.integers(1, 9)))
        path = Path(folder, "a.json")
        path.write_text(text, newline="")
        known, unread = closely(path, adapters)
        assert at_once(path, adapters) == (known, unread)
        for parts in (2, 3):
            some, others = at_once(path, adapters, parts)
            assert sorted(map(position_of, some)) == sorted(map(position_of, known))
            assert {position_of(event): event for event in some} == {
                position_of(event): event for event in known
            }
            assert sorted(error for _, error in others) == sorted(error for _, error in unread)


def position_of(event: AccessEvent) -> str:
    """Where an event's record lies."""
    return event.origin.position


ROWS = st.sampled_from(
    [
        list(elf(1).values()), list(elf(2, 20).values()), list(elf(3, ROWS_PROCESSED="many").values()),
        list(elf(4, EVENT_TYPE="Weird").values()), list(elf(5, USER_ID="").values()), list(elf(6).keys()),
        list(elf(7).values())[:3], [*elf(8).values(), "more"], list(elf(9, METHOD_NAME='a "b"\nc').values()),
        list(elf(10, EVENT_TYPE="RestApi").values()), list(reversed(elf(6).keys())), ["EVENT_TYPE", "TIMESTAMP", "URI"],
        ["column_a", "column_b", "column_c"], [*elf(11, METHOD_NAME="Zoë").values(), ""], ["#TYPE Row"], ["sep=,"],
    ]
)  # fmt: skip


@pytest.mark.slow
@given(
    st.lists(st.tuples(ROWS, st.integers(1, 3)), max_size=25),
    st.sampled_from(['"', "", 'x"']),
    st.booleans(),
    st.data(),
)
def test_rows_are_the_same_either_way(
    rows: list[tuple[list[str], int]], quote: str, known_header: bool, data: st.DataObject
) -> None:
    """Whatever rows a CSV file has, events, errors and positions are those of each row as an object."""

    def line(fields: list[str], mark: str) -> str:
        quoted = [field.replace('"', '""') for field in fields]
        needed = ['"' if mark == '"' or {'"', "\n", ",", ";"} & set(field) else "" for field in fields]
        return delimiter.join(f"{one}{field}{one}" for one, field in zip(needed, quoted, strict=True))

    delimiter = data.draw(st.sampled_from([",", ";", "\t"]))
    encoding = data.draw(st.sampled_from(["utf-8", "cp1252", "utf-16"]))

    header = list(elf(0)) if known_header else [f"C{number}" for number in range(len(elf(0)))]
    written = [header, list(elf(0).values()), *(fields for fields, times in rows for _ in range(times))]
    text = "".join(line(fields, quote[-1:]) + "\n" for fields in written) + (
        'x"y,z\n' if quote == 'x"' else ""
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "PART_LINES", data.draw(st.integers(1, 9)))
        path = Path(folder, "a.csv")
        path.write_bytes(text.encode(encoding))
        known, unread = closely(path)
        assert at_once(path) == (known, unread)
        some, others = at_once(path, parts=2)
        assert {position_of(event): event for event in some} == {position_of(event): event for event in known}
        assert len(some) == len(known)
        assert sorted(error for _, error in others) == sorted(error for _, error in unread)


def test_an_operators_own_adapter_is_asked_first(tmp_path: Path) -> None:
    """An adapter that is not built in reads what it recognises, in CSV as in JSON, though another could read it."""

    def event(record: bytes, position: str) -> AccessEvent:
        if b"secret" in record:
            raise FieldError(Rejection.MALFORMED, "it says secret")
        read = ADAPTERS["salesforce_elf"].event(record, position)
        return msgspec.structs.replace(read, tenant="own")

    own = Adapter(name="own", sign="the word mine", recognises=lambda record: b"mine" in record, event=event)
    records = [
        elf(number, URI="mine" if number % 3 else "", METHOD_NAME="secret" if number == 7 else "")
        for number in range(40)
    ]
    (tmp_path / "a.json").write_text("\n".join(json.dumps(record) for record in records) + "\n")
    rows = [list(records[0]), *(list(record.values()) for record in records)]
    (tmp_path / "a.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    adapters = (own, *EVERY_ADAPTER)
    for path in sorted(tmp_path.iterdir()):
        found, unread = at_once(path, adapters)
        assert (found, unread) == closely(path, adapters)
        assert {event.tenant for event in found} == {"own", "00D5g000004SkyWEAS"}
        assert len(unread) == 1


def test_an_apis_pages_are_taken_apart(tmp_path: Path) -> None:
    """Pages of an API's answers give their records, also where a page is a line."""
    pages = [{"count": 2, "results": [elf(2 * number), elf(2 * number + 1)]} for number in range(30)]
    (tmp_path / "a.json").write_text("\n".join(map(json.dumps, pages)) + "\n")
    found, unread = at_once(tmp_path / "a.json")
    assert (found, unread) == closely(tmp_path / "a.json")
    assert len(found) == 60


def world(folder: Path, *, seed: int = 7) -> list[str]:
    """Some files of either layout, with records of equal times, the same record again, and bad ones."""
    chance = random.Random(seed)
    records = [elf(chance.randrange(40), chance.randrange(50)) for _ in range(160)]
    records += records[:5]
    lines = [json.dumps(record) for record in records[:90]]
    (folder / "a.json").write_text("\n".join([*lines, "{broken", ""]))
    (folder / "b.json.gz").write_bytes(gzip.compress("\n".join([*lines[:7], "[]]"]).encode()))
    rows = [list(records[0]), *(list(record.values()) for record in records[90:]), ["x"]]
    (folder / "c.csv").write_text("\n".join(",".join(f'"{field}"' for field in row) for row in rows) + "\n")
    return [str(folder / name) for name in ("a.json", "b.json.gz", "c.csv")]


@pytest.mark.parametrize(("records", "size"), [(1, 10**9), (7, 10**9), (200_000, 1_000), (200_000, 10**9)])
def test_events_come_in_order(tmp_path: Path, records: int, size: int) -> None:
    """Events come as `read_in_order` has them, whatever the files' order and the chunks' size, unread ones first."""
    paths = world(tmp_path)
    known = [event for _, event in read_in_order(paths) if isinstance(event, AccessEvent)]
    bad = [raw.position for raw, event in read_in_order(paths) if isinstance(event, RecordError)]
    assert known == sorted(known, key=lambda event: tuple(part(event) for part in EVENT_KEY))
    assert len({(event.time_ms, event.event_id) for event in known}) < len(known)
    for order in (paths, paths[::-1]):
        unread: list[tuple[FileRecord, RecordError]] = []
        found = events_in_order(
            order,
            on_unread=lambda raw, error, unread=unread: unread.append((raw, error)),  # type: ignore[misc]
            chunk_records=records,
            chunk_bytes=size,
        )
        first = next(found)
        assert sorted(raw.position for raw, _ in unread) == sorted(bad)
        assert [first, *found] == known
        assert all(error.position == raw.position for raw, error in unread)


def test_what_is_from_the_future_is_not_believed(tmp_path: Path) -> None:
    """An event well ahead of its arrival is an unread record, with its reason and its bytes, in every layout."""
    paths = world(tmp_path)
    known = [event for _, event in read_in_order(paths) if isinstance(event, AccessEvent)]
    arrived_ms = known[len(known) // 2].time_ms - 10 * 60 * 1000
    unread: list[tuple[FileRecord, RecordError]] = []
    found = list(
        events_in_order(
            paths, on_unread=lambda raw, error: unread.append((raw, error)), arrived_ms=arrived_ms
        )
    )
    limit = arrived_ms + 10 * 60 * 1000
    assert found == [event for event in known if event.time_ms <= limit]
    late = [(raw, error) for raw, error in unread if error.reason == "future"]
    assert len(late) == len(known) - len(found) > 10
    for raw, error in late:
        event = decode_raw(raw)
        assert isinstance(event, AccessEvent)
        assert event.time_ms > limit
        assert (error.adapter, error.position) == ("salesforce_elf", raw.position)


def test_a_missing_path_is_told_before_anything_is_read(tmp_path: Path) -> None:
    """A path that names nothing is refused at once, and a file that is gone in its turn."""
    with pytest.raises(ReadError, match="no such file"):
        events_in_order([str(tmp_path / "missing")], on_unread=lambda raw, error: None)
    with pytest.raises(ReadError, match=r"gone\.json"):
        list(decoded(FilePart(str(tmp_path / "gone.json"))))
