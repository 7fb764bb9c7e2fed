from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from detector.adapters import RecordError
from streams.files.framing import frames
from streams.files.reader import decode_raw, read


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self.size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        """At most the few bytes, whatever is asked."""
        return super().read1(self.size)


@pytest.mark.parametrize("size", [1, 3, 1_000])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_wide_text_is_read_in_any_pieces(encoding: str, size: int) -> None:
    """UTF-16 and UTF-32, with a mark and without, come out in UTF-8 however few bytes come at once."""
    text = '{"who": "Zoë 𝄞"}\r\n{"who": "Mia"}\r\n'
    found = list(frames(Dripping(text.encode(encoding), size)))
    assert [json.loads(frame.record)["who"] for frame in found] == ["Zoë 𝄞", "Mia"]
    assert [frame.line for frame in found] == [1, 2]


def test_wide_text_that_breaks_off_is_said(tmp_path: Path) -> None:
    """A file that ends within a character gives what it has, and then a record that says so, with its line."""
    path = tmp_path / "a.json"
    path.write_bytes('{"a": 1}\n{"a": 2}\n{"a'.encode("utf-16")[:-1])
    found = list(read([str(path)]))
    assert [raw.record for raw in found[:2]] == [b'{"a": 1}', b'{"a": 2}']
    assert found[-1].fault == "the file breaks off within a character of UTF-16-LE"
    assert found[-1].position == f"{path}:3"
    assert isinstance(decode_raw(found[-1]), RecordError)


def test_half_a_pair_costs_a_character(tmp_path: Path) -> None:
    """Half a surrogate pair in UTF-16 becomes the replacement character, and the next record is whole."""
    path = tmp_path / "a.json"
    data = '{"a": "x"}\n{"a": 2}\n'.encode("utf-16-le").replace(b"x\x00", b"\x00\xd8")
    path.write_bytes(data)
    assert [json.loads(raw.record)["a"] for raw in read([str(path)])] == ["\N{REPLACEMENT CHARACTER}", 2]


@pytest.mark.parametrize(
    "text",
    [
        '{"who": "Zoë"}\n{"who": "Mia “M” €"}\n',
        'when,who\n2026,Zoë\n2026,"Mia “M” €"\n',
        "2026 Zoë\n2026 Mia “M” €\n",
    ],
)
def test_windows_text_is_read_line_by_line(text: str) -> None:
    """Lines in Windows-1252 come out in UTF-8, in JSON, CSV and plain lines, also beside lines in UTF-8."""
    expected = [frame.record for frame in frames(io.BytesIO(text.encode()))]
    assert [frame.record for frame in frames(io.BytesIO(text.encode("cp1252")))] == expected
    lines = text.splitlines(keepends=True)
    mixed = b"".join(line.encode("cp1252" if number % 2 else "utf-8") for number, line in enumerate(lines))
    assert [frame.record for frame in frames(io.BytesIO(mixed))] == expected


@pytest.mark.parametrize("line", [b"Zo\xc3\xab \xeb", b"Zo\x81", b"Zo\xeb\x00", b"\xff\x01"])
def test_damaged_text_is_no_windows_text(line: bytes) -> None:
    """A line that has characters of several bytes, undefined ones or controls stays as it is."""
    assert [frame.record for frame in frames(io.BytesIO(b"x\n" + line + b"\n"))] == [b"x", line]


def test_text_with_a_tail_of_nuls_is_text(tmp_path: Path) -> None:
    """What a crash leaves at a file's end costs nothing before it."""
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n' + b"\x00" * 5_000)
    assert [raw.record for raw in read([str(path)])][:2] == [b'{"a": 1}', b'{"a": 2}']
