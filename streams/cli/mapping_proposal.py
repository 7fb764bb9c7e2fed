"""Proposes a mapping for records that no adapter recognises, from the names and values in some of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import PurePath

import msgspec

from detector.adapters import ADAPTERS, RecordError
from detector.adapters.generic import Mapping, decoder
from detector.event import Operation

__all__ = ["propose_mapping"]

MAX_WORDS = 20
"""How many of the records' words for operations are listed."""
_TIME_FORMATS = (
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y, %I:%M:%S %p",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M %p",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S UTC",
    "%m/%d/%Y, %I:%M:%S %p UTC",
    "%Y%m%d%H%M%S",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a %b %d %H:%M:%S %Y",
)
_FIELDS: dict[str, str] = {
    "time": r"time|date|when|^at$|_at$|(?<=[a-z])At$|created|occurred|^ts$",
    "actor": r"user_?(id|name)?$|user|actor|who|login|account|principal|e?_?mail|owner|employee|agent$",
    "operation": r"operation|^op$|action|event_?(type|name)?$|activity|method|verb|^did$|what",
    "rows": r"rows|row_?count|record_?count|^count$|_count$|results?$|num_?records",
    "bytes_out": r"bytes|size",
    "ip": r"(^|[^a-z])ip|ip_?addr|address|remote|client_?ip",
    "objects": r"object|entity|table|resource|module|sobject|target",
    "record_ids": r"record_?ids?$|object_?ids?$|entity_?ids?$",
    "user_agent": r"user_?agent|browser",
    "session": r"session",
    "app": r"^app|application|client_?(name|id)|integration",
    "event_id": r"^(event|request|log|entry|activity)?[ _-]?(uu|gu)?id$|^record ?id$",
    "status": r"status|outcome|success|result$",
    "country": r"country",
}
"""Field of a mapping → what the names of its columns look like, in the order in which columns are given away."""
_WORDS: tuple[tuple[str, Operation], ...] = (
    (r"log_?(in|on)|sign_?in|auth", Operation.LOGIN),
    (r"bulk|export|dump|extract|backup", Operation.BULK_EXPORT),
    (r"download|attachment", Operation.FILE_DOWNLOAD),
    (r"search|find", Operation.SEARCH),
    (r"report|dashboard", Operation.REPORT),
    (r"list", Operation.LIST_VIEW),
    (r"query|select|fetch", Operation.QUERY),
    (r"view|open|read|get|show|retrieve|access", Operation.RECORD_VIEW),
    (r"permission|role|config|setting|grant|admin", Operation.ADMIN),
    (r"create|update|edit|delete|write|insert|save|merge|add|remove|import", Operation.WRITE),
)
_Value = dict[str, object]
_decoder = msgspec.json.Decoder(_Value)


def propose_mapping(records: Sequence[bytes], source: str) -> str:
    """A ``[[sources.mappings]]`` block that reads these records, or an empty text if none can be found.

    >>> print(propose_mapping([b'{"when": "2026-03-02 09:00", "who": "Mia", "did": "OPEN"}'], "desk.csv"))
    [[sources.mappings]]
    name = "desk"
    marked_by = ["when", "who", "did"]
    time = "when"
    actor = "who"
    operation = "did"
    operations = { "open" = "record_view" }
    """
    values = [value for record in records if (value := _flat(record))]
    if not values:
        return ""
    names = list(dict.fromkeys(name for value in values for name in value))
    paths: dict[str, str] = {}
    formats: dict[str, str] = {}
    for field, pattern in _FIELDS.items():
        looks_right = re.compile(pattern, re.IGNORECASE)
        free = [name for name in names if name not in paths.values()]
        named = [name for name in free if looks_right.search(name.rpartition(".")[2])]
        named.sort(key=lambda name: not looks_right.fullmatch(name.rpartition(".")[2]))
        fits = _FITS.get(field, _has_text)
        for name in named or (free if field == "time" else ()):
            samples = [value[name] for value in values if value.get(name) not in (None, "")]
            found = _time_format(samples) if field == "time" else ("" if fits(samples) else None)
            if samples and found is not None:
                paths[field] = name
                formats[name] = found
                break
    if "time" not in paths or "actor" not in paths:
        return ""
    mapping = _mapping(paths, formats, values, source)
    return _toml(mapping) if mapping is not None and _reads(mapping, records) else ""


def _flat(record: bytes) -> _Value:
    """A record's scalars by their paths, two levels deep; names that a path cannot say are left out."""
    try:
        value = _decoder.decode(record)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    flat: _Value = {}
    for name, item in value.items():
        inner = (
            {f"{name}.{key}": part for key, part in item.items()} if isinstance(item, dict) else {name: item}
        )
        flat |= {path: part for path, part in inner.items() if _is_path(path) and not isinstance(part, dict)}
    return flat


def _is_path(name: str) -> bool:
    return bool(name.strip()) and len(name) <= 100 and not set("|=*") & set(name) and name.isprintable()


def _has_text(samples: list[object]) -> bool:
    return any(isinstance(sample, str | int) and not isinstance(sample, bool) for sample in samples)


def _has_numbers(samples: list[object]) -> bool:
    return bool(samples) and all(str(sample).strip().isdecimal() for sample in samples)


def _has_addresses(samples: list[object]) -> bool:
    try:
        return bool(samples) and all(ip_address(str(sample).strip()) for sample in samples)
    except ValueError:
        return False


_FITS: dict[str, Callable[[list[object]], bool]] = {
    "rows": _has_numbers,
    "bytes_out": _has_numbers,
    "ip": _has_addresses,
}


def _time_format(samples: list[object]) -> str | None:
    """The format that reads all samples, empty for those that need none; ``None`` if they are no times."""
    probe = Mapping(name="probe", marked_by=("t",), time="t", actor="=x")
    for time_format in ("", *_TIME_FORMATS):
        adapter = decoder(msgspec.structs.replace(probe, time_format=time_format))
        try:
            for sample in samples:
                adapter.decode(msgspec.json.encode({"t": sample}), "")
        except RecordError:
            continue
        return time_format if samples else None
    return None


def _mapping(
    paths: dict[str, str], formats: dict[str, str], values: list[_Value], source: str
) -> Mapping | None:
    name = re.sub(r"[^a-z0-9]+", "_", PurePath(source).name.partition(".")[0].lower()).strip("_0123456789")[
        :40
    ]
    if not name or name in ADAPTERS:
        name = f"own_{name}"[:40].rstrip("_")
    marks = tuple(dict.fromkeys(paths[field] for field in ("time", "actor", "operation") if field in paths))
    known = {operation.value for operation in Operation}
    operations: dict[str, str] = {}
    if "operation" in paths:
        words = dict.fromkeys(str(value.get(paths["operation"], "")).strip().lower() for value in values)
        for word in [word for word in words if word and word.isprintable()][:MAX_WORDS]:
            meant = next((operation for form, operation in _WORDS if re.search(form, word)), None)
            if meant is not None and word not in known:
                operations[word] = meant.value
    said = {"name": name, "marked_by": marks, "time_format": formats[paths["time"]], "operations": operations}
    try:
        return msgspec.convert(said | paths, Mapping)
    except (ValueError, msgspec.MsgspecError):
        return None


def _reads(mapping: Mapping, records: Sequence[bytes]) -> bool:
    """Whether a mapping recognises and reads nearly all of some records."""
    adapter = decoder(mapping)
    read = 0
    for record in records:
        try:
            adapter.decode(record, "")
        except RecordError:
            continue
        read += adapter.recognises(record)
    return read * 10 >= len(records) * 9


def _toml(mapping: Mapping) -> str:
    """The block of the settings file that means a mapping."""
    lines = ["[[sources.mappings]]"]
    for field in Mapping.__struct_fields__:
        value = getattr(mapping, field)
        if field == "operations" and value:
            words = ", ".join(f"{_quoted(word)} = {_quoted(meant.value)}" for word, meant in value.items())
            lines.append(f"operations = {{ {words} }}")
        elif isinstance(value, tuple):
            lines.append(f"{field} = [{', '.join(map(_quoted, value))}]")
        elif isinstance(value, str) and value and field != "counting":
            lines.append(f"{field} = {_quoted(value)}")
    if re.search("%d.%m|%m.%d", mapping.time_format):
        lines.append("# Day and month may be the other way round; times without a zone are UTC.")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """A TOML string, whose escapes are JSON's."""
    return msgspec.json.encode(text).decode()
