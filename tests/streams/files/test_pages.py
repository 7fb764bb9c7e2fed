from __future__ import annotations

import io
import json
from typing import Any

import pytest

from detector.adapters import ADAPTERS, Adapter, choose
from detector.adapters.generic import Mapping, decoder
from streams.files.framing import Frame, frames
from streams.files.pages import Pages

EVERY = Pages(tuple(ADAPTERS.values()))
TOY = Adapter(
    name="toy",
    sign="key toy",
    recognises=lambda record: b'"toy":' in record,
    event=ADAPTERS["salesforce_rtem"].event,
    page_keys=("toy_rows",),
)
ITEMS = [{"a": number, "b": {"c": '}]"'}} for number in range(3)]


def read(page: object, pages: Pages = EVERY) -> list[Frame]:
    """The records in a file of one page."""
    return list(frames(io.BytesIO(json.dumps(page).encode()), pages))


@pytest.mark.parametrize(
    "page",
    [
        {"status": 0, "result": {"records": ITEMS, "totalSize": 3, "done": True}, "warnings": ["x"]},
        {"took": 1, "_shards": {"total": 1}, "hits": {"total": {"value": 3}, "max_score": 1.0, "hits": ITEMS}},
        {"Records": ITEMS},
        {"@odata.context": "x", "value": ITEMS, "@odata.nextLink": "y"},
        {"data": {"items": ITEMS}, "meta": {"page": [1]}},
        {"data": ITEMS},
        {"result": ITEMS},
        {"messageType": "DATA_MESSAGE", "logEvents": ITEMS},
        {"tables": [{"columns": [{"name": "a"}, {"name": "b"}], "rows": [[i["a"], i["b"]] for i in ITEMS]}]},
        {"Tables": [{"Columns": [{"ColumnName": "a"}, {"ColumnName": "b"}], "Rows": [[*i.values()] for i in ITEMS]}]},
        {"fields": ["a", "b"], "rows": [list(i.values()) for i in ITEMS]},
        {"tables": [{"columns": [{"name": "a"}, {"name": "b"}], "rows": [list(i.values())]} for i in ITEMS]},
        {"events": ITEMS[:1], "results": ITEMS[1:]},
    ],
)  # fmt: skip
def test_the_list_of_records_is_found(page: dict[str, Any]) -> None:
    """Whatever an API puts around its records, they come out and nothing else does."""
    found = read(page)
    assert [json.loads(frame.record) for frame in found] == ITEMS
    assert not any(frame.fault for frame in found)
    twice = list(frames(io.BytesIO(2 * (json.dumps(page, indent=1).encode() + b"\n")), EVERY))
    assert [json.loads(frame.record) for frame in twice] == 2 * ITEMS


@pytest.mark.parametrize(
    "record",
    [
        {"a": 1, "Items": [{"b": 1}]},
        {"event": {"records": [{"b": 1}]}},
        {"data": {"payload": {"records": [{"b": 1}]}}},
        {"rows": [[1, 2]]},
        {"values": [{"b": 1}]},
    ],
)
def test_a_list_in_a_record_is_the_records(record: dict[str, Any]) -> None:
    """A list that no API puts its records into belongs to the record."""
    assert [json.loads(frame.record) for frame in read(record)] == [record]


def test_a_long_page_is_read_in_constant_memory() -> None:
    """A page may be longer than a record, and its records come out one by one."""
    items = [{"a": "x" * 900, "b": number} for number in range(3_000)]
    found = read({"totalSize": 3_000, "records": items})
    assert [json.loads(frame.record)["b"] for frame in found] == list(range(3_000))


def test_a_page_that_breaks_off_gives_what_it_has() -> None:
    """Its records come out, and one more says that the page breaks off."""
    for cut in (-2, -20):
        data = json.dumps({"results": ITEMS, "x": "y" * 10}).encode()[:cut]
        found = list(frames(io.BytesIO(data), EVERY))
        assert [json.loads(frame.record) for frame in found if not frame.fault] == ITEMS
        assert [frame.fault.startswith("the page breaks off") for frame in found if frame.fault] == [True]
    damaged = list(frames(io.BytesIO(b'{"results": [{"c": 1}, tru]}\n'), EVERY))
    assert damaged == [
        Frame(b'{"c": 1}', 1), Frame(b"tru]}", 1, "it is no record of the page's list")
    ]  # fmt: skip


def test_a_row_that_does_not_fit_its_columns_is_a_fault() -> None:
    """It comes out as it is, and says how many values it has."""
    [whole, short, last] = read({"columns": ["a", "b"], "rows": [[1, None], [1], [2, 3]]})
    assert (whole.record, last.record) == (b'{"a":1}', b'{"a":2,"b":3}')
    assert (short.record, short.fault) == (b"[1]", "it has 1 values for 2 columns")


def test_a_page_is_taken_apart_by_the_keys_that_the_adapters_name() -> None:
    """A key that one adapter names counts only where that adapter reads, and each record keeps its line."""
    page = b'\n{"next": null, "toy_rows": [\n{"toy": 1},\n{"toy": 2}]}'
    found = list(frames(io.BytesIO(page), Pages([*ADAPTERS.values(), TOY])))
    assert found == [Frame(b'{"toy": 1}', 3), Frame(b'{"toy": 2}', 4)]
    assert next(frames(io.BytesIO(page), EVERY)).record != b'{"toy": 1}'


def test_a_record_that_a_mapping_describes_is_no_page() -> None:
    """A list in a record of an operator's own source stays in it; a page of such records is taken apart."""
    mapping = Mapping(name="own", marked_by=("when",), time="when", actor="who")
    pages = Pages([decoder(mapping), *ADAPTERS.values()])
    record = {"when": 1, "who": "mia", "records": [{"id": 1}]}
    assert [json.loads(frame.record) for frame in read(record, pages)] == [record]
    assert [json.loads(frame.record) for frame in read({"records": [record]}, pages)] == [record]


@pytest.mark.parametrize("key", ["audit_logs", "access_logs"])
def test_zendesks_pages_are_zendesks(key: str) -> None:
    """Its own keys open its pages, and no pages of a source that is read as another format."""
    page = {key: [{"a": 1}]}
    assert [frame.record for frame in read(page, Pages(choose("zendesk")))] == [b'{"a": 1}']
    assert [json.loads(frame.record) for frame in read(page, Pages(choose("hubspot")))] == [page]


def test_without_adapters_nothing_is_a_page() -> None:
    """No key is a page's, the empty one included."""
    for page in ({"": [{"a": 1}]}, {"hits": [{"a": 1}]}):
        assert [json.loads(frame.record) for frame in read(page, Pages(()))] == [page]
