"""What a SOQL query asks for: its shape, object and fields.

Programs ask the same thing again with other literals, a time above all. So what is costly is kept by the query
without its literals, and finding that is spared where two queries differ in digits alone.
"""

from __future__ import annotations

import re
from hashlib import blake2b

import msgspec

from detector.adapters.memo import Memo

__all__ = ["MAX_NAMES", "MAX_QUERY", "Soql", "soql"]

MAX_QUERY = 2_000
"""How many characters of a query are looked at."""
MAX_SHAPE = 300
MAX_NAMES = 50
"""How many fields of one query are kept."""


class Soql(msgspec.Struct, frozen=True):
    """What one SOQL query asks for."""

    shape: str
    """The query in lower case (SOQL ignores case), literals replaced with ``?``; at most `MAX_SHAPE` long."""
    key: str
    """A short hash of the whole query, literals included: the pages of one query share it."""
    objects: tuple[str, ...]
    fields: tuple[str, ...]
    """The fields selected, in the query's spelling; ``FIELDS(ALL)`` gives ``ALL``."""
    counts: bool
    """Whether it selects nothing but counts; ``COUNT(Id), Email … GROUP BY Email`` does not."""


_LITERAL = re.compile(
    r"'(?:[^'\\]|\\.)*+(?:'|\Z)"  # a string; the last may have been cut off
    r"|\b\d{4}-\d{2}-\d{2}(?:T[\d:.]++(?:Z|[+-][\d:]{4,6})?)?"
    r"|(?<![\w.])[+-]?\d++(?:\.\d++)?(?:E[+-]?\d++)?\b",
    re.IGNORECASE | re.DOTALL,
)
_LIST = re.compile(r"\( ?\?(?: ?, ?\?)++ ?\)")
_CALL = re.compile(r"\b(?!(?:COUNT|COUNT_DISTINCT)\b)\w+\(\s*([\w.]+)\s*\)", re.IGNORECASE)
_COUNT = re.compile(r"COUNT(?:_DISTINCT)? ?\(\)(?: \w+)?", re.IGNORECASE)
_GROUP = re.compile(r"\([^()]*+\)")
_SELECT = re.compile(r"\s*SELECT (.*?) FROM (\w+)", re.IGNORECASE)

_Asked = tuple[str, tuple[str, ...], tuple[str, ...], bool]


def _asked(bare: str) -> _Asked:
    """Shape, objects, fields and whether it counts, of a query without literals."""
    shape = _LIST.sub("(?)", bare).lower()[:MAX_SHAPE]
    flat = _CALL.sub(r"\1", bare)
    for _ in range(20):  # innermost brackets first: sub-selects and lists of values go
        emptied = _GROUP.sub("\0", flat)
        if emptied == flat:
            break
        flat = emptied
    flat = flat.replace("\0", "()")
    select = _SELECT.match(flat)
    if select is None:
        return shape, (), (), False
    selected = [item.strip() for item in select[1].split(",")]
    first = [item.split()[0][:80] for item in selected[:MAX_NAMES] if item]
    fields = tuple(dict.fromkeys(name for name in first if "(" not in name))
    counts = all(_COUNT.fullmatch(item) for item in selected)
    return shape, (select[2][:80],), () if counts else fields, counts


_ASKED = Memo(_asked, 2_048, MAX_QUERY)
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_BARE: dict[bytes, str] = {}
"""Queries with every digit a zero → the same without literals, where no digit stands outside of one."""
_DIGIT = re.compile(r"[0-9]")


def _bare(query: str, encoded: bytes) -> str:
    """The query without literals, blanks folded."""
    zeros = encoded.translate(_ZEROS)
    bare = _BARE.get(zeros)
    if bare is None:
        bare = " ".join(_LITERAL.sub("?", query).split())
        if not _DIGIT.search(bare):
            if len(_BARE) >= 2_048:
                _BARE.clear()
            _BARE[zeros] = bare
    return bare


def _soql(query: str) -> Soql:
    encoded = query.encode("utf-8", "surrogatepass")
    shape, objects, fields, counts = _ASKED[_bare(query, encoded)]
    return Soql(shape, blake2b(encoded, digest_size=8).hexdigest(), objects, fields, counts)


_SOQL = Memo(_soql, 2_048, MAX_QUERY)


def soql(query: str) -> Soql:
    """What a query asks for, as far as its first `MAX_QUERY` characters tell.

    >>> soql("SELECT Id, Email FROM Contact WHERE Name = 'Ann' LIMIT 200").shape
    'select id, email from contact where name = ? limit ?'
    """
    if len(query) <= MAX_QUERY:
        return _SOQL[query]
    # Blanks are folded first: a wall of them must not hide the query.
    folded = _SOQL[" ".join(query[: 50 * MAX_QUERY].split())[:MAX_QUERY]]
    key = blake2b(query.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return msgspec.structs.replace(folded, key=key)
