"""Files that are no logs: what systems and tools leave beside them. They are named, not read and not counted."""

from __future__ import annotations

import re

import msgspec

__all__ = ["SkippedFile", "skipped_name"]


class SkippedFile(msgspec.Struct, frozen=True):
    """A file that is not a log, and why: `read` and `decoded` give no record for it.

    `streams.files.paths.skipped_files` lists them, so that a command can name them; they are no part of how much
    was read.
    """

    path: str
    reason: str
    """In a few words: ``a folder's view on macOS``."""


_NAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"\.DS_Store|\._.*", "a folder's view on macOS"),
        (r"Thumbs\.db|desktop\.ini", "a folder's view on Windows"),
        (r"_SUCCESS|_(started|committed)(_.*)?", "the mark of a finished job"),
        (r".*\.(crc|md5|sha1|sha256|sha512)|(md5|sha1|sha256|sha512)sums?(\.txt)?", "checksums"),
        (r".*\.(sig|asc)", "a signature"),
        (r"manifest(\.json|\.csv|\.txt|\.xml)?|.*\.manifest", "a list of files"),
        (r"\.git(keep|ignore)|\.keep", "a place holder"),
    )
)
_ANY = re.compile("|".join(pattern.pattern for pattern, _ in _NAMES), re.IGNORECASE)


def skipped_name(name: str) -> str:
    """Why a file of this name is no log, or an empty text.

    >>> skipped_name("logs/.DS_Store"), skipped_name("elf.csv.md5"), skipped_name("elf.csv")
    ("a folder's view on macOS", 'checksums', '')
    """
    file = name.rpartition("/")[2]
    if "__MACOSX/" in name:
        return "a folder's view on macOS"
    if not _ANY.fullmatch(file):
        return ""
    return next((reason for pattern, reason in _NAMES if pattern.fullmatch(file)), "")
