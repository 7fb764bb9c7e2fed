from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.adapters import RecordError, choose
from detector.event import AccessEvent
from streams.files import contents, framing
from streams.files.framing import MAX_RECORD_BYTES, MAX_ROW_LINES, Frame, frames
from streams.files.json_objects import json_frames
from streams.files.reader import FileRecord, ReadError, decode_raw, read, read_in_order
from streams.files.window import Pace, Window

OBJECTS = [{"a": number, "text": 'x{"}\\\n[', "inner": {"list": [{"b": 1}, {}]}} for number in range(5)]


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self.size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        """At most the few bytes, whatever is asked."""
        return super().read1(self.size)


def framed(data: bytes, size: int = framing.BLOCK_BYTES) -> list[Frame]:
    """The records in those bytes, read so many at a time."""
    return list(frames(Dripping(data, size)))


def elf(number: int, when: str = "20250320145944.655", **columns: str) -> bytes:
    """An event log row as a JSON line."""
    account = {"ORGANIZATION_ID": "00D5g000004SkyW", "USER_ID": "0055g0000AgAnna"}
    record = {"EVENT_TYPE": "API", "TIMESTAMP": when, "REQUEST_ID": f"r{number}"} | account
    return json.dumps(record | columns).encode()


LAYOUTS: dict[str, Callable[[], str]] = {
    "lines": lambda: "\n".join(map(json.dumps, OBJECTS)),
    "windows lines": lambda: "\r\n".join(map(json.dumps, OBJECTS)) + "\r\n",
    "array": lambda: json.dumps(OBJECTS),
    "array of lines": lambda: "[\n" + ",\n".join(map(json.dumps, OBJECTS)) + "\n]",
    "pretty array": lambda: json.dumps(OBJECTS, indent=2),
    "pretty objects": lambda: "\n\n\n".join(json.dumps(value, indent=4) for value in OBJECTS) + "\n\n\n",
    "unindented": lambda: "\n".join(json.dumps(value, indent=0) for value in OBJECTS),
    "run together": lambda: "".join(map(json.dumps, OBJECTS)),
    "byte order mark": lambda: "\ufeff" + "\n".join(map(json.dumps, OBJECTS)),
}


@pytest.mark.parametrize("size", [1, 2, 7, 100, framing.BLOCK_BYTES])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_json_may_lie_in_any_layout(layout: str, size: int) -> None:
    """Objects come out the same, and with the line they begin on, however they lie and are read."""
    text = LAYOUTS[layout]()
    found = framed(text.encode(), size)
    assert [json.loads(frame.record) for frame in found] == OBJECTS
    lines = text.splitlines()
    for frame in found:
        assert frame.record.decode().splitlines()[0].strip() in lines[frame.line - 1]
    assert not any(frame.fault for frame in found)


@pytest.mark.slow
@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.lists(st.integers()), max_size=3)),
    st.data(),
)
def test_any_objects_come_back(values: list[dict[str, object]], data: st.DataObject) -> None:
    """Whatever the objects and their layout, each comes back whole."""
    indent = data.draw(st.sampled_from([None, 0, 1]))
    ascii_only = data.draw(st.booleans())
    joint = data.draw(st.sampled_from(["\n", "", ",\n", "\r\n\r\n"]))
    text = joint.join(json.dumps(value, indent=indent, ensure_ascii=ascii_only) for value in values)
    found = framed(text.encode(), data.draw(st.integers(1, 20)))
    assert [json.loads(frame.record) for frame in found] == values


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_framed(data: bytes, size: int) -> None:
    """Garbage ends, never raises, and comes out the same in whatever pieces it is read."""
    found = framed(b'{"a": 1}\n' + data, size)
    assert found[0].record == b'{"a": 1}'
    assert found == framed(b'{"a": 1}\n' + data)
    assert framed(data, size) == framed(data)


@pytest.mark.parametrize(
    ("data", "records"),
    [
        (b'{"a":1,"b":{\n{"a":2}\n', [b'{"a":1,"b":{', b'{"a":2}']),
        (b'{"a":{\n{"a":2}\n {"a":3}\n', [b'{"a":{', b'{"a":2}', b'{"a":3}']),
        (b'{"a":"never closed\n{"a":2}\n', [b'{"a":"never closed', b'{"a":2}']),
        (b'{"a":"ends in \\\n{"a":2}\n', [b'{"a":"ends in \\', b'{"a":2}']),
        (b'{"a":1}\nwhat?\n{"a":2}', [b'{"a":1}', b"what?", b'{"a":2}']),
        (b'{"a":1}\n{"a":', [b'{"a":1}', b'{"a":']),
        (b'[{"a":1},{"a":', [b'{"a":1}', b'{"a":']),
        (b'{"a":1}}\n{"a":2}', [b'{"a":1}', b"}", b'{"a":2}']),
        (b'{\n "a": 1,\n{\n "a": 2\n}\n', [b'{\n "a": 1,', b'{\n "a": 2\n}']),
        (b'{"a":1}\n\x00\x00\n{"a":2}', [b'{"a":1}', b"\x00\x00", b'{"a":2}']),
        (b'{"a":"\x81\xff"}\n{"a":2}', [b'{"a":"\x81\xff"}', b'{"a":2}']),
        (b"", []),
        (b" \n\n", []),
        (b"[]", []),
    ],
)
def test_a_broken_object_costs_only_itself(data: bytes, records: list[bytes]) -> None:
    """What is cut off or strange comes out as a record of its own, and the next is whole."""
    for size in (1, 3, framing.BLOCK_BYTES):
        assert [frame.record for frame in framed(data, size)] == records


@pytest.mark.slow
@pytest.mark.parametrize("size", [framing.BLOCK_BYTES - 1, framing.BLOCK_BYTES, framing.BLOCK_BYTES + 1])
@pytest.mark.parametrize(
    "data",
    [
        b'{"a":"' + b"x" * 3_000_000 + b'"}\n{"a":2}\n',
        b'[{"a":"' + b'x\\"' * 700_000 + b'"},{"a":2}]',
        b'[{"a":"' + b'\\"{' * 700_000 + b'"},{"a":2}]',
        b'[{"a":[' + b'{"b":"}"},' * 200_000 + b'{}]},\n{"a":2}]',
        b'{"a":"' + b"x" * 3_000_000 + b'\n{"a":2}\n',
        b'{"a":{"b":"' + b"x" * 3_000_000 + b'"\n{"a":2}\n',
    ],
)
def test_a_long_record_is_cut(data: bytes, size: int) -> None:
    """A record beyond the bound comes out as one byte more than it, once, and the next is whole."""
    found = framed(data, size)
    assert [len(frame.record) for frame in found] == [MAX_RECORD_BYTES + 1, 7]
    assert found[1].record == b'{"a":2}'
    refused = decode_raw(FileRecord(found[0].record, "a:1", "a"))
    assert isinstance(refused, RecordError)
    assert (refused.reason, refused.position) == ("too_large", "a:1")


def test_an_object_that_swallows_others_gives_them_back() -> None:
    """An object that is never closed does not take the pretty-printed ones after it along."""
    whole = json.dumps({"a": "x" * 90_000}, indent=1)
    found = framed(('{\n "a": {\n' + (whole + "\n") * 30).encode())
    assert found[0].record == b'{\n "a": {'
    assert [frame.record.decode() for frame in found[1:]] == [whole] * 30
    assert found[-1].line == 3 + 29 * 3


def test_csv_rows_become_objects() -> None:
    """Rows become objects of strings, quotes and line ends in them kept, with the line they begin on."""
    data = b'"EVENT_TYPE","TEXT"\r\n"API","a ""b""\nc, d"\r\n\r\nURI,plain\n"Search",""\n'
    assert [(json.loads(frame.record), frame.line) for frame in framed(data, 5)] == [
        ({"EVENT_TYPE": "API", "TEXT": 'a "b"\nc, d'}, 2),
        ({"EVENT_TYPE": "URI", "TEXT": "plain"}, 5),
        ({"EVENT_TYPE": "Search", "TEXT": ""}, 6),
    ]


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8), min_size=3, max_size=3
        )
    )
)
def test_any_quoted_csv_comes_back(rows: list[list[str]]) -> None:
    """Whatever stands in quoted fields comes back, in rows that say when they were."""
    rows = [["2026", *row] for row in rows]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["T", "A", "B", "C"], *rows])
    found = framed(text.getvalue().encode(), 7)
    assert [list(json.loads(frame.record).values()) for frame in found] == rows


def test_a_row_that_does_not_fit_is_marked() -> None:
    """A row with too few or too many columns says how many, and one that is no CSV comes out as it is."""
    data = b'"A","B"\n"1"\n"1","2","3"\n"1","2"x"\n\x81\xff,1\n"open,1\n"5","6"\n'
    found = framed(data)
    assert [frame.record for frame in found] == [
        b'{"A":"1","":{"columns":1,"expected":2}}',
        b'{"A":"1","B":"2","":{"columns":3,"expected":2}}',
        b'"1","2"x"',
        b"\x81\xff,1",
        b'"open,1',
        b'{"A":"5","B":"6"}',
    ]
    assert [frame.line for frame in found] == [2, 3, 4, 5, 6, 7]
    assert [bool(frame.fault) for frame in found] == [False, False, True, True, True, False]


def test_an_open_quote_costs_one_row() -> None:
    """A quote that is never closed does not take the rest of the file along."""
    data = b"A,B\n" + b'"x,1\n' + b"1,2\n" * (3 * MAX_ROW_LINES)
    found = framed(data)
    assert found[0].record == b'"x,1'
    assert [frame.record for frame in found[1:]] == [b'{"A":"1","B":"2"}'] * (3 * MAX_ROW_LINES)
    assert found[-1].line == 2 + 3 * MAX_ROW_LINES


def test_a_row_spans_so_many_lines() -> None:
    """A quoted field may have line ends up to the bound; beyond it the quote counts as open."""
    whole = b'1,"' + b"x\n" * (MAX_ROW_LINES - 1) + b'"\n'
    assert [frame.fault for frame in framed(b"A,B\n" + whole)] == [""]
    assert framed(b"A,B\n" + whole.replace(b'"x', b'"x\nx'))[0].fault == "a quote is never closed"


def test_a_long_csv_line_is_cut() -> None:
    """A CSV line beyond the bound is cut, and the row after it is whole."""
    found = framed(b"A,B\n1," + b"x" * 2_500_000 + b"\n3,4\n")
    assert [len(frame.record) for frame in found] == [MAX_RECORD_BYTES + 1, 17]


def test_plain_lines_are_records() -> None:
    """A file that is neither JSON nor CSV gives its lines, without the blank ones."""
    data = b'203.0.113.7 - anna [21/Mar/2025:10:00:00 +0000] "GET /case/1, HTTP/1.1" 200 12\r\n\n[x] y'
    assert [(frame.record, frame.line) for frame in framed(data, 3)] == [
        (b'203.0.113.7 - anna [21/Mar/2025:10:00:00 +0000] "GET /case/1, HTTP/1.1" 200 12', 1),
        (b"[x] y", 3),
    ]
    assert [len(frame.record) for frame in framed(b"\x00" * 2_500_000 + b"\nend")] == [
        MAX_RECORD_BYTES + 1,
        3,
    ]


@pytest.mark.slow
def test_memory_stays_constant() -> None:
    """However long the file, no more of it is held than a record and some blocks."""

    class Endless(io.BytesIO):
        left = 200

        def read1(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            return b'{"a":1}\n' * 4_000 if self.left else b""

    window = Window(Endless())
    held = 0
    for _ in json_frames(window, Pace(0)):
        held = max(held, len(window.data))
    assert held < 3 * 32_000


def test_paths_are_files_folders_and_globs(tmp_path: Path) -> None:
    """Files, folders in their names' order, and globs are read, with positions that name them as given."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.json").write_text('{"a":2}')
    (tmp_path / "b" / "1.json").write_text('{"a":1}\n{"a":11}')
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "0.json").write_text('{"a":3}')
    (tmp_path / "a.json").write_text('\n\n{"a":0}\n')
    root = str(tmp_path)
    expected = [
        (b'{"a":0}', f"{root}/a.json:3", f"{root}/a.json"),
        (b'{"a":1}', f"{root}/b/1.json:1", f"{root}/b/1.json"),
        (b'{"a":11}', f"{root}/b/1.json:2", f"{root}/b/1.json"),
        (b'{"a":2}', f"{root}/b/2.json:1", f"{root}/b/2.json"),
        (b'{"a":3}', f"{root}/c/0.json:1", f"{root}/c/0.json"),
    ]

    def told(*paths: str) -> list[tuple[bytes, str, str]]:
        return [(raw.record, raw.position, raw.source) for raw in read(paths)]

    assert told(root) == expected
    assert told(f"{root}/a.json", f"{root}/b", f"{root}/c") == expected
    assert told(f"{root}/**/*.json") == expected
    assert told(f"{root}/*") == expected
    assert told(f"{root}/b/[2]*") == expected[3:4]


def test_a_folder_is_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files come before folders, and of the links only those to files within the folder are read, whatever its name."""
    (tmp_path / "z").mkdir()
    for name in ("b.json", "a.json", "z/c.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "z" / "d.json").symlink_to(tmp_path / "a.json")
    (tmp_path / "z" / "loop").symlink_to(tmp_path)
    (tmp_path / "z" / "gone").symlink_to(tmp_path / "nowhere")
    expected = ["a.json", "b.json", "z/c.json", "z/d.json"]
    monkeypatch.chdir(tmp_path)
    assert [raw.source for raw in read(["."])] == expected
    assert [raw.source for raw in read(["./z/"])] == ["z/c.json"]
    for folder in (str(tmp_path), f"{tmp_path}/"):
        assert [raw.source for raw in read([folder])] == [f"{tmp_path}/{name}" for name in expected]


@pytest.mark.parametrize("name", ["missing", "missing*", "a\0b"])
def test_a_path_that_names_nothing_is_an_error(tmp_path: Path, name: str) -> None:
    """A missing file and a glob without match are told at once, by name."""
    with pytest.raises(ReadError, match="no such file"):
        read([str(tmp_path / name)])


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read is told by name."""
    path = tmp_path / "secret.json"
    path.write_text("{}")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(contents, "FileIO", refuse)
    with pytest.raises(ReadError, match=r"secret\.json: Permission denied"):
        list(read([str(path)]))


@pytest.mark.slow
def test_standard_input_is_a_dash() -> None:
    """Standard input is read by the name of a dash, compressed or not."""
    code = "import sys; from streams.files.reader import read\nfor raw in read(['-']): print(raw.position, raw.record)"
    for data in (b'{"a":1}\n{"a":2}\n', gzip.compress(b'{"a":1}\n{"a":2}\n')):
        ran = subprocess.run(
            [sys.executable, "-c", code], input=data, capture_output=True, timeout=60, check=True
        )
        assert ran.stdout.decode().splitlines() == ["-:1 b'{\"a\":1}'", "-:2 b'{\"a\":2}'"]


def test_gzip_is_seen_by_content(tmp_path: Path) -> None:
    """A compressed file is read whatever its name, and a plain one though it is named like an archive."""
    (tmp_path / "a").write_bytes(gzip.compress(b'{"a":1}\n') + gzip.compress(b'{"a":2}\n'))
    (tmp_path / "b.gz").write_bytes(b'{"a":3}\n')
    assert [raw.record for raw in read([str(tmp_path)])] == [b'{"a":1}', b'{"a":2}', b'{"a":3}']


def test_a_truncated_archive_gives_what_it_has(tmp_path: Path) -> None:
    """What lies before the break comes out, then the broken record, then that the file breaks off."""
    noise = random.Random(7)
    lines = [elf(number, X="".join(noise.choices("abcdefgh", k=900))) for number in range(200)]
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines))[:-20_000])
    found = list(read([str(path)]))
    whole = [raw for raw in found if raw.record in lines]
    assert 100 < len(whole) < 200
    assert [raw.record for raw in whole] == lines[: len(whole)]
    assert "breaks off" in found[-1].fault
    refused = decode_raw(found[-1])
    assert isinstance(refused, RecordError)
    assert (refused.reason, refused.position) == ("malformed", found[-1].position)
    path.write_bytes(b"\x1f\x8b garbage that is no archive")
    assert ["breaks off" in raw.fault for raw in read([str(path)])] == [True]


def test_zstandard_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package a Zstandard file is an error that says what to install."""
    path = tmp_path / "a.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd....")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ReadError, match=r"crmwatch\[zstd\]"):
        list(read([str(path)]))


def test_zstandard_is_seen_through(tmp_path: Path) -> None:
    """With the package a Zstandard file is read like any other, and a truncated one gives what it has."""
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "a"
    data = zstandard.ZstdCompressor().compress(b'{"a":1}\n' * 3)
    path.write_bytes(data + data)
    assert [raw.record for raw in read([str(path)])] == [b'{"a":1}'] * 6
    path.write_bytes(data[:8] + b"\xff" * 8)
    assert all(isinstance(decode_raw(raw), RecordError) for raw in read([str(path)]))


def test_decode_says_why_not() -> None:
    """A record decodes to its event, or to the reason why it has none."""
    event = decode_raw(FileRecord(elf(1), "a:1", "a"))
    assert isinstance(event, AccessEvent)
    assert event.origin.position == "a:1"
    unknown = decode_raw(FileRecord(b"{}", "a:2", "a"))
    assert isinstance(unknown, RecordError)
    assert (unknown.reason, unknown.position) == ("unknown_format", "a:2")


@pytest.mark.parametrize(("records", "size"), [(1, 10**9), (7, 10**9), (200_000, 1_000), (200_000, 10**9)])
def test_events_come_in_order(tmp_path: Path, records: int, size: int) -> None:
    """Events come by time, id, bytes and position, whatever the files' order and the chunks' size."""
    shuffled = random.Random(7)
    lines = [elf(number % 40, f"202503201459{number % 50:02d}") for number in range(120)]
    shuffled.shuffle(lines)
    (tmp_path / "a.json").write_bytes(b"\n".join([*lines[:50], b"{broken"]))
    (tmp_path / "b.json").write_bytes(b"\n".join([*lines[50:], lines[0], b"[]]"]))
    paths = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]

    def told(order: list[str]) -> tuple[list[str], list[tuple[int, str, bytes, str]]]:
        found = list(read_in_order(order, chunk_records=records, chunk_bytes=size))
        failed = [raw.position for raw, event in found if isinstance(event, RecordError)]
        kept = [
            (e.time_ms, e.event_id, raw.record, raw.position)
            for raw, e in found
            if isinstance(e, AccessEvent)
        ]
        assert all(isinstance(event, RecordError) for _, event in found[: len(failed)])
        assert all(
            event.origin.position == raw.position for raw, event in found if isinstance(event, AccessEvent)
        )
        return failed, kept

    failed, kept = told(paths)
    assert failed == [f"{paths[0]}:51"]
    assert kept == sorted(kept)
    assert len(kept) == 121
    assert told(paths[::-1])[1] == kept


def test_the_temporary_file_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left on the disk, even if the events are not all wanted."""
    (tmp_path / "in").mkdir()
    (tmp_path / "spill").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(b"\n".join(elf(number) for number in range(50)))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spill"))
    events = read_in_order([str(tmp_path / "in")], chunk_records=5)
    next(events)
    del events
    assert list((tmp_path / "spill").iterdir()) == []


def test_a_missing_path_is_told_before_anything_is_sorted(tmp_path: Path) -> None:
    """`read_in_order` refuses a path that names nothing as early as `read` does."""
    with pytest.raises(ReadError):
        read_in_order([str(tmp_path / "missing")])


def test_a_file_name_that_is_no_text_is_shown_as_text(tmp_path: Path) -> None:
    """A name that is not UTF-8 is read all the same; its position can be written down."""
    path = os.fsencode(tmp_path) + b"/caf\xe9.jsonl"
    Path(os.fsdecode(path)).write_bytes(b"{}\n")
    (found,) = read([str(tmp_path)])
    assert found.record == b"{}"
    assert found.position == f"{tmp_path}/caf\N{REPLACEMENT CHARACTER}.jsonl:1"


# --- an API's pages and chosen adapters

ITEMS = [{"a": number, "text": '[{"b": 1}]'} for number in range(3)]
PAGES = {
    "one line": json.dumps({"results": ITEMS, "paging": {"next": None}}),
    "pretty": json.dumps({"audit_logs": ITEMS, "count": 3}, indent=2),
    "behind scalars": json.dumps({"@odata.context": "x", "@odata.count": 3, "value": ITEMS}),
    "two pages": "\n".join(json.dumps({"value": part}) for part in (ITEMS[:1], ITEMS[1:])),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_of_an_api_is_read_record_by_record(page: str, tmp_path: Path) -> None:
    """What an API answered with comes apart into its records, each with the line on which it begins."""
    file = tmp_path / "page.json"
    file.write_text(page)
    found = list(read([str(file)]))
    assert [json.loads(raw.record) for raw in found] == ITEMS
    lines = page.splitlines()
    for raw in found:
        line = int(raw.position.rpartition(":")[2])
        first = raw.record.split(b"\n")[0].decode()
        assert first in lines[line - 1]
        assert not raw.fault


@pytest.mark.parametrize(
    "record",
    [
        b'{"a": 1, "results": []}',
        b'{"results": ["a", "b"]}',
        b'{"a": {"results": [{"c": 1}]}}',
    ],
)
def test_what_is_no_page_stays_whole(record: bytes, tmp_path: Path) -> None:
    """A record with a list in it and an empty page are not taken apart, so that nothing is lost."""
    file = tmp_path / "records.jsonl"
    file.write_bytes(record + b"\n")
    assert [raw.record for raw in read([str(file)])] == [record]


def test_pages_are_looked_for_only_where_a_file_begins_with_one(tmp_path: Path) -> None:
    """In a file of records, one that looks like a page is a record as well."""
    file = tmp_path / "records.jsonl"
    page = b'{"results": [{"c": 1}]}'
    file.write_bytes(elf(1) + b"\n" + page + b"\n")
    assert [raw.record for raw in read([str(file)])] == [elf(1), page]


def test_records_are_decoded_with_the_adapters_given(tmp_path: Path) -> None:
    """A format that was chosen reads every record of the files, and refuses the others in its own name."""
    file = tmp_path / "records.jsonl"
    file.write_bytes(elf(1) + b'\n{"a": 1}\n')
    [refused, read_] = [result for _, result in read_in_order([str(file)], adapters=choose("salesforce_elf"))]
    assert isinstance(refused, RecordError)
    assert (refused.adapter, refused.reason) == ("salesforce_elf", "missing_field")
    assert read_ == decode_raw(FileRecord(elf(1), f"{file}:1", ""))
    [unknown, other] = [
        result for _, result in read_in_order([str(file)], adapters=choose("salesforce_rtem"))
    ]
    assert isinstance(unknown, RecordError)
    assert isinstance(other, RecordError)
    assert unknown.adapter == other.adapter == "salesforce_rtem"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1_000])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n \n", b"\r\n\r\n"])
def test_a_layout_is_told_however_little_comes_first(before: bytes, size: int) -> None:
    """A pipe's first bytes may be no more than a byte order mark or a blank line."""
    found = framed(before + b'{"a": 1} \n{"b": 2}{"c": 3}\n', size)
    assert [frame.record for frame in found] == [b'{"a": 1}', b'{"b": 2}', b'{"c": 3}']
    lines = before.count(b"\n")
    assert [frame.line for frame in found] == [lines + 1, lines + 2, lines + 2]
