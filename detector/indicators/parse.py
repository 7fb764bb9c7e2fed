"""Parses indicators in exchange formats: STIX 2, MISP, CSV, JSON lists, plain lists of addresses.

It takes what events can be looked up by: addresses, networks, user agents and apps. It names and counts the entries
that it cannot use (a pattern of several conditions, a file's hash, a network too wide to list) and takes the rest.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from detector.indicator_index import MAX_INDICATORS
from detector.indicators.entry import ALWAYS, DEFAULT_SCORE, Entry, IndicatorsError, PassedOver, entries
from detector.indicators.misp import misp_attributes, misp_entries
from detector.indicators.stix import stix_entries, stix_objects
from detector.indicators.table import (
    columns_of,
    csv_lines,
    find_address_column,
    row_entries,
    split_header,
)
from detector.indicators.value import recognised, refanged
from detector.settings import Indicator

__all__ = ["MAX_BYTES", "ParsedIndicators", "parse"]

MAX_BYTES = 64 << 20
MAX_SENTENCES = 1_000
"""How many entries that are passed over are named; all are counted."""
MAX_KINDS = 30
"""How many kinds of them are kept apart."""
OTHER_KINDS = "other"
_LISTS = ("data", "indicators", "iocs", "items", "results", "value")
"""Keys under which a service answers with a list."""
_COMMENTS = ("#", ";", "//")
_REMARK = re.compile(r"\s[#;].*|\s//.*")
MAX_LINE = 2_000
"""How much of a line of a list is looked at, in characters."""
SAMPLED_LINES = 200
"""How many lines are searched for a header."""


class ParsedIndicators(msgspec.Struct, frozen=True):
    """The content of a file."""

    indicators: dict[str, Indicator]
    """Indicators by lookup value."""
    passed_over: tuple[str, ...]
    """A sentence for each entry that cannot be looked up; the first `MAX_SENTENCES`."""
    counts: dict[str, int] = {}
    """What cannot be looked up (`md5`, `revoked`) → how many entries, the most first."""


def parse(data: bytes, name: str = "") -> ParsedIndicators:
    """The indicators in a file's content; `name` is for those without their own.

    Raises `IndicatorsError`.

    >>> parse(b"value,name,score\\n192.0.2.7,leaked list,4\\n").indicators
    {'192.0.2.7': Indicator(name='leaked list', score=4.0, from_ms=0, until_ms=9007199254740992)}
    """
    name = name or "a list"
    if len(data) > MAX_BYTES:
        raise IndicatorsError(f"it is larger than {MAX_BYTES >> 20} MiB; split it")
    text = _decoded(data)
    if not text.startswith(("{", "[")):
        return _collected(_of_text(text, name))
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        rows = _json_lines(text)
        if rows is None:
            raise IndicatorsError(f"it starts like JSON but is not valid: {error}") from error
        content = rows
    return _collected(_of_json(content, name))


def _decoded(data: bytes) -> str:
    """Text in UTF-8, in UTF-16 if it says so, or else in Windows-1252. Raises `IndicatorsError`."""
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text.strip("\ufeff \t\r\n")
    raise IndicatorsError("it is not text")


def _collected(found: Iterable[Entry]) -> ParsedIndicators:
    indicators: dict[str, Indicator] = {}
    sentences: list[str] = []
    counts: Counter[str] = Counter()
    for entry in found:
        if isinstance(entry, PassedOver):
            counts[entry.what if entry.what in counts or len(counts) < MAX_KINDS else OTHER_KINDS] += 1
            if len(sentences) < MAX_SENTENCES:
                sentences.append(entry.sentence)
        else:
            indicators[entry[0]] = entry[1]
            if len(indicators) > MAX_INDICATORS:
                raise IndicatorsError(f"it holds more than {MAX_INDICATORS:,} indicators; split it")
    return ParsedIndicators(indicators, tuple(sentences), dict(counts.most_common()))


def _json_lines(text: str) -> list[Any] | None:
    """One JSON object a line; ``None`` if a line is none."""
    try:
        return [msgspec.json.decode(line, type=dict) for line in text.splitlines() if line.strip()]
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeEncodeError, RecursionError):
        return None


def _of_json(content: Any, name: str) -> Iterator[Entry]:
    if (objects := stix_objects(content)) is not None:
        return stix_entries(content, objects, name)
    if (attributes := misp_attributes(content, name)) is not None:
        return misp_entries(attributes)
    if isinstance(content, dict):
        lists = [content[key] for key in _LISTS if isinstance(content.get(key), list)]
        content = lists[0] if lists else [content]
    texts = [one for one in content if isinstance(one, str)]
    if texts and len(texts) == len(content):
        return _of_lines(texts, name)
    rows = [row for row in content if isinstance(row, dict)]
    if any(columns_of(row) for row in rows):
        return _of_rows(rows, name)
    raise IndicatorsError(
        "it is JSON, but neither STIX 2 (a bundle, an envelope), nor a MISP event, nor a list of values"
    )


def _of_rows(rows: list[dict[str, Any]], name: str) -> Iterator[Entry]:
    for number, row in enumerate(rows, 1):
        yield from row_entries(row, name, f"entry {number}")


def _of_text(text: str, name: str) -> Iterator[Entry]:
    """A table, if a line before the first row is a header; else a list."""
    lines = text.splitlines()
    if lines and lines[0].startswith("<"):
        raise IndicatorsError("it is XML: export it as STIX 2.1 in JSON, as MISP's JSON or as CSV")
    for number, line in enumerate(lines[:SAMPLED_LINES]):
        bare = line.strip().lstrip("#").strip()
        commented = line.startswith("#")
        header = split_header(bare) if bare else None
        if header is not None and (
            not commented or _fits(*header, lines[number + 1 : number + SAMPLED_LINES])
        ):
            return _of_csv(*header, lines, number + 1, name)
        if bare and not line.lstrip().startswith(_COMMENTS):
            break
    found = find_address_column([line for line in lines[:SAMPLED_LINES] if _is_entry(line)])
    if found is not None:
        names, delimiter, headed = found
        first = next(number for number, line in enumerate(lines) if _is_entry(line))
        return _of_csv(names, delimiter, lines, first + headed, name)
    return _of_lines(lines, name)


def _is_entry(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith(_COMMENTS)


def _fits(names: list[str], delimiter: str, rest: list[str]) -> bool:
    """Whether a comment is the header of what follows: the first row has as many columns."""
    row = next((line for line in rest if _is_entry(line)), "")
    try:
        return len(names) == len(next(csv_lines([row], delimiter), []))
    except csv.Error:
        return False


def _of_csv(names: list[str], delimiter: str, lines: list[str], above: int, name: str) -> Iterator[Entry]:
    """The rows below `above` lines."""
    rows = csv.reader(
        (line + "\n" for line in lines[above:]), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
                where = f"line {above + rows.line_num}"
                yield from row_entries(dict(zip(names, cells, strict=False)), name, where)
    except csv.Error as error:
        where = f"line {above + rows.line_num}"
        raise IndicatorsError(f"it is neither JSON nor CSV: {where}: {error}") from error


def _of_lines(lines: Iterable[str], name: str) -> Iterator[Entry]:
    """A list: each line begins with an address, a network or a URL; the rest of it is a remark."""
    found = False
    example = ""
    for number, line in enumerate(lines, 1):
        if not _is_entry(line):
            continue
        for entry in _of_line(line[:MAX_LINE], name, f"line {number}"):
            if isinstance(entry, PassedOver):
                example = example or f"; {entry.sentence}"
            else:
                found = True
            yield entry
    if not found:
        raise IndicatorsError(
            f"it is neither JSON, nor CSV with a column named value, nor a list of addresses{example}"
        )


def _of_line(line: str, name: str, where: str) -> Iterator[Entry]:
    """The whole line as a value, or its first word."""
    text = _REMARK.sub("", line).strip()
    first = re.split(r"[\s,;]", refanged(text).lstrip("\"'"), maxsplit=1)[0]
    for value in (text, first):
        what = recognised(value)
        if what != "text":
            kind = "ip" if what == "address" else what
            return entries(value, kind, name, DEFAULT_SCORE, ALWAYS, where)
    return iter([PassedOver("no address", f"{where}: {text[:80]!r} is no address")])
