"""Which accounts a setting means that names them: by id, by name or by mail address, or by a pattern of these."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from detector.directory_entry import SHORT_ID, folded, short_id

__all__ = ["matches"]


def matches(pattern: str, terms: Sequence[str]) -> bool:
    """Whether a pattern of a setting means an account that is known by these terms, its id first.

    An id matches as it is written, a name or a mail address in any case.

    >>> matches("anna*", ("0051", "Anna Berg")), matches("005*", ("0051",)), matches("Anna*", ("anna-9",))
    (True, True, False)
    """
    actor = terms[0]
    if fnmatchcase(actor, pattern) or (
        len(pattern) == SHORT_ID and short_id(actor) == short_id(pattern) != ""
    ):
        return True
    wanted = folded(pattern)
    return any(term == wanted or fnmatchcase(term, wanted) for term in map(folded, terms[1:]))
