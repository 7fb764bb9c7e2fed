"""The base class of all errors that crmwatch raises."""

from __future__ import annotations

__all__ = ["CrmwatchError"]


class CrmwatchError(Exception):
    """Something that cannot be done, with a message for a person.

    Every public exception of `detector` and `streams` inherits it, so that ``except CrmwatchError`` tells an expected
    failure from a bug.
    """
