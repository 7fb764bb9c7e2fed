"""Laws that every adapter keeps, over its own samples in ``tests/samples/<adapter>/``.

An operator's own source keeps them too: `GENERIC` stands for it.

A sample (``*.json``, ``*.jsonl``, ``*.csv`` or ``*.log``) lies beside ``<name>.expected.json``, which has
each record's line and either the event's fields that differ from their defaults or the error's reason. Run
with ``CRMWATCH_ACCEPT_SAMPLES=1`` to write those files anew, and read the difference before believing it.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.adapters import ADAPTERS, AUTO, Adapter, RecordError, Rejection, choose, recognise
from detector.adapters.generic import Mapping, decoder
from detector.event import MAX_RECORD_IDS, AccessEvent, ActorKind, Counting, Operation
from streams.files.reader import FileRecord, decode_raw, read

SAMPLES = Path(__file__).parents[2] / "samples"
LONGEST_STRING = 2_048
GENERIC = decoder(
    Mapping(
        name="generic",
        marked_by=("app=skydesk", "who.id|who.mail"),
        time="when",
        actor="who.id|who.mail",
        actor_name="who.mail",
        kind="who.role",
        kinds={"robot": ActorKind.INTEGRATION},
        tenant="=skyward",
        operation="did",
        operations={"Open": Operation.RECORD_VIEW, "dump": Operation.BULK_EXPORT},
        objects="what.*.kind|what",
        record_ids="what.*.id",
        rows="n",
        counting=Counting.MAXIMUM,
        operation_id="job",
        bytes_out="size",
        query="q",
        app="app",
        ip="from",
        user_agent="via",
        status="code",
        event_id="ref",
    )
)
EVERY = {**ADAPTERS, GENERIC.name: GENERIC}
ASKED = choose(AUTO, [GENERIC])
REASONS = {
    Rejection.BAD_TIME,
    Rejection.BAD_VALUE,
    Rejection.MALFORMED,
    Rejection.MISSING_FIELD,
    Rejection.UNKNOWN_TYPE,
}
"""Why an adapter refuses a record; the other reasons are the reader's and the registry's."""


def samples(adapter: str) -> list[Path]:
    """An adapter's sample files."""
    folder = SAMPLES / adapter
    return sorted(
        path
        for path in folder.glob("*")
        if path.suffix in {".csv", ".json", ".jsonl", ".log"} and not path.name.endswith(".expected.json")
    )


def records(adapter: str) -> list[FileRecord]:
    """The records in an adapter's samples."""
    return [raw for path in samples(adapter) for raw in read([str(path)])]


EVERY_SAMPLE = [pytest.param(path, id=f"{name}/{path.name}") for name in EVERY for path in samples(name)]
EVERY_RECORD = [
    (adapter, raw.record) for name, adapter in EVERY.items() for raw in records(name) if not raw.fault
]


def told(raw: FileRecord) -> dict[str, Any]:
    """What a record's expectation says of it."""
    event = decode_raw(raw, ASKED)
    line = int(raw.position.rpartition(":")[2])
    if isinstance(event, RecordError):
        return {"error": event.reason, "line": line}
    fields = {name: getattr(event, name) for name in AccessEvent.__struct_fields__ if name != "origin"}
    optional = dict(
        zip(reversed(AccessEvent.__struct_fields__), reversed(AccessEvent.__struct_defaults__), strict=False)
    )
    kept = {name: value for name, value in fields.items() if name not in optional or value != optional[name]}
    told_of: dict[str, Any] = json.loads(msgspec.json.encode({**kept, "line": line}))
    return told_of


def strings(value: object) -> Iterator[str]:
    """Every string in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)


def outcome(adapter: Adapter, record: bytes) -> AccessEvent | RecordError:
    """What decoding comes to."""
    try:
        return adapter.decode(record, "sample:7")
    except RecordError as error:
        return error


def check(adapter: Adapter, record: bytes) -> None:
    """Decode twice: the same event both times, or a `RecordError` both times, and nothing else."""
    assert adapter.recognises(record) in (True, False)
    event = outcome(adapter, record)
    again = outcome(adapter, record)
    if isinstance(event, RecordError):
        assert isinstance(again, RecordError)
        assert str(again) == str(event)
        assert event.adapter == adapter.name
        assert event.position == "sample:7"
        assert event.reason in REASONS
        assert len(event.detail) < 400
    else:
        assert again == event
    if isinstance(event, AccessEvent):
        packed = msgspec.msgpack.encode(event)
        assert msgspec.msgpack.decode(packed, type=AccessEvent) == event
        assert event.origin.adapter == adapter.name
        assert event.origin.position == "sample:7"
        assert 946_684_800_000 <= event.time_ms < 4_133_980_800_000
        assert event.tenant
        assert event.actor
        assert "/" not in event.tenant + event.actor
        assert event.rows is None or event.rows >= 0
        assert event.bytes_out is None or event.bytes_out >= 0
        assert len(event.record_ids) <= MAX_RECORD_IDS
        assert all(len(text) <= LONGEST_STRING for text in strings(msgspec.to_builtins(event)))


@pytest.mark.parametrize("name", EVERY)
def test_an_adapter_has_samples_it_recognises(name: str) -> None:
    """Each adapter has samples, and each of their whole records is recognised as its own and no other's."""
    found = [raw for raw in records(name) if not raw.fault]
    assert found
    for raw in found:
        by = [adapter.name for adapter in EVERY.values() if adapter.recognises(raw.record)]
        assert by == [name], raw.position


@pytest.mark.parametrize("path", EVERY_SAMPLE)
def test_a_sample_decodes_to_what_is_expected(path: Path) -> None:
    """Each record of a sample becomes the event, or fails for the reason, that its expectation names."""
    expected = path.with_suffix(".expected.json")
    actual = [told(raw) for raw in read([str(path)])]
    if os.environ.get("CRMWATCH_ACCEPT_SAMPLES"):
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in actual)
        expected.write_text(f"[\n{lines}\n]\n")
    assert actual == json.loads(expected.read_text())


@pytest.mark.parametrize("name", EVERY)
def test_sample_records_keep_the_laws(name: str) -> None:
    """A sample's records decode alike each time, survive packing, and stay within their bounds."""
    for raw in records(name):
        check(EVERY[name], raw.record)


@pytest.mark.parametrize("name", EVERY)
def test_the_order_of_keys_does_not_matter(name: str) -> None:
    """A record whose JSON keys come in another order is the same event, with the same id."""
    shuffle = random.Random(7).shuffle

    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        keys = list(value)
        shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    for raw in records(name):
        try:
            value = json.loads(raw.record)
        except ValueError:
            continue
        again = FileRecord(json.dumps(shuffled(value)).encode(), raw.position, raw.source, raw.fault)
        assert told(again) == told(raw)


KEYS = list(dict.fromkeys(re.findall(r"\w{4,}", " ".join(adapter.sign for adapter in EVERY.values()))))
"""What formats are recognised by: every word of the adapters' signs, of which the rest are prose."""


@pytest.mark.parametrize("name", EVERY)
def test_text_in_a_record_does_not_make_it_anothers(name: str) -> None:
    """Whatever somebody writes into an agent or a query, the record is read as what it is."""
    for raw in records(name):
        try:
            value = json.loads(raw.record)
        except ValueError:
            continue
        if not isinstance(value, dict) or raw.fault:
            continue
        for first, second in pairwise(KEYS):
            texts = {"one": first, "two": second, "three": f'"{first}":', "four": f'{{"{first}": "{second}":'}
            record = json.dumps(value | texts, separators=(",", ":")).encode()
            assert [adapter.name for adapter in EVERY.values() if adapter.recognises(record)] == [name]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(
    "record", [b"[]", b"null", b'"a"', b"1", b'{"a": 1} x', b'{"a": 1}{"a": 1}', b'{"a": 1', b"{}{"]
)
def test_one_that_reads_objects_only_refuses_anything_else(name: str, record: bytes) -> None:
    """Where an adapter says so, a reader need not look at the record's shape before."""
    if EVERY[name].reads_objects_only:
        assert isinstance(outcome(EVERY[name], record), RecordError)


@pytest.mark.parametrize("name", EVERY)
def test_different_records_have_different_ids(name: str) -> None:
    """No two records of the samples have both time and event id in common."""
    events = [event for raw in records(name) if isinstance(event := decode_raw(raw, ASKED), AccessEvent)]
    assert len({(event.time_ms, event.event_id) for event in events}) == len(events)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(
        [
            10**400,
            -(10**400),
            "",
            "-1",
            "1e999",
            "NaN",
            "9" * 400,
            "x" * 5_000,
            "\x00",
            "2025-02-30T00:00:00Z",
            "/",
            "%",
        ]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Adapter, bytes]:
    """A sample's record with something wrong in it."""
    adapter, record = draw(st.sampled_from(EVERY_RECORD))
    kind = draw(st.sampled_from(["cut", "flip", "change", "nest"]))
    at = draw(st.integers(0, max(len(record) - 1, 0)))
    if kind == "cut":
        return adapter, record[:at]
    if kind == "flip":
        return adapter, record[:at] + draw(st.binary(min_size=1, max_size=4)) + record[at + 1 :]
    if kind == "nest":
        depth = draw(st.sampled_from([1, 100, 5_000]))
        return adapter, record[:at] + b'{"a":[' * depth + record[at:]
    try:
        value = json.loads(record)
    except ValueError:
        return adapter, record[::-1]
    holder = value
    while isinstance(holder, dict) and holder:
        key = draw(st.sampled_from(sorted(holder)))
        if isinstance(holder[key], dict) and draw(st.booleans()):
            holder = holder[key]
            continue
        if draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = draw(ANYTHING)
        break
    return adapter, json.dumps(value).encode()


@given(mutated())
def test_a_damaged_record_is_refused_or_read_but_never_raises(damaged: tuple[Adapter, bytes]) -> None:
    """Whatever is cut from, dropped from or put into a record, the laws hold."""
    check(*damaged)


@given(st.binary())
@example(b"")
@example(b"\x00" * 100)
@example(b"\xff\xfe{}")
@example(b'{"EVENT_TYPE": "\\ud800", "ORGANIZATION_ID": "\\udfff"}')
@example(b"[" * 100_000)
@example(b"null")
@example(b"9" * 10_000)
@example(
    b'{"EventDate":"2025-03-21T08:00:06Z","UserId":"0055g0000AgAnna","Score":1%b,'
    b'"attributes":{"type":"ApiAnomalyEvent"}}' % (b"0" * 400)
)
@example(b'1.2.3.4 - - [01/Jan/2026:00:00:60 +0000] "GET /?%ff HTTP/1.1" 200 1 "-" "-"')
def test_any_bytes_at_all_are_refused_or_read(record: bytes) -> None:
    """Every adapter meets arbitrary bytes with an event or a `RecordError`, and so does the registry."""
    for adapter in EVERY.values():
        check(adapter, record)
    chosen = recognise(record, ASKED)
    event = decode_raw(FileRecord(record, "here:1", "here"), ASKED)
    if isinstance(event, RecordError):
        assert event.adapter in ("", *EVERY)
        assert event.position == "here:1"
    elif chosen is not None and not isinstance(read := outcome(chosen, record), RecordError):
        assert msgspec.structs.replace(event, origin=read.origin) == read
