from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detector.adapters import Adapter, RecordError
from detector.adapters.generic import Mapping, decoder
from detector.event import AccessEvent, ActorKind, Counting, Operation


def source(**paths: Any) -> Adapter:
    """A source whose mapping has these paths beside the least."""
    least: dict[str, Any] = {"name": "desk", "marked_by": ("at",), "time": "at", "actor": "who"}
    return decoder(Mapping(**(least | paths)))


def decode(adapter: Adapter, **record: object) -> AccessEvent:
    """The event of a record with a time and a user."""
    given = {"at": "2026-03-03T09:14:17Z", "who": "Ann"} | record
    return adapter.decode(json.dumps(given).encode(), "a.json:1")


def refusal(adapter: Adapter, **record: object) -> RecordError:
    """Why a record is refused."""
    with pytest.raises(RecordError) as caught:
        decode(adapter, **record)
    return caught.value


def test_the_least_is_a_time_and_an_actor() -> None:
    """Everything else stays unknown, and nothing is zero."""
    found = decode(source())
    assert (found.identity, found.time_ms) == ("desk/ann", 1_772_529_257_000)
    assert (found.operation, found.actor_kind) == (Operation.OTHER, ActorKind.HUMAN)
    unknown = (
        found.rows,
        found.bytes_out,
        found.ip,
        found.user_agent,
        found.app,
        found.session,
        found.status,
    )
    assert set(unknown) == {None}
    assert (found.objects, found.fields, found.record_ids) == ((), None, ())
    assert (found.origin.adapter, found.origin.position) == ("desk", "a.json:1")


@pytest.mark.parametrize(
    ("path", "record", "expected"),
    [
        ("a", {"a": "x"}, "x"),
        ("a.b", {"a": {"b": "x"}}, "x"),
        ("a.b", {"a.b": "x"}, "x"),
        ("a.1.b", {"a": [{}, {"b": "x"}]}, "x"),
        ("a.*.b", {"a": [{}, {"b": "x"}, {"b": "y"}]}, "x"),
        ("a|b", {"b": "x"}, "x"),
        ("a | b.c", {"a": "", "b": {"c": "x"}}, "x"),
        ("=x", {}, "x"),
        ("=a|b", {}, "a|b"),
        ("a", {"a": 7}, "7"),
        ("a", {"a": 7.0}, "7"),
        ("a", {"a": 7.5}, "7.5"),
        ("a", {"a": True}, "true"),
        ("a", {"a": ["x", "y"]}, "x"),
        ("a", {"a": {"b": 1}}, None),
        ("a.9.b", {"a": [1]}, None),
        ("a.b.c", {"a": "text"}, None),
        ("missing", {}, None),
    ],
)
def test_a_path_leads_to_a_value_or_nowhere(
    path: str, record: dict[str, object], expected: str | None
) -> None:
    """Keys within keys, flattened keys, places and all elements of lists, alternatives, and texts themselves."""
    assert decode(source(app=path), **record).app == expected


@pytest.mark.parametrize(
    ("value", "objects"),
    [
        ("Contact", ("Contact",)),
        ("Contact, Case,,Contact ", ("Contact", "Case")),
        (["Contact", "Case"], ("Contact", "Case")),
        ([{"kind": "Contact"}], ()),
        (None, ()),
        ([], ()),
    ],
)
def test_objects_are_a_list_or_a_text_with_commas(value: object, objects: tuple[str, ...]) -> None:
    """Each once, in their order."""
    assert decode(source(objects="what"), what=value).objects == objects
    assert decode(source(objects="what.*.kind"), what=[{"kind": "A"}, {}, {"kind": "B"}]).objects == (
        "A",
        "B",
    )


def test_words_become_ours_by_a_table() -> None:
    """In whatever case; our own need no entry, and what is in no table is other, or a human's."""
    adapter = source(
        operation="did",
        operations={"Open": Operation.RECORD_VIEW, "dump": Operation.BULK_EXPORT},
        kind="role",
        kinds={"Robot": ActorKind.INTEGRATION},
    )
    assert decode(adapter, did="OPEN").operation is Operation.RECORD_VIEW
    assert decode(adapter, did=" Dump ", role="robot").actor_kind is ActorKind.INTEGRATION
    assert decode(adapter, did="report_export", role="guest").operation is Operation.REPORT_EXPORT
    assert decode(adapter, did="report_export", role="guest").actor_kind is ActorKind.GUEST
    assert decode(adapter, did="reboot", role="agent").operation is Operation.OTHER
    assert decode(source(operation="=query")).operation is Operation.QUERY


@pytest.mark.parametrize(
    ("value", "rows"),
    [(7, 7), ("7", 7), (7.0, 7), ("", None), (None, None), (-1, None), (0, 0), (["a", "b"], 2)],
)
def test_rows_are_a_number_or_how_long_a_list_is(value: object, rows: int | None) -> None:
    """Only where something was read; a blank is unknown."""
    assert decode(source(rows="n", operation="=query"), n=value).rows == rows
    assert decode(source(rows="n", operation="=write"), n=value).rows is None


@pytest.mark.parametrize("value", ["many", True, 10**13, "1e999"])
def test_rows_that_are_no_number_are_refused(value: object) -> None:
    """Rather than taken for unknown."""
    assert refusal(source(rows="n"), n=value).reason == "bad_value"


def test_counting_is_for_what_belongs_to_an_operation() -> None:
    """A record without one stands alone."""
    adapter = source(counting=Counting.MAXIMUM, operation_id="job", rows="n")
    assert decode(adapter, job="j", n=5).counting is Counting.MAXIMUM
    assert decode(adapter, n=5).counting is Counting.EACH


@pytest.mark.parametrize(
    "when",
    [
        1_772_529_257, "1772529257", 1_772_529_257.0, 1_772_529_257_000, "1772529257000", 1_772_529_257_000_000,
        1_772_529_257_000_000_000, "2026-03-03T09:14:17Z", "2026-03-03T10:14:17+01:00", "2026-03-03 09:14:17",
    ],
)  # fmt: skip
def test_a_time_is_iso_or_a_number_since_1970(when: object) -> None:
    """Of seconds, milliseconds, microseconds or nanoseconds: the size tells."""
    assert decode(source(), at=when).time_ms == 1_772_529_257_000


def test_a_time_may_have_a_format_of_its_own() -> None:
    """UTC, unless it names a zone."""
    assert (
        decode(source(time_format="%d.%m.%Y %H:%M:%S"), at="03.03.2026 09:14:17").time_ms == 1_772_529_257_000
    )
    zoned = source(time_format="%d/%m/%y %H:%M %z")
    assert decode(zoned, at="03/03/26 10:14 +0100").time_ms == 1_772_529_240_000
    assert refusal(zoned, at="2026-03-03T09:14:17Z").reason == "bad_time"


@pytest.mark.parametrize("when", ["noon", 17, 1e30, -5, True, "99999999999999999999999", {"a": 1}])
def test_a_time_that_is_none_is_refused(when: object) -> None:
    """Also one outside the years 2000 to 2100."""
    assert refusal(source(), at=when).reason in ("bad_time", "missing_field")


@pytest.mark.parametrize(
    ("when", "time_format", "iso"),
    [
        ("3/2/2026 9:14:05 AM PST", "%m/%d/%Y %I:%M:%S %p %Z", "2026-03-02T17:14:05Z"),
        ("2/3/2026 09:14:05 Europe/Berlin", "%d/%m/%Y %H:%M:%S %Z", "2026-03-02T08:14:05Z"),
        ("2026-07-02 09:14 Pacific Standard Time", "%Y-%m-%d %H:%M %Z", "2026-07-02T16:14:00Z"),
        ("2026-03-02 09:14:05 PST", "", "2026-03-02T17:14:05Z"),
    ],
)
def test_a_named_zone_is_where_it_says(when: str, time_format: str, iso: str) -> None:
    """A zone's abbreviation, place or Windows name counts, also behind a format of the mapping's own."""
    told = decode(source(time_format=time_format), at=when).time_ms
    assert told == decode(source(), at=iso).time_ms


@pytest.mark.parametrize("when", ["3/2/2026 9:14:05 AM XYZT", "3/2/2026 9:14:05 AM", "3/2/2026 9:14:05 AM 7"])
def test_an_unknown_zone_is_a_bad_time(when: str) -> None:
    """What the format calls a zone must be one."""
    assert refusal(source(time_format="%m/%d/%Y %I:%M:%S %p %Z"), at=when).reason == "bad_time"


def test_an_actor_is_needed() -> None:
    """A blank one is none."""
    nobody: tuple[object, ...] = ("", " ", None, {})
    for who in nobody:
        assert refusal(source(), who=who).reason == "missing_field"


def test_status_words_and_codes_that_mean_success_are_success() -> None:
    """Others are kept as they are."""
    adapter = source(status="s")
    assert {decode(adapter, s=word).status for word in ("OK", "Success", 200, "204", True)} == {"success"}
    assert decode(adapter, s=403).status == "403"
    assert decode(adapter).status is None


def test_a_query_gives_objects_fields_and_a_shape() -> None:
    """Where the record does not say them itself."""
    asked = "SELECT Name, Total FROM Invoice WHERE Total > 10"
    found = decode(source(query="q"), q=asked)
    assert (found.objects, found.fields) == (("Invoice",), ("Name", "Total"))
    assert found.query_shape == "select name, total from invoice where total > ?"
    assert decode(source(query="q", objects="what"), q=asked, what="Bill").objects == ("Bill",)


def test_an_id_is_the_records_or_a_hash_of_it() -> None:
    """The same whatever the order of its keys."""
    assert decode(source(event_id="id"), id=17).event_id == "desk:17"
    first = source().decode(b'{"at": 1772529257, "who": "a", "x": 1}', "a:1")
    second = source().decode(b'{"x": 1, "who": "a", "at": 1772529257}', "a:2")
    third = source().decode(b'{"x": 2, "who": "a", "at": 1772529257}', "a:3")
    assert first.event_id == second.event_id != third.event_id


@pytest.mark.parametrize(
    ("marks", "record", "claimed"),
    [
        (("at",), {"at": 1}, True),
        (("at", "who"), {"at": 1}, False),
        (("app=crm",), {"app": "crm"}, True),
        (("app=crm",), {"app": "hr", "x": "crm"}, False),
        (("meta.app=crm",), {"meta": {"app": "crm"}}, True),
        (("meta.app",), {"app": "crm"}, False),
        (("meta.app",), {"meta.app": "crm"}, True),
        (("a|b",), {"b": 1}, True),
        (("at",), {"x": "at"}, False),
        (("at",), {"x": '"at":'}, False),
        (("n=7",), {"n": 7}, True),
    ],
)
def test_a_record_is_the_sources_by_its_marks(
    marks: tuple[str, ...], record: dict[str, object], claimed: bool
) -> None:
    """All of them, at their paths, with their values; text in other fields does not count."""
    adapter = source(marked_by=marks)
    for spaced in ((",", ":"), (", ", ": "), (", ", " : ")):
        assert adapter.recognises(json.dumps(record, separators=spaced).encode()) is claimed
    assert not adapter.recognises(b"")
    assert not adapter.recognises(b"[1]")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"time": ""}, "time and actor need paths"),
        ({"actor": ""}, "time and actor need paths"),
        ({"marked_by": ["=x"]}, "has a mark without a path"),
        ({"marked_by": []}, "Expected `array` of length >= 1"),
        ({"name": "My desk"}, "matching regex"),
        ({"counting": "maximum"}, "counting maximum needs operation_id"),
        ({"time_format": "%H:%M"}, "does not tell a day"),
        ({"time_format": "noon"}, "does not tell a day"),
        ({"operations": {"x": "read"}}, "Invalid enum value 'read'"),
        ({"tiem": "at"}, "unknown field `tiem`"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_a_reason(
    changed: dict[str, object], message: str
) -> None:
    """When the settings are read, not when the first record comes."""
    least = {"name": "desk", "marked_by": ["at"], "time": "at", "actor": "who"}
    assert msgspec.convert(least, Mapping).name == "desk"
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(least | changed, Mapping)
    assert message in str(caught.value)


def test_a_csv_row_is_an_object_of_strings() -> None:
    """So that a mapping serves it as well."""
    adapter = source(rows="Rows", operation="=query", ip="IP Address")
    found = adapter.decode(
        b'{"at":"1772529257","who":"Ann","Rows":"12","IP Address":"198.51.100.23:80"}', "a.csv:2"
    )
    assert (found.rows, found.ip) == (12, "198.51.100.23")


@pytest.mark.parametrize("record", [b"", b"[]", b"nonsense", b'{"at": ', b'"text"', b"\xff"])
def test_what_is_no_object_is_malformed(record: bytes) -> None:
    """Under the source's own name."""
    with pytest.raises(RecordError) as caught:
        source().decode(record, "a:1")
    assert (caught.value.adapter, caught.value.reason) == ("desk", "malformed")


def test_every_field_and_word_of_a_mapping_is_described() -> None:
    """The reference has a row for each field, with those that are required, and for each word of a vocabulary."""
    page = (Path(__file__).parents[3] / "docs" / "mappings.md").read_text(encoding="utf-8")
    tables = {
        part.partition("\n")[0]: re.findall(r"^\| `(\w+)` \|", part, flags=re.MULTILINE)
        for part in page.split("\n## ")[1:]
    }
    assert tables == {
        "Fields": list(Mapping.__struct_fields__),
        "Operations": [word.value for word in Operation],
        "Kinds": [word.value for word in ActorKind],
        "Countings": [word.value for word in Counting],
    }
    required = re.findall(r"^\| `(\w+)` .*Required\. \|$", page, flags=re.MULTILINE)
    assert required == ["name", "marked_by", "time", "actor"]
