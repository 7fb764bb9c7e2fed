from __future__ import annotations

import io
import json

from hypothesis import example, given
from hypothesis import strategies as st

from streams.files import window
from streams.files.framing import CsvRows, Frame, ObjectLines, batches, frames, is_object, row_object


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self.size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        """At most the few bytes, whatever is asked."""
        return super().read1(self.size)


def closely(data: bytes, size: int) -> list[tuple[bytes, int, str]]:
    """The records, each looked at closely."""
    return [(frame.record.strip(), frame.line, frame.fault) for frame in frames(Dripping(data, size))]


def at_once(data: bytes, size: int, most: int = 10**9) -> tuple[list[tuple[bytes, int, str]], int]:
    """The records, taken many at a time (at most so many lines), and how many came that way."""
    found: list[tuple[bytes, int, str]] = []
    fast = 0
    for batch in batches(Dripping(data, size)):
        if isinstance(batch, Frame):
            found.append((batch.record.strip(), batch.line, batch.fault))
            continue
        before = len(found)
        if isinstance(batch, CsvRows):
            for line, fields in enumerate(batch.fields, batch.line):
                found.append((row_object(batch.header, fields), line, ""))
        else:
            assert isinstance(batch, ObjectLines)
            for line, record in enumerate(batch.records[:most], batch.line):
                if not is_object(record.strip()):
                    break
                found.append((record.strip(), line, ""))
                batch.taken += 1
        fast += len(found) - before
    return found, fast


PIECES = st.sampled_from(
    [
        b'{"a":1}', b'{"a":"x,]}\\n"}', b'{"a":[{"b":"}"}]}', b'{"a":\n1}', b'{"a":1', b'"a"}', b"[", b"]", b"{", b"}",
        b'"', b"what?", b"\xff", b'{"a":1}{"a":2}', b'  {"a":1}', b'{"a":1}  ', b"", b" ", b"12", b"\\",
    ]
)  # fmt: skip
JOINTS = st.sampled_from([b"\n", b",\n", b"\r\n", b",\r\n", b"\n\n", b" \n", b",", b"\r"])


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """JSON as it comes: mostly an object a line, and now and then something else."""
    joint = draw(JOINTS)
    data = draw(st.sampled_from([b'{"a":0}', b"[\n", b'[{"a":0}'])) + joint
    for _ in range(draw(st.integers(0, 30))):
        usual = draw(st.integers(0, 5)) > 0
        data += b'{"a":"b","c":7}' + joint if usual else draw(PIECES) + draw(JOINTS)
    return data


@given(objects(), st.integers(1, 300), st.integers(0, 9))
def test_objects_taken_at_once_are_those_looked_at_closely(data: bytes, size: int, most: int) -> None:
    """Whatever lies between the lines, and however many are taken, the records are the same, on the same lines."""
    assert at_once(data, size)[0] == closely(data, size)
    assert at_once(data, size, most)[0] == closely(data, size)


ROWS = st.sampled_from(
    [
        b'"1","2","3"', b"1,2,3", b'"1",2,"3"', b'"1","2"', b"1,2,3,4", b'"1","a ""b""","3"', b'"1","a\nb","3"', b"",
        b'"1","2","3', b'1,"2"x,3', b'"1","\xff","3"', b'"1","\x00","3"', b'"1","a\rb","3"', b'"1","","3"', b'"","",""',
        b'"1","2","3" ', b' "1","2","3"', b"\r", b'"1","x"",""y"', b'1,"x"",""y"', b'"', b'""', b'"1","2","\xc3\xa9"',
    ]
)  # fmt: skip


@st.composite
def rows(draw: st.DrawFn) -> bytes:
    """CSV as it comes: mostly quoted rows, and now and then something else."""
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    usual = draw(st.sampled_from([b'"x","y","z"', b"x,y,z", b'"x",y,z']))
    data = b"A,B,C" + end
    for _ in range(draw(st.integers(0, 30))):
        data += usual if draw(st.integers(0, 5)) else draw(ROWS)
        data += end if draw(st.integers(0, 9)) else draw(st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r"]))
    return data


@given(rows(), st.integers(1, 300))
@example(b'A,B,C\n1,2,3\n1,"x"",""y"\n"a",b,"c",d\n', 300)
@example(b'A,B,C\n1,2,3\n"x",y,"z","",""\n' + b'"x","","","z"\n' * 3, 300)
def test_rows_taken_at_once_are_those_looked_at_closely(data: bytes, size: int) -> None:
    """Whatever the rows and their ends, the records and their lines are the same."""
    assert at_once(data, size)[0] == closely(data, size)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_the_same_records_either_way(data: bytes, size: int) -> None:
    """Garbage comes out alike, behind JSON, behind CSV and alone."""
    for head in (b"", b'{"a": 1}\n', b"A,B\n", b'"A","B"\n"1","2"\n'):
        assert at_once(head + data, size)[0] == closely(head + data, size)


def test_what_is_usual_is_taken_at_once() -> None:
    """In the usual layouts all records come many at a time, but for the first object of a file."""
    objects = [json.dumps({"a": number}).encode() for number in range(5_000)]
    for joint in (b"\n", b"\r\n", b",\n"):
        assert at_once(joint.join(objects) + joint, window.BLOCK_BYTES)[1] == 4_999
    for row in (b'"1","2"', b"1,2", b'"1",2'):
        assert at_once(b"A,B\n" + (row + b"\n") * 5_000, window.BLOCK_BYTES)[1] == 5_000
        assert at_once(b"A,B\r\n" + (row + b"\r\n") * 5_000, window.BLOCK_BYTES)[1] == 5_000


def test_one_odd_record_does_not_slow_the_others() -> None:
    """Behind a line that is not as usual, most are taken at once again."""
    line = b'{"a":"' + b"x" * 500 + b'"}\n'
    for odd in (b"what?\n", b'{"a":\n2}\n', b"\n\n"):
        data = (line * 2_000 + odd) * 3
        found, fast = at_once(data, window.BLOCK_BYTES)
        assert fast > 5_950
        assert found == closely(data, window.BLOCK_BYTES)
    row = b'"' + b"x" * 500 + b'","y"\n'
    data = b"A,B\n" + (row * 2_000 + b'"a\nb","c"\n') * 3
    found, fast = at_once(data, window.BLOCK_BYTES)
    assert fast > 5_700
    assert found == closely(data, window.BLOCK_BYTES)
