"""What a file is by its first bytes: a container that is opened, or something that is named and not read."""

from __future__ import annotations

import re
from enum import StrEnum

__all__ = ["HEAD_BYTES", "Container", "container_of", "foreign_kind", "workbook_kind"]

HEAD_BYTES = 512
"""How many bytes tell what a file is; a tar archive is known by those at 257."""


class Container(StrEnum):
    """What holds files, or one file in fewer bytes."""

    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTANDARD = "Zstandard"
    ZIP = "zip"
    TAR = "tar"
    PARQUET = "Parquet"


_CONTAINERS = (
    (Container.GZIP, re.compile(rb"\x1f\x8b")),
    (Container.BZIP2, re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")),
    (Container.XZ, re.compile(rb"\xfd7zXZ\x00")),
    (Container.ZSTANDARD, re.compile(rb"\x28\xb5\x2f\xfd")),
    (Container.ZIP, re.compile(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)")),
    (Container.PARQUET, re.compile(rb"PAR1(?=.{0,400}[\x00-\x08])", re.DOTALL)),
    # Text whose writer was free to put the mark there has no NULs, which the fields of a header end with.
    (
        Container.TAR,
        re.compile(rb"(?=.{0,99}\x00).{148}[ 0-7]{6}[\x00 ]{2}.{101}ustar(?:\x00| [ ]\x00)", re.DOTALL),
    ),
)
_EXPORT = "export its rows as CSV or JSON"
_EXCEL = "save each sheet as CSV UTF-8"
_FOREIGN = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (rb"%PDF-", f"a PDF document: {_EXPORT} instead"),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", f"an Office document of the old kind (.xls, .doc): {_EXCEL}"),
        (rb"PARE(?=.{0,400}[\x00-\x08])", "an encrypted Parquet file: decrypt it first"),
        (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
        (rb"Rar!\x1a\x07", "a RAR archive: unpack it first"),
        (rb"\x1f[\x9d\xa0]", "compressed by `compress`: decompress it first"),
        (rb"\x04\x22\x4d\x18", "compressed by LZ4: decompress it first"),
        (rb"\xff\x06\x00\x00sNaPpY", "compressed by Snappy: decompress it first"),
        (rb"MSCF\x00", "a Windows cabinet: unpack it first"),
        (rb"SQLite format 3\x00", f"an SQLite database: {_EXPORT}"),
        (rb"Obj\x01", f"an Avro file: {_EXPORT}"),
        (rb"ORC(?=.{0,400}[\x00-\x08])", f"an ORC file: {_EXPORT}"),
        (rb"ElfFile\x00", f"a Windows event log: {_EXPORT}"),
        (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", "a picture"),
        (rb"\x7fELF|MZ.{58,}PE\x00\x00", "a program"),
        (rb"(?:\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x0a\x0d\x0d\x0a.{4}[\x1a\x4d])", "a capture of packets"),
        (
            rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head)",
            "a web page, perhaps a sign-in or error page that was saved in place of the log: download it again",
        ),
        (rb"(?:\xef\xbb\xbf)?\s*<\?xml", f"XML: {_EXPORT}"),
        (rb"\{\\rtf", "a document: save it as plain text"),
    )
)
_WORKBOOKS = (
    ("xl/workbook.", f"an Excel workbook: {_EXCEL}"),
    ("word/document.", "a Word document: save it as plain text"),
    ("ppt/presentation.", "a presentation"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
    ("Index/Document.iwa", f"an iWork document: {_EXCEL}"),
)
_TEXT_CONTROLS = b"\t\n\r\x0c\x1b\x1e"
_CONTROLS = bytes(code for code in range(32) if code not in _TEXT_CONTROLS) + b"\x7f"
START_BYTES = 16
_NULS = re.compile(rb"\x00{8,}")


def container_of(head: bytes) -> Container | None:
    """The container that begins with these bytes, ``None`` for another file."""
    return next((kind for kind, pattern in _CONTAINERS if pattern.match(head)), None)


def foreign_kind(head: bytes) -> str:
    """What a file is that begins with these bytes and cannot be a log; empty for one that can.

    >>> foreign_kind(b"%PDF-1.7")
    'a PDF document: export its rows as CSV or JSON instead'
    >>> foreign_kind(b"EVENT_TYPE,TIMESTAMP")
    ''
    """
    for pattern, kind in _FOREIGN:
        if pattern.match(head):
            return kind
    # A line begins with its writer's own words; what strangers said in it comes later.
    if not _is_odd(head[:START_BYTES]):
        return ""
    text = _NULS.sub(b"", head)  # what a crash leaves is full of them
    controls = len(text) - len(text.translate(None, _CONTROLS))
    if controls > 3 and controls * 20 > len(text) and text.lstrip()[:1] not in (b"{", b"["):
        return f"binary and no text: {_EXPORT}"
    return ""


def _is_odd(start: bytes) -> bool:
    """Whether bytes are no plain text: with controls, or not UTF-8 but for a character that is cut off."""
    if start.translate(None, _CONTROLS) != start:
        return True
    return "\ufffd" in start.decode("utf-8", "replace")[:-1]


def workbook_kind(names: list[str]) -> str:
    """What a zip is whose members have these names, if it is a document rather than an archive; else empty."""
    if "mimetype" in names[:1]:
        return f"an OpenDocument file: {_EXCEL}"
    return next((kind for sign, kind in _WORKBOOKS if any(name.startswith(sign) for name in names)), "")
