"""As of when a partition is known to have been read to its end.

A fetch that finds nothing proves that nothing was there while the brokers answered it, and no more: a process that was
frozen, or cut off from a leader, still remembers an old answer. The time of the answer's arrival would be too late for
the same reason. So what counts is when the fetch began, of which this much is known: it followed the answer before.
"""

from __future__ import annotations

__all__ = ["PartitionEnd"]


class PartitionEnd:
    """Looks at what the brokers report of a partition's end, again and again.

    >>> end = PartitionEnd()
    >>> [end.look(now, report, read=True) for now, report in ((1, 50), (2, 50), (3, 60), (4, 70), (5, 70))]
    [None, None, None, 2, 2]
    """

    def __init__(self) -> None:
        self._report: int | None = None
        self._looked_at: float | None = None
        self._answered_at: float | None = None  # the newest answer arrived after this
        self._as_of: float | None = None

    def look(self, now: float, report: int | None, *, read: bool) -> float | None:
        """The time, by the caller's clock, as of which everything was read; ``None`` if it is not, or not known.

        `report` changes with each of the brokers' answers, `read` says whether all that the newest one told of has
        been read.
        """
        if report != self._report:
            self._report = report
            self._as_of, self._answered_at = self._answered_at, self._looked_at
        self._looked_at = now
        return self._as_of if read else None
