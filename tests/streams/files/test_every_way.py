"""The same records, written in every way that people have them, come to the same events."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detector.adapters import RecordError
from detector.event import AccessEvent, RecordOrigin
from streams.files.decode import FilePart, decoded
from streams.files.reader import decode_raw, read

Record = dict[str, Any]
NUMBERS = range(3)


def elf(number: int) -> Record:
    """A row of Salesforce's event log."""
    return {
        "EVENT_TYPE": "API",
        "TIMESTAMP": f"2026030209{number:02d}00.000",
        "REQUEST_ID": f"REQ{number}",
        "ORGANIZATION_ID": "00D5g000004SkyW",
        "USER_ID": "0055g0000AgAnna",
        "METHOD_NAME": "query",
        "ENTITY_NAME": "Contact",
        "ROWS_PROCESSED": str(100 + number),
        "CLIENT_NAME": "Zoë; Café | x, y",
    }


def rtem(number: int) -> Record:
    """A stored real-time event of Salesforce."""
    return {
        "attributes": {"type": "ApiEvent"},
        "EventDate": f"2026-03-02T09:{number:02d}:00.000Z",
        "EventIdentifier": f"e{number}",
        "UserId": "0055g0000AgAnnaAQC",
        "Username": "zoë@sky.example",
        "Operation": "Query",
        "QueriedEntities": "Contact",
        "RowsProcessed": 100.0 + number,
    }


def ual(number: int) -> Record:
    """A record of Microsoft's unified audit log."""
    return {
        "CreationTime": f"2026-03-02T09:{number:02d}:00",
        "Id": f"00000000-0000-4000-8000-00000000000{number}",
        "Operation": "RetrieveMultiple",
        "OrganizationId": "00000000-0000-4000-8000-00000000aaaa",
        "RecordType": 21,
        "ResultStatus": "Success",
        "UserKey": "k1",
        "UserType": 0,
        "Workload": "CRM",
        "UserId": "zoë@sky.example",
        "EntityName": "contact",
        "QueryResults": json.dumps([{"contactid": f"c{number}"}]),
    }


def ocsf(number: int) -> Record:
    """A record of a lake in OCSF."""
    return {
        "class_uid": 6003,
        "time": 1_772_442_000_000 + number,
        "activity_id": 2,
        "actor": {"user": {"uid": "zoë", "name": "Zoë"}},
        "api": {"operation": "query", "request": {"uid": f"q{number}"}},
        "metadata": {"uid": f"m{number}", "version": "1.1.0", "product": {"name": "CRM"}},
        "resources": [{"type": "contact", "uid": f"c{number}"}],
    }


def ual_row(number: int) -> Record:
    """A row of a portal's export, with the record as JSON in a column."""
    return {
        "RecordType": "CRM",
        "CreationDate": f"02/03/2026 09:{number:02d}:00",
        "UserIds": "zoë@sky.example",
        "Operations": "RetrieveMultiple",
        "AuditData": json.dumps(ual(number), ensure_ascii=False),
        "ObjectState": "Unchanged",
    }


def lines(values: list[Record]) -> str:
    """One object per line."""
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


def text(value: object, indent: int | None = None) -> str:
    """A page, as an API sends it."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def table(values: list[Record]) -> Record:
    """A result of Log Analytics."""
    names = list(values[0])
    rows = [[value[name] for name in names] for value in values]
    columns = [{"name": name, "type": "string"} for name in names]
    return {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}


LAYOUTS: dict[str, Callable[[list[Record]], str]] = {
    "lines": lines,
    "array": text,
    "pretty": lambda values: text(values, indent=2),
    "run together": lambda values: "".join(map(text, values)),
    "sequence": lambda values: "".join("\x1e" + text(value) + "\n" for value in values),
    "strings": lambda values: text([text(value) for value in values], indent=1),
    "results": lambda values: text({"count": 3, "results": values, "paging": {"next": None}}),
    "sf --json": lambda values: text(
        {"status": 0, "result": {"records": values, "totalSize": 3, "done": True}, "warnings": []}, indent=2
    ),
    "odata": lambda values: text({"@odata.context": "x", "value": values}),
    "trail": lambda values: text({"Records": values}),
    "data": lambda values: text({"meta": {"page": 1, "of": [1, 2]}, "data": {"items": values}}),
    "pages": lambda values: "\n".join(text({"value": [value]}) for value in values),
    "table": lambda values: text(table(values)),
    "splunk": lambda values: lines([{"preview": False, "result": {"_raw": text(value)}} for value in values]),
    "elastic hits": lambda values: text(
        {"took": 1, "hits": {"hits": [{"_id": "x", "_source": v} for v in values]}}
    ),
    "event.original": lambda values: lines([{"event": {"original": text(value)}} for value in values]),
    "message": lambda values: lines([{"@timestamp": "2026", "message": text(value)} for value in values]),
    "docker": lambda values: lines([{"log": text(value) + "\n", "stream": "stdout"} for value in values]),
    "kcat": lambda values: lines([{"topic": "t", "payload": text(value)} for value in values]),
    "logEvents": lambda values: text(
        {"logEvents": [{"id": "1", "message": text(value)} for value in values]}
    ),
    "pretty table": lambda values: text(table(values), indent=1),
}
"""How objects are written; another wrapper is another line."""


def rows(
    values: list[Record], delimiter: str = ",", quoting: Any = csv.QUOTE_ALL, end: str = "\n", tail: str = ""
) -> str:
    """A CSV table."""
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator=tail + end)
    writer.writerows([list(values[0]), *(value.values() for value in values)])
    return written.getvalue()


DIALECTS: dict[str, Callable[[list[Record]], str]] = {
    "quoted": rows,
    "bare": lambda values: rows(values, quoting=csv.QUOTE_MINIMAL),
    "semicolon": lambda values: rows(values, ";"),
    "bare semicolon": lambda values: rows(values, ";", csv.QUOTE_MINIMAL),
    "tab": lambda values: rows(values, "\t"),
    "bar": lambda values: rows(values, "|"),
    "sep": lambda values: "sep=;\r\n" + rows(values, ";", end="\r\n"),
    "type": lambda values: "#TYPE Selected.System.Management.Automation.PSCustomObject\r\n" + rows(values, end="\r\n"),
    "blank lines": lambda values: "\r\n\r\n# exported\r\n" + rows(values, end="\r\n"),
    "trailing commas": lambda values: rows(values, tail=","),
    "trailing commas in rows": lambda values: rows(values, tail=",").replace(",\n", "\n", 1),
    "trailing comma in the header": lambda values: rows(values).replace("\n", ",\n", 1),
    "blanks": lambda values: rows(values).replace('","', '", "'),
    "backslashes": lambda values: rows(
        [{name: str(item).replace("\\", "\\\\") for name, item in value.items()} for value in values]
    ).replace('""', '\\"'),
    "headers": lambda values: "".join(rows([value]) for value in values),
    "marked headers": lambda values: "\ufeff".join(rows([value]) for value in values),
    "other columns": lambda values: rows([{"A": "1", "B": "x", "C": "y"}]).split("\n")[0] + "\n" + rows(values),
    "last names first": lambda values: rows(values[:1]) + rows([dict(reversed(value.items())) for value in values[1:]]),
}  # fmt: skip

ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-8 with a mark": lambda value: value.encode("utf-8-sig"),
    "windows lines": lambda value: value.replace("\r\n", "\n").replace("\n", "\r\n").encode(),
    "old lines": lambda value: value.replace("\r\n", "\n").replace("\n", "\r").encode(),
    "no last line end": lambda value: value.rstrip("\r\n").encode(),
    "utf-16-le": lambda value: value.encode("utf-16-le"),
    "utf-16-be": lambda value: value.encode("utf-16-be"),
    "utf-16-le with a mark": lambda value: b"\xff\xfe" + value.encode("utf-16-le"),
    "utf-16-be with a mark": lambda value: b"\xfe\xff" + value.encode("utf-16-be"),
    "windows-1252": lambda value: value.replace("\ufeff", "").encode("cp1252"),
}


def zipped(data: bytes, name: str = "a.log") -> bytes:
    """A zip archive of one file, and a folder's view beside it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logs/", b"")
        archive.writestr("__MACOSX/._a.log", b"\x00\x05\x16\x07")
        archive.writestr(f"logs/{name}", data)
    return file.getvalue()


def tarred(data: bytes) -> bytes:
    """A tar archive of one file in a folder."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        folder = tarfile.TarInfo("logs")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        entry = tarfile.TarInfo("logs/a.log")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def fast_gzip(data: bytes) -> bytes:
    """Gzip, quickly."""
    return gzip.compress(data, 1)


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": fast_gzip,
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zip": zipped,
    "tar": tarred,
    "tar.gz": lambda data: fast_gzip(tarred(data)),
    "tar.bz2": lambda data: bz2.compress(tarred(data)),
    "gzip in zip": lambda data: zipped(fast_gzip(data), "a.log.gz"),
    "tar.gz in zip": lambda data: zipped(fast_gzip(tarred(data)), "a.tgz"),
    "zip in zip": lambda data: zipped(zipped(data), "a.zip"),
    "gzip twice": lambda data: fast_gzip(fast_gzip(data)),
}

FORMATS: dict[str, tuple[Callable[[int], Record], dict[str, Callable[[list[Record]], str]]]] = {
    "elf": (elf, LAYOUTS),
    "rtem": (rtem, LAYOUTS),
    "ual": (ual, LAYOUTS),
    "ocsf": (ocsf, LAYOUTS),
    "elf rows": (elf, DIALECTS),
    "ual rows": (ual_row, DIALECTS),
}
CASES = [(name, layout) for name, (_, layouts) in FORMATS.items() for layout in layouts]


def ways(case: int) -> Iterator[tuple[str, str]]:
    """Every second combination of encoding and container: the next case has the others."""
    for number, (encoding, container) in enumerate(product(ENCODINGS, CONTAINERS)):
        if (number // len(CONTAINERS) + number + case) % 2 == 0:
            yield encoding, container


def said(event: AccessEvent) -> AccessEvent:
    """What an event says, wherever its record was."""
    return msgspec.structs.replace(event, origin=RecordOrigin(event.origin.adapter, ""))


def closely(path: Path) -> list[AccessEvent | RecordError]:
    """The events of the records one by one."""
    return [decode_raw(raw) for raw in read([str(path)])]


def test_there_are_enough_ways() -> None:
    """No less than two thousand combinations are tried."""
    assert sum(1 for number in range(len(CASES)) for _ in ways(number)) >= 2_000


@pytest.mark.slow
@pytest.mark.parametrize(("name", "layout"), CASES)
def test_every_way_comes_to_the_same_events(name: str, layout: str, tmp_path: Path) -> None:
    """A format in a layout gives the plain file's events in every encoding and container, read either way."""
    record, layouts = FORMATS[name]
    values = [record(number) for number in NUMBERS]
    plain = tmp_path / "plain"
    plain.write_text(lines(values), encoding="utf-8")
    expected = [said(event) for event in closely(plain) if isinstance(event, AccessEvent)]
    assert len(expected) == len(values)
    written = layouts[layout](values)
    path = tmp_path / "file"
    for encoding, container in ways(CASES.index((name, layout))):
        path.write_bytes(CONTAINERS[container](ENCODINGS[encoding](written)))
        found = closely(path)
        way = f"{name} as {layout} in {encoding} in {container}"
        assert [said(event) for event in found if isinstance(event, AccessEvent)] == expected, (
            f"{way}: {found}"
        )
        assert len(found) == len(expected), f"{way}: {found}"
        [at_once] = decoded(FilePart(str(path)))
        assert [said(event) for event in at_once.events] == expected, way
        assert not at_once.unread, way
