"""Opens what wraps a record: shippers, queues and SIEMs keep it under a key of their own, or write text before it.

The rule is general: a record that no adapter reads as it is, is opened, and what is in it is asked again. Opened
are the keys in `KEYS`, whether they hold an object or a text, text in JSON's or base64's writing, and the prefixes
that log collectors write before a line. How deep, and how many parts, is bounded.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from functools import cache
from typing import Annotated

import msgspec

from detector.adapters.adapter import PAGE_KEYS, UNREADABLE

__all__ = ["KEYS", "MAX_BYTES", "MAX_DEPTH", "MAX_PARTS", "describe", "parts", "top_level"]

MAX_DEPTH = 6
"""How many wrappers may be around a record."""
MAX_PARTS = 60
"""How many parts of one record are looked at."""
MAX_BYTES = 8_000_000
"""How many bytes the parts of one record that are looked at have."""

# What was received comes before what somebody made of it. What people write (a text, a document) is not opened.
_KEYS = """
    _raw raw rawdata raw_data rawlog raw_log raweventdata original original_event auditdata
    _source result event detail data data_base64 payload value after record _airbyte_data
    message msg log line body content full_message short_message attributes properties
    jsonpayload textpayload json stringvalue fields o365 office365 audit salesforce dynamics
    zendesk hubspot logevent
"""
KEYS: dict[str, int] = {key: rank for rank, key in enumerate(_KEYS.split())}
"""The keys that are opened, in lower case, without a leading ``@`` and without the path before the last dot."""

_Object = dict[str, msgspec.Raw]
_decode_object = msgspec.json.Decoder(_Object).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
_decode_numbers = msgspec.json.Decoder(list[_Byte]).decode
_encode = msgspec.json.encode
_NOTHING = msgspec.Raw(b"null")


def _object(record: bytes) -> _Object | None:
    if record[:1] != b"{":
        return None
    try:
        return _decode_object(record)
    except UNREADABLE:
        return None


def top_level(record: bytes) -> bytes | None:
    """A JSON object with nothing but its own keys and plain values, or ``None`` for anything else.

    An adapter that recognises it recognises the record by its own keys, and not by those of a part.

    >>> top_level(b'{"class_uid": 6003, "data": {"EventDate": "x"}}')
    b'{"class_uid":6003,"data":null}'
    """
    value = _object(record)
    if value is None:
        return None
    return _encode({key: _NOTHING if _start(raw) in b"[{" else raw for key, raw in value.items()})


def _start(raw: msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:1])


def parts(record: bytes) -> Iterator[bytes]:
    """What a record wraps, the likeliest first; nothing for a record that is no wrapper."""
    value = _object(record)
    if value is not None:
        yield from _respelled(value)
        found = sorted((KEYS[name], key) for key in value if (name := _name(key)) in KEYS)
        for _, key in found[:MAX_PARTS]:
            yield from _held(bytes(value[key]))
    elif record[:1] == b"[" and record.rstrip()[-1:] == b"]":
        yield from _held(record)
    elif record[:1] == b'"':
        yield from _written(record)
    else:
        yield from _after_prefix(record)


_LABELLED = re.compile(r"(.*\S) \[([^\[\]]{1,60})\]")


def _respelled(value: _Object) -> Iterator[bytes]:
    """The object with its keys as the vendor spells them, where an export has decorated or flattened them.

    A portal writes a column's time zone behind its name (``TimeGenerated [UTC]``), which then belongs to its values; a
    spreadsheet leaves blanks and marks around names; a search engine writes the path to a field as its name.
    """
    plain: _Object = {}
    paths: dict[str, _Object] = {}
    for key, raw in value.items():
        name = key.strip(" \t\ufeff\"'")
        label = _LABELLED.fullmatch(name[:300])
        if label is not None:
            name = label[1]
            if label[2].upper() != "UTC" and _start(raw) == b'"':
                raw = msgspec.Raw(bytes(raw)[:-1] + _encode(f" {label[2]}")[1:])
        plain.setdefault(name, raw)
        path, _, last = name.rpartition(".")
        if path:
            paths.setdefault(path, {})[last] = raw
    if plain.keys() != value.keys():
        yield _encode(plain)
    for fields in paths.values():
        if len(fields) >= MIN_FLATTENED:
            yield _encode(fields)


MIN_FLATTENED = 3
"""An object that an export has flattened has at least so many fields."""


def _name(key: str) -> str:
    return key[-200:].rpartition(".")[2].lstrip("@").lower()


def _held(raw: bytes) -> Iterator[bytes]:
    """The object, the text, or the one element of a list under a key."""
    start = raw[:1]
    if start == b"{":
        yield raw
    elif start == b'"':
        yield from _written(raw)
    elif start == b"[":
        try:
            elements = _decode_list(raw)
        except UNREADABLE:
            return
        if len(elements) == 1 and _start(elements[0]) in b'{"':
            yield from _held(bytes(elements[0]))
        elif len(elements) > 1 and _start(elements[0]).isdigit():
            try:
                yield bytes(
                    _decode_numbers(raw)
                ).strip()  # the journal's writing of a text with odd bytes in it
            except UNREADABLE:
                return


_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")


def _written(raw: bytes) -> Iterator[bytes]:
    """What a JSON string says: a record, a record written as a string once more, or one in base64."""
    try:
        text = _decode_text(raw).strip(" \t\r\n\0\ufeff")
    except UNREADABLE:
        return
    if not text:
        return
    if text[0] == '"':  # encoded twice
        yield from _written(text.encode("utf-8", "replace"))
        return
    yield text.encode("utf-8", "replace")
    if _BASE64.fullmatch(text):
        try:
            plain = base64.b64decode(text.replace("-", "+").replace("_", "/") + "==", validate=False)
        except (binascii.Error, ValueError):
            return
        if plain[:1] in (b"{", b"["):
            yield plain.strip()


# --- text before a line

_ISO = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d| [A-Z]{2,5}(?= ))?"
_TIME = rb"(?:%b|[A-Z][a-z]{2} {1,2}\d{1,2}(?: \d{4})? \d\d:\d\d:\d\d(?:\.\d{1,9})?)" % _ISO
_SD = rb'(?:-|(?:\[[^\]"]{0,200}(?:"(?:[^"\\]|\\.){0,500}"[^\]"]{0,200}){0,40}\]){1,8})'


@cache
def _prefixes() -> tuple[re.Pattern[bytes], ...]:
    """Compiled when the first line needs them: most logs have none."""
    return tuple(
        re.compile(pattern, re.DOTALL)
        for pattern in (
            rb"%b (?:stdout|stderr) F " % _ISO,  # a container runtime's
            rb"(?:<\d{1,3}>)?1 (?:%b|-) \S{1,255} \S{1,48} \S{1,128} \S{1,32} %b (?:\xef\xbb\xbf)?"
            % (_ISO, _SD),
            # Syslog's older form and the journal's: time, host, program and its number.
            rb"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} )?(?:%b|\[ {0,12}\d{1,12}\.\d{1,9}\])"
            rb"(?: [^\s:]{1,255})?(?: [^\s\[:]{1,64}(?:\[[\w.-]{1,64}\])?:) " % _TIME,
            rb"\[pod/[^\]]{1,300}\] ",
            rb"%b \{[^{}]{0,1000}\} " % _ISO,  # a log store's labels
            rb"[\w.-]{1,64} {0,40}\| ",  # a composer's
            rb"<\d{1,3}>",
            rb"(?:%b|\d{10}(?:\.\d{1,9})?) " % _TIME,
            rb"%b \S{1,200} " % _ISO,
        )
    )


_COLOUR = re.compile(rb"\x1b\[[\d;]{0,20}m")
MAX_JSON_PREFIX = 200
MAX_PREFIX = 2_000
"""How many characters of a line are looked at for a prefix."""


def _after_prefix(line: bytes) -> Iterator[bytes]:
    """The line behind each prefix that it may have, and a JSON object that ends it; without a terminal's colours."""
    if line[:MAX_PREFIX].find(b"\x1b[") >= 0:
        yield _COLOUR.sub(b"", line).strip()
        return
    for prefix in _prefixes():
        found = prefix.match(line, 0, MAX_PREFIX)
        if found is not None and (rest := line[found.end() :].strip()):
            yield rest
    # Quotes before it would mean that it is a part of what somebody sent.
    start = line.find(b"{", 0, MAX_JSON_PREFIX)
    if start > 0 and b'"' not in line[:start] and line.rstrip()[-1:] == b"}":
        yield line[start:].rstrip()


# --- what to say of a record that nobody reads

MAX_KEYS = 8


def describe(record: bytes) -> str:
    """A record that no adapter recognises, in a few words for a person: its keys, or how it begins."""
    if not record.strip():
        return "an empty record"
    try:
        text = record.decode()
    except UnicodeDecodeError:
        return f"{len(record):,} bytes that are no text in UTF-8"
    value = _object(record)
    if value is None:
        return f"text that begins with {text[:60]!r}"
    for key in PAGE_KEYS:
        if key in value and _start(value[key]) == b"[":
            return f"an object whose {key} is a list; each record must come by itself"
    names = [repr(key[:40])[1:-1] for key in list(value)[:MAX_KEYS]]
    return f"an object with the keys {', '.join(names)}{' …' if len(value) > MAX_KEYS else ''}"
