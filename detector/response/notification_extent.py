"""What a draft needs to know of the extent of a theft: counts with bounds, kinds of data, a span, and evidence.

Every count is a lower and an upper bound with a reason. Unknown is a value: a lower bound of ``None`` is *not yet
known*, an upper bound of ``None`` is *open*. Nothing here is one number for persons and records alike, and nothing
holds a name.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from detector.alert.finding import Finding
from detector.catalogue import Category
from detector.errors import CrmwatchError

__all__ = ["UNKNOWN", "Extent", "ExtentError", "Figure", "TakenGroup", "of_finding", "read_extent"]

MOST_TEXT = 500
MOST_EVIDENCE = 1_000

Text = Annotated[str, msgspec.Meta(max_length=MOST_TEXT)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class ExtentError(CrmwatchError, ValueError):
    """Bytes that are no extent; one sentence for a person."""


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A count between two bounds, both included."""

    lower: Count | None = None
    """``None`` if it is not yet known."""
    upper: Count | None = None
    """``None`` if there is no bound."""
    reason: Text = ""
    """Why the bounds lie where they lie, or why it is not known."""
    evidence: Annotated[tuple[Text, ...], msgspec.Meta(max_length=MOST_EVIDENCE)] = ()
    """Positions of the records that it rests on: ``file:line`` or ``topic/partition/offset``."""

    def __post_init__(self) -> None:
        """Raises ValueError for an upper bound without a lower one, or below it."""
        if self.upper is not None and (self.lower is None or self.upper < self.lower):
            raise ValueError("an upper bound lies at or above a lower one")

    @property
    def known(self) -> bool:
        """Whether anything can be said of it."""
        return self.lower is not None


UNKNOWN = Figure()


class TakenGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was taken of one category of data."""

    category: Category
    persons: Figure = UNKNOWN
    records: Figure = UNKNOWN
    free_text: bool = False
    """Whether text that people wrote freely was among it: it may hold anything."""


class Extent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The extent of one incident, as far as it is established."""

    incident: Text = ""
    """The incident's ``finding_info.uid``."""
    start_ms: int | None = None
    end_ms: int | None = None
    """First and last access, in milliseconds since 1970 UTC; ``None`` is not yet known."""
    ongoing: bool | None = None
    persons: Figure = UNKNOWN
    records: Figure = UNKNOWN
    groups: Annotated[tuple[TakenGroup, ...], msgspec.Meta(max_length=len(Category))] = ()
    not_touched: tuple[Category, ...] = ()
    """Categories that complete logs show were not read; no other category may be called untouched."""
    written: bool | None = None
    """Whether the intruder changed records."""
    deleted: bool | None = None
    """Whether the intruder deleted records."""
    reason: Text = ""
    """Why something in it is not known."""

    def __post_init__(self) -> None:
        """Raises ValueError for a category that is given twice, or as taken and untouched."""
        taken = [group.category for group in self.groups]
        if len({*taken, *self.not_touched}) < len(taken) + len(self.not_touched):
            raise ValueError("a category is listed once, as taken or as not touched")


_extents = msgspec.json.Decoder(Extent)


def read_extent(data: bytes) -> Extent:
    """The extent in a JSON document. Raises `ExtentError`.

    >>> read_extent(b'{"persons": {"lower": 3, "upper": 5, "reason": "a cut log"}}').persons.upper
    5
    """
    try:
        return _extents.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ExtentError(f"not an extent: {error}") from error


def of_finding(finding: Finding) -> Extent:
    """What an alert alone says: a span. Its rows count no records and no persons, as one record may be read twice."""
    reason = "the extent has not been established; an alert counts rows, not distinct records or persons"
    unknown = Figure(reason=reason)
    return Extent(
        incident=finding.uid,
        start_ms=finding.start_ms,
        end_ms=finding.end_ms,
        persons=unknown,
        records=unknown,
        reason=reason,
    )
