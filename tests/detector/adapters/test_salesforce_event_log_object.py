from __future__ import annotations

import json

import pytest

from detector.adapters import RecordError
from detector.adapters.salesforce.elf import ADAPTER as ELF
from detector.adapters.salesforce.event_log_object import ADAPTER
from detector.event import AccessEvent, Operation

COLUMNS = {
    "EVENT_TYPE": "API", "TIMESTAMP": "20260303091417.655", "REQUEST_ID": "4gR1", "ORGANIZATION_ID": "00D5g000004SkyW",
    "USER_ID": "0055g0000AgAnna", "METHOD_NAME": "query", "ENTITY_NAME": "Contact", "ROWS_PROCESSED": "1200",
    "CLIENT_IP": "198.51.100.23", "TIMESTAMP_DERIVED": "2026-03-03T09:14:17.655Z",
}  # fmt: skip


def decode(record: object, position: str = "a.json:1") -> AccessEvent:
    """The event of a record."""
    return ADAPTER.decode(json.dumps(record).encode(), position)


def pascal(name: str) -> str:
    """``ROWS_PROCESSED`` as ``RowsProcessed``."""
    return "".join(word.capitalize() for word in name.split("_"))


@pytest.mark.parametrize(
    "spell", [str.lower, lambda name: name.lower() + "_s", pascal, lambda name: pascal(name) + "_s"]
)
def test_a_row_keeps_its_id_in_a_table(spell: object) -> None:
    """Whatever a table calls the columns, the event is that of the event log file's row."""
    row = ELF.decode(json.dumps(COLUMNS).encode(), "a.csv:2")
    record = {spell(name): value for name, value in COLUMNS.items()}  # type: ignore[operator] # each is a function
    assert ADAPTER.recognises(json.dumps(record).encode())
    found = decode(record)
    assert (found.event_id, found.rows, found.tenant) == (row.event_id, row.rows, row.tenant)
    assert found.time_ms == row.time_ms


@pytest.mark.parametrize(
    ("fields", "position", "operation"),
    [
        ({"attributes": {"type": "UriEventLog"}, "Uri": "/500/e"}, "a:1", Operation.WRITE),
        ({"LoginStatus": "LOGIN_NO_ERROR"}, "a:1", Operation.LOGIN),
        ({}, "logs/LoginEventLog.csv:2", Operation.LOGIN),
        (
            {"BatchIdentifier": "751", "OperationType": "query", "IsSuccess": True},
            "a:1",
            Operation.BULK_EXPORT,
        ),
        ({"EventType": "restapi", "Method": "GET", "Uri": "/query"}, "a:1", Operation.QUERY),
    ],
)
def test_an_object_tells_its_type_somewhere(
    fields: dict[str, object], position: str, operation: Operation
) -> None:
    """In its attributes, its columns, its file's name or a column of its own."""
    common = {
        "Timestamp": "2026-03-03T09:14:17.655Z",
        "RequestIdentifier": "r",
        "UserIdentifier": "0055g0000AgAnna",
    }
    assert decode(common | fields, position).operation is operation


def test_a_record_of_no_type_is_refused() -> None:
    """It is a dead letter rather than an event that says nothing."""
    record = {
        "Timestamp": "2026-03-03T09:14:17.655Z",
        "RequestIdentifier": "r",
        "UserIdentifier": "0055g0000AgAnna",
    }
    with pytest.raises(RecordError) as caught:
        decode(record)
    assert caught.value.reason == "unknown_type"


@pytest.mark.parametrize(
    "times",
    [
        {"TIMESTAMP": "3/3/2026, 9:14:17.655 AM"},
        {"TIMESTAMP": 1772529257655},
        {"TIMESTAMP": "?", "TIMESTAMP_DERIVED": "3/3/2026, 9:14:17.655 AM"},
        {"TimeGenerated": "2026-03-03T09:14:17.655Z"},
    ],
)
def test_a_tables_time_may_be_spelled_otherwise(times: dict[str, object]) -> None:
    """A US time, a number, or the time at which the table took the row in."""
    record: dict[str, object] = {name.lower(): value for name, value in COLUMNS.items() if "TIME" not in name}
    record |= {name if name == "TimeGenerated" else name.lower(): value for name, value in times.items()}
    assert decode(record).time_ms == 1772529257655
