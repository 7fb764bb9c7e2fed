"""Throw damaged records at every adapter and at the framing, until something other than `RecordError` comes out.

    python benchmarks/fuzz.py --inputs 1000000 --seed 1

Inputs are the tests' samples with something wrong in them (bytes flipped, cut, doubled or spliced; values replaced
by odd ones, keys dropped, renamed or moved), random JSON and random bytes. Each goes to every adapter, recognised or
not, and through the framing as a part of a file. The same seed gives the same inputs. Prints what happened; exit
code 1, and the input, at the first exception, broken bound or difference between two readings.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from detector.adapters import ADAPTERS, Adapter, RecordError
from detector.adapters.generic import Mapping, decoder
from detector.event import MAX_RECORD_IDS, AccessEvent, Counting, Operation
from streams.files.framing import MAX_RECORD_BYTES, Frame, frames
from streams.files.reader import read

SAMPLES = Path(__file__).parents[1] / "tests" / "samples"
LONGEST_TEXT = 2_048
AGAIN = 8
"""One in so many inputs is read a second time, to see whether it comes to the same."""
GENERIC = decoder(
    Mapping(
        name="generic",
        marked_by=("app=skydesk",),
        time="when|time|created_at|CreationTime",
        actor="who.id|who.mail|actor_id|UserId",
        operation="did|action|Operation",
        operations={"open": Operation.RECORD_VIEW},
        objects="what.*.kind|EntityName",
        record_ids="what.*.id",
        rows="n|RowsProcessed",
        counting=Counting.MAXIMUM,
        operation_id="job",
        bytes_out="size",
        query="q|Query",
        ip="from|ClientIP",
        status="code",
    )
)
TARGETS: tuple[Adapter, ...] = (*ADAPTERS.values(), GENERIC)
ODD: list[object] = [
    None, True, False, 0, -1, 1, 10**12, 10**18, 2**64, -(2**70), 10**400, 1e300, -1e-300, 0.1, "", " ", "-", "0",
    "-1", "9" * 30, "9" * 5_000, "1e999", "nan", "NaN", "inf", "null", "\x00", "\ud7ff\U0001f600", "é" * 300,
    "x" * 5_000,
    "/" * 40, "%2f", "../..", "a\nb", '"', "\\", "'", "<fetch", "SELECT ", "{", "[", "[{", '{"a":1}', "[1,2]",
    "1.2.3.4:5",
    "[::1]:80", "::1%eth0", "2025-02-30T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "20250230145944.655", [], {}, [[]], [None], {"": None}, {"a": {"b": []}}, ["x"] * 300,
]  # fmt: skip
CHUNKS = [
    b"", b"\n", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b'\\"', b"{", b"}", b"[", b"]", b",", b":", b"null",
    b'{"a":[', b"\\ud800", b"\\u0000", b"\xc3\x28", b"1e999", b" " * 300, b"'", b"<", b"&lt;", b"((((", b"\\x22",
]  # fmt: skip


def generator(value: random.Random) -> Iterator[bytes]:
    """Inputs without end."""
    records = sorted(
        {
            raw.record
            for name in (*ADAPTERS, GENERIC.name)
            for raw in read([str(SAMPLES / name)])
            if raw.record
        }
    )
    names = sorted({key for record in records for key in _keys(record)})
    while True:
        kind = value.random()
        record = value.choice(records)
        if kind < 0.45:
            yield _restructured(value, record, names)
        elif kind < 0.9:
            yield _damaged(value, record, records)
        elif kind < 0.97:
            yield json.dumps(_any(value, names, 0), ensure_ascii=value.random() < 0.5).encode(
                "utf-8", "replace"
            )
        else:
            yield value.randbytes(value.randrange(80))


def _keys(record: bytes) -> list[str]:
    try:
        loaded = json.loads(record)
    except ValueError:
        return []
    return list(loaded) if isinstance(loaded, dict) else []


def _any(value: random.Random, names: list[str], depth: int) -> object:
    kind = value.random()
    if kind < 0.5 or depth > 3:
        return copy.deepcopy(value.choice(ODD))
    if kind < 0.6:
        return [_any(value, names, depth + 1) for _ in range(value.randrange(4))]
    return {value.choice(names): _any(value, names, depth + 1) for _ in range(value.randrange(12))}


def _restructured(value: random.Random, record: bytes, names: list[str]) -> bytes:
    """A record's JSON with other values, keys or shapes."""
    try:
        loaded: Any = json.loads(record)
    except ValueError:
        return _damaged(value, record, [record])
    for _ in range(value.randrange(1, 4)):
        holder: Any = loaded
        while isinstance(holder, dict | list) and holder:
            places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            place = value.choice(places)
            if isinstance(holder[place], dict | list) and value.random() < 0.6:
                holder = holder[place]
                continue
            change = value.random()
            if change < 0.15:
                del holder[place]
            elif change < 0.3 and isinstance(holder, dict):
                holder[value.choice(names)] = holder.pop(place)
            elif change < 0.4 and isinstance(holder[place], str):
                holder[place] = holder[place] + str(value.choice(ODD))[:200]
            else:
                holder[place] = _any(value, names, 2)
            break
    return json.dumps(loaded, ensure_ascii=value.random() < 0.5).encode("utf-8", "replace")


def _damaged(value: random.Random, record: bytes, records: list[bytes]) -> bytes:
    """A record's bytes with something done to them."""
    data = bytearray(record)
    for _ in range(value.choice([1, 1, 2, 4])):
        at = value.randrange(len(data) + 1)
        size = value.randrange(1, 12)
        change = value.randrange(7)
        if change == 0:
            del data[at:]
        elif change == 1:
            del data[at : at + size]
        elif change == 2 and data:
            data[at % len(data)] = value.randrange(256)
        elif change == 3:
            data[at:at] = value.choice(CHUNKS)
        elif change == 4:
            data[at:at] = data[at : at + 20 * size]
        elif change == 5:
            other = value.choice(records)
            cut = value.randrange(len(other) + 1)
            data[at:] = other[cut:]
        else:
            data[at:at] = value.randbytes(size)
    return bytes(data)


class Broken(Exception):  # noqa: N818 - it names what happened
    """What was promised and not kept."""


def check_adapter(adapter: Adapter, record: bytes, again: bool) -> str:
    """Read a record; says what came of it, or raises for what may not come."""
    if adapter.recognises(record) not in (True, False):
        raise Broken("recognises is neither true nor false")
    found = _outcome(adapter, record)
    if again and str(_outcome(adapter, record)) != str(found):
        raise Broken("a second reading came to something else")
    if isinstance(found, RecordError):
        if found.adapter != adapter.name or found.position != "f:1" or len(found.detail) > 400:
            raise Broken(f"a refusal that says {found}")
        return found.reason
    packed = msgspec.msgpack.encode(found)
    if msgspec.msgpack.decode(packed, type=AccessEvent) != found:
        raise Broken("the event does not survive packing")
    for count in (found.rows, found.bytes_out):
        if count is not None and not 0 <= count <= 10**16:
            raise Broken(f"a count of {count}")
    if not 946_684_800_000 <= found.time_ms < 4_133_980_800_000 or len(found.record_ids) > MAX_RECORD_IDS:
        raise Broken("a time or a number of ids out of bounds")
    if not found.tenant or not found.actor or "/" in found.tenant + found.actor:
        raise Broken(f"an identity {found.identity!r}")
    if any(len(text) > LONGEST_TEXT for text in _texts(msgspec.to_builtins(found))):
        raise Broken("a text without a bound")
    return "event"


def _outcome(adapter: Adapter, record: bytes) -> AccessEvent | RecordError:
    try:
        return adapter.decode(record, "f:1")
    except RecordError as error:
        return error


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self.size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        """At most the few bytes, whatever is asked."""
        return super().read1(self.size)


def check_framing(value: random.Random, parts: list[bytes], again: bool) -> int:
    """Take a file apart that is made of these; returns the number of records."""
    header = value.choice([b"", b"", b"EVENT_TYPE,TIMESTAMP,USER_ID\n", b'"a","b"\n', b"[", b"\xef\xbb\xbf"])
    data = header + value.choice([b"\n", b"\r\n", b"", b",\n", b"\n\n"]).join(parts)
    found = list(frames(io.BytesIO(data)))
    for frame in found:
        if not isinstance(frame, Frame) or len(frame.record) > MAX_RECORD_BYTES + 1 or frame.line < 1:
            raise Broken(f"a frame {frame!r:.200}")
    if data.strip() and not found and data.strip(b" \t\r\n,[]\xef\xbb\xbf") and not header.count(b","):
        raise Broken("everything was passed over")
    size = value.choice([1, 3, 17] if len(data) < 400 else [61, 256, 1024])
    if again and list(frames(Dripping(data, size))) != found:
        raise Broken("other records come out if the file comes in other pieces")
    return len(found)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    value = random.Random(options.seed)  # noqa: S311 - it must be the same again
    outcomes: dict[str, Counter[str]] = {adapter.name: Counter() for adapter in TARGETS}
    recent: list[bytes] = []
    framed = 0
    slowest = (0.0, "", b"")
    began = time.perf_counter()
    for number, record in zip(range(options.inputs), generator(value), strict=False):
        again = number % AGAIN == 0
        target = "framing"
        try:
            for adapter in TARGETS:
                target = adapter.name
                start = time.process_time()
                outcomes[target][check_adapter(adapter, record, again)] += 1
                slowest = max(slowest, (time.process_time() - start, target, record))
            target = "framing"
            recent = [*recent[-2:], record]
            framed += check_framing(value, recent, again)
        except Exception as error:  # noqa: BLE001 - that none comes is what is tried
            print(f"input {number:,} of seed {options.seed}, {target}: {type(error).__name__}: {error}")
            print(f"{(recent if target == 'framing' else record)!r}"[:4_000])
            return 1
        if number % 20_000 == 0 and sys.stderr.isatty():
            print(f"{number:,}\r", end="", file=sys.stderr)
    seconds = time.perf_counter() - began
    print(
        f"{options.inputs:,} inputs of seed {options.seed}, each to {len(TARGETS)} adapters, in {seconds:,.0f} s"
    )
    print(f"{framed:,} records out of files made of them; nothing but RecordError came out")
    print(f"slowest: {slowest[0] * 1000:.1f} ms of the processor's, {slowest[1]}, {len(slowest[2]):,} bytes")
    for name, counts in outcomes.items():
        print(f"  {name}: " + ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
