from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.adapters import RecordError
from streams.files import expansion
from streams.files.contents import contents
from streams.files.decode import FilePart, decoded
from streams.files.reader import FileRecord, ReadError, decode_raw, read

LINE = b'{"a":1}\n'


def zipped(**members: bytes) -> bytes:
    """A zip archive of files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(**members: bytes) -> bytes:
    """A tar archive of files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def found(path: Path, data: bytes) -> list[FileRecord]:
    """The records in a file of these bytes."""
    path.write_bytes(data)
    return list(read([str(path)]))


def test_positions_name_the_member(tmp_path: Path) -> None:
    """A record in an archive is at ``archive!member:line``, also where archives lie in one another."""
    path = tmp_path / "logs.zip"
    records = found(path, zipped(**{"b/x.json": b"\n" + LINE, "y.tgz": gzip.compress(tarred(z=LINE + LINE))}))
    assert [(raw.position, raw.source) for raw in records] == [
        (f"{path}!b/x.json:2", f"{path}!b/x.json"),
        (f"{path}!y.tgz!z:1", f"{path}!y.tgz!z"),
        (f"{path}!y.tgz!z:2", f"{path}!y.tgz!z"),
    ]


def test_containers_are_named_in_their_order(tmp_path: Path) -> None:
    """A content says which containers it lies in, the outermost first."""
    path = tmp_path / "a"
    path.write_bytes(zipped(x=gzip.compress(tarred(z=LINE))))
    assert [content.layers for content in contents(str(path))] == [("zip", "gzip", "tar")]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (zipped(**{"[Content_Types].xml": b"", "xl/workbook.xml": b"<x/>"}), "an Excel workbook"),
        (zipped(**{"word/document.xml": b"<x/>"}), "a Word document"),
        (zipped(mimetype=b"application/vnd.oasis"), "an OpenDocument file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "an Office document"),
        (b"%PDF-1.7\n1 0 obj\n", "a PDF document"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7-Zip archive"),
        (b"SQLite format 3\x00\x10\x00", "an SQLite database"),
        (b"<!DOCTYPE html>\n<html><title>Log in</title>", "a web page"),
        (b'<?xml version="1.0"?>\n<Events/>', "XML"),
        (b"PARE\x15\x04", "an encrypted Parquet file"),
        (bytes(range(256)) * 8, "binary and no text"),
    ],
)
def test_what_cannot_be_read_is_named_once(data: bytes, kind: str, tmp_path: Path) -> None:
    """A file of another kind is one record that says what the file is, alone and in an archive."""
    path = tmp_path / "a.csv"
    for records in (found(path, data), found(path, tarred(x=data))):
        assert len(records) == 1
        assert records[0].fault.startswith(f"it is {kind}")
        assert not records[0].record


def test_a_damaged_archive_gives_what_it_has(tmp_path: Path) -> None:
    """What lies before the damage comes out, and one record names the member and what is wrong."""
    path = tmp_path / "a"
    noise = os.urandom(3_000).hex().encode()
    whole = tarred(x=LINE, y=LINE + noise, z=LINE)
    for data in (whole[:-9_000], whole[:1024] + b"\xff" * 512 + whole[1536:]):
        records = found(path, data)
        assert records[0].record == LINE.strip()
        assert [raw.fault for raw in records if raw.fault]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in (("x", LINE), ("y", b'{"b":1}\n'), ("z", LINE)):
            archive.writestr(name, data)
    [first, damaged, last] = found(path, file.getvalue().replace(b'{"b":1}', b"       "))
    assert (first.fault, last.fault) == ("", "")
    assert damaged.position.startswith(f"{path}!y:")
    assert "CRC" in damaged.fault
    [cut] = found(path, zipped(x=LINE)[:-10])
    assert cut.fault.startswith("the zip file is damaged or cut off")


def test_compression_that_breaks_off_is_said(tmp_path: Path) -> None:
    """A compressed file that is cut off gives what it has, and then that it breaks off."""
    lines = b"".join(json.dumps({"a": os.urandom(50).hex()}).encode() + b"\n" for _ in range(5_000))
    for data in (bz2.compress(lines, 1), lzma.compress(lines, preset=0)):
        records = found(tmp_path / "a", data[: len(data) // 2])
        assert len(records) > 100
        assert "breaks off" in records[-1].fault
    assert [raw.record for raw in found(tmp_path / "a", bz2.compress(LINE) + bz2.compress(LINE))] == [
        LINE.strip()
    ] * 2


def test_zstandard_that_breaks_off_is_said(tmp_path: Path) -> None:
    """Wherever a file of several frames is cut, its last record says that it breaks off; a whole one has no such."""
    zstandard = pytest.importorskip("zstandard")
    lines = b"".join(json.dumps({"a": os.urandom(50).hex()}).encode() + b"\n" for _ in range(3_000))
    checked = zstandard.ZstdCompressor(write_checksum=True).compress(lines)
    whole = checked + zstandard.ZstdCompressor(write_content_size=False).compress(LINE * 1_000)
    records = found(tmp_path / "a", whole)
    assert (len(records), {raw.fault[:20] for raw in records}) != (0, {""})
    assert not any("breaks off" in raw.fault for raw in records)
    for size in (len(checked) // 2, len(checked) - 3, len(checked) + 2, len(whole) - 1):
        assert "breaks off" in found(tmp_path / "a", whole[:size])[-1].fault, size


@pytest.mark.parametrize(
    "agent",
    ["ustar" * 60, "0" * 80 + " " * 70 + "ustar" * 40, "\x01" * 60, "\xff" * 60 + "\x02" * 60],
    ids=["tar", "checksum", "controls", "bytes"],
)
def test_what_a_stranger_writes_does_not_hide_a_log(agent: str, tmp_path: Path) -> None:
    """A first line with signs of a container or of a binary file in its user agent is a line as the others are."""
    line = '192.0.2.7 - - [02/Mar/2026:09:14:0{}] "GET /contacts HTTP/1.1" 200 512 "-" "{}"'
    data = "\n".join([line.format(0, agent), *(line.format(number, "x") for number in range(1, 9))])
    records = found(tmp_path / "access.log", data.encode("latin-1"))
    assert len(records) == 9
    assert not any(raw.fault for raw in records)


@pytest.mark.parametrize("name", ["PARENT_ID", "PAR1TY"])
def test_a_column_may_begin_as_parquet_does(name: str, tmp_path: Path) -> None:
    """Text behind the mark makes a file text."""
    [raw] = found(tmp_path / "a.csv", f"{name},b\n1,2\n".encode())
    assert json.loads(raw.record) == {name: "1", "b": "2"}


def test_what_follows_a_tar_file_is_said(tmp_path: Path) -> None:
    """Of two that were put together the first is read, and that something follows is a record."""
    records = found(tmp_path / "a.tar", tarred(x=LINE * 3) + tarred(y=LINE))
    assert len(records) == 4
    assert records[-1].fault.startswith("something follows the tar file's end")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_in_a_rare_compression_is_named(method: int, tmp_path: Path) -> None:
    """One whose blocks cannot be unpacked a little at a time is not unpacked: a bomb would take all memory."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", LINE, method)
        archive.writestr("b", LINE, zipfile.ZIP_DEFLATED)
    one, other = found(tmp_path / "a.zip", file.getvalue())
    assert one.source.endswith("a.zip!a")
    assert re.fullmatch(r"it is compressed by (bzip2|lzma): unpack it first", one.fault)
    assert other.record == LINE.strip()


def test_blank_lines_are_skipped_at_once(tmp_path: Path) -> None:
    """However many there are between two lines, the line numbers stay right."""
    blank = b" \r\n\n\t\n" * 100_000
    first, second = found(tmp_path / "a.log", b"one line\n" + blank + b"another\n")
    assert (first.position, second.position) == (f"{tmp_path / 'a.log'}:1", f"{tmp_path / 'a.log'}:300002")


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    """An encrypted file in a zip is a record that says so; the others are read."""
    data = bytearray(zipped(secret=LINE, open=LINE))
    for at in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[at] |= 1
    [secret, whole] = found(tmp_path / "a.zip", bytes(data))
    assert (secret.position, secret.fault) == (
        f"{tmp_path}/a.zip!secret:1",
        "it is encrypted: decrypt it first",
    )
    assert whole.record == LINE.strip()


def test_a_bomb_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What becomes too large ends with one record that says so, however it is packed."""
    monkeypatch.setattr(expansion, "ALWAYS_BYTES", 300_000)
    body = b'{"a":"' + b"x" * 2_000_000 + b'"}\n'
    for data in (
        gzip.compress(body),
        bz2.compress(body),
        gzip.compress(gzip.compress(body)),
        zipped(x=body, y=body),
        zipped(x=gzip.compress(tarred(z=body)), y=LINE),
    ):
        records = found(tmp_path / "a", data)
        assert "times its size" in records[-1].fault
        assert sum(bool(raw.fault) for raw in records) == 1
        assert len(records) <= 2


def test_containers_lie_in_one_another_so_deep(tmp_path: Path) -> None:
    """Beyond the bound a container in a container is named and not opened."""
    data = LINE
    for _ in range(expansion.MAX_LAYERS):
        data = gzip.compress(data)
    assert [raw.record for raw in found(tmp_path / "a", data)] == [LINE.strip()]
    [deep] = found(tmp_path / "a", gzip.compress(data))
    assert deep.fault == "more than 6 containers lie in one another"


def test_an_archive_holds_so_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound one record says that the archive holds more."""
    monkeypatch.setattr(expansion, "MAX_MEMBERS", 3)
    for data in (
        zipped(**{str(number): LINE for number in range(9)}),
        tarred(**{str(n): LINE for n in range(9)}),
    ):
        records = found(tmp_path / "a", data)
        assert [raw.fault for raw in records] == ["", "", "", "it holds more than 3 files"]


@pytest.mark.slow
def test_an_archive_may_come_through_a_pipe() -> None:
    """Standard input that cannot be read from its end may be a zip archive all the same."""
    code = "from streams.files.reader import read\nfor raw in read(['-']): print(raw.position, raw.record)"
    ran = subprocess.run(
        [sys.executable, "-c", code], input=zipped(x=LINE), capture_output=True, timeout=60, check=True
    )
    assert ran.stdout.decode().splitlines() == ["-!x:1 b'{\"a\":1}'"]


@pytest.mark.parametrize(
    ("piece", "before"), [(b"?\n", b""), (b"{}\n", b""), (b"]x\n", b'{"a":1}\n'), (b'"x\n', b"a,b\n")]
)
def test_what_is_short_and_repeats_is_counted(piece: bytes, before: bytes, tmp_path: Path) -> None:
    """Of what is no record and comes again and again, only the first come out, and then how many more there are."""
    records = found(tmp_path / "a", gzip.compress(before + piece * 5_000 + b"!\n"))
    repeated = [raw for raw in records if "the same comes" in raw.fault]
    assert [raw.fault for raw in repeated] == ["the same comes 4,899 more times after this line"]
    assert 102 <= len(records) <= 104
    at_once = [raw for some in decoded(FilePart(str(tmp_path / "a"))) for raw, _ in some.unread]
    assert at_once == [raw for raw in records if isinstance(decode_raw(raw), RecordError)]


@given(
    st.integers(0, 3_000),
    st.binary(min_size=1, max_size=9),
    st.sampled_from(["zip", "tar", "gzip", "tar.gz"]),
)
def test_damage_never_stops_the_reader(at: int, damage: bytes, container: str) -> None:
    """Whatever bytes of an archive are damaged, reading it ends, with records whose positions name the file."""
    body = b"".join(b'{"a":%d}\n' % number for number in range(300))
    data = bytearray(
        {
            "zip": zipped(x=body, y=LINE),
            "tar": tarred(x=body, y=LINE),
            "gzip": gzip.compress(body),
            "tar.gz": gzip.compress(tarred(x=body, y=LINE)),
        }[container]
    )
    at %= len(data)
    data[at : at + len(damage)] = damage
    with tempfile.TemporaryDirectory() as folder:
        records = found(Path(folder, "a"), bytes(data))
        assert all(raw.position.startswith(f"{folder}/a") for raw in records)


# --- Parquet


@pytest.mark.slow
def test_parquet_rows_are_records(tmp_path: Path) -> None:
    """Rows come out as objects without nulls, times in ISO 8601, bytes that are text as text, with the row's number."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    when = datetime(2026, 3, 2, 9, tzinfo=UTC)
    rows = [
        {
            "time": when,
            "who": {"name": "Zoë", "mail": None},
            "rows": number,
            "cost": Decimal("1.50"),
            "raw": b"text",
            "tags": ["a", "b"],
            "map": [("k", "v")],
        }
        for number in range(600)
    ]
    kinds = [
        ("time", pyarrow.timestamp("ns", tz="UTC")),
        ("who", pyarrow.struct([("name", pyarrow.string()), ("mail", pyarrow.string())])),
        ("rows", pyarrow.int64()),
        ("cost", pyarrow.decimal128(5, 2)),
        ("raw", pyarrow.binary()),
        ("tags", pyarrow.list_(pyarrow.string())),
        ("map", pyarrow.map_(pyarrow.string(), pyarrow.string())),
    ]
    path = tmp_path / "part-0.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows, pyarrow.schema(kinds)), path)
    for data in (path.read_bytes(), zipped(x=path.read_bytes())):
        records = found(tmp_path / "a", data)
        assert [json.loads(raw.record) for raw in records] == [
            {
                "time": "2026-03-02T09:00:00Z",
                "who": {"name": "Zoë"},
                "rows": number,
                "cost": "1.50",
                "raw": "text",
                "tags": ["a", "b"],
                "map": {"k": "v"},
            }
            for number in range(600)
        ]
        assert records[-1].position.endswith(":600")


def test_damaged_parquet_is_named(tmp_path: Path) -> None:
    """A file that begins as Parquet and is not is one record that says so."""
    pytest.importorskip("pyarrow")
    [raw] = found(tmp_path / "a.parquet", b"PAR1" + bytes(range(200)) + b"PAR1")
    assert raw.fault.startswith("it begins as a Parquet file and is damaged or cut off")


def test_parquet_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package a Parquet file is an error that says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ReadError, match=r"crmwatch\[parquet\]"):
        found(tmp_path / "a.parquet", b"PAR1\x15\x04..")
