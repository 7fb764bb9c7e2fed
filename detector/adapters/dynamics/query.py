"""Queries of Dynamics 365: FetchXML, and the other texts of ``Query``."""

from __future__ import annotations

import html
import re
from functools import lru_cache

import msgspec

__all__ = ["NO_QUERY", "Query", "query"]


class Query(msgspec.Struct, frozen=True, gc=False):
    """What one query asks for."""

    shape: str = ""
    objects: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    counts: bool = False
    """Whether it asks for nothing but counts."""


NO_QUERY = Query()


_ENTITY = re.compile(r"<(?:entity|link-entity)\s[^>]*?\bname\s*=\s*[\"']([\w.]{1,80})")
_ATTRIBUTE = re.compile(r"<attribute\s([^>]*)")
_ATTRIBUTE_NAME = re.compile(r"\bname\s*=\s*[\"']([\w.]{1,80})")
_AGGREGATE = re.compile(r"\baggregate\s*=\s*[\"'](\w+)")
_FETCH_VALUE = re.compile(
    r"((?<![\w-])(?:value|page|paging-cookie|count|top|uiname)\s*=\s*)(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))"
)
_FETCH_TEXT = re.compile(r"(<value[^>]*>)[^<]*+")
_LITERAL = re.compile(
    r"\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|(?<![\w.$])\d++(?:\.\d++)?"
)
MAX_QUERY = 2_000
"""How many characters of a query are looked at."""


@lru_cache(maxsize=2_048)
def _query(text: str) -> Query:
    text = " ".join((html.unescape(text) if text.startswith("&lt;") else text).split())
    if "<fetch" not in text and "<entity" not in text:
        return Query(_LITERAL.sub("?", text.lower())[:300])
    attributes = _ATTRIBUTE.findall(text)
    names = [name[1] for attribute in attributes if (name := _ATTRIBUTE_NAME.search(attribute))]
    aggregates = [kind[1] if (kind := _AGGREGATE.search(attribute)) else "" for attribute in attributes]
    counts = bool(attributes) and all(one.startswith("count") for one in aggregates) and "groupby" not in text
    shape = _FETCH_TEXT.sub(r"\1?", _FETCH_VALUE.sub(r"\1?", text)).lower()[:300]
    return Query(
        shape,
        tuple(dict.fromkeys(_ENTITY.findall(text)[:50])),
        () if counts else tuple(dict.fromkeys(names[:50])),
        counts,
    )


def query(text: str | None) -> Query:
    """What a query asks for, as far as its first `MAX_QUERY` characters tell.

    >>> fetched = query('<fetch><entity name="contact"><attribute name="email"/>'
    ...               '<filter><condition attribute="city" operator="eq" value="Oslo"/></filter></entity></fetch>')
    >>> fetched.objects, fetched.fields, fetched.shape[-46:]
    (('contact',), ('email',), 'rator="eq" value=?/></filter></entity></fetch>')
    """
    return _query(text[:MAX_QUERY]) if text else NO_QUERY
