"""What ``crmwatch check`` says of the directory, and of settings that name somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from detector.adapters import Adapter, RecordError
from detector.directory_file import DirectoryFileError
from detector.errors import CrmwatchError
from detector.pattern_use import PatternUse
from detector.settings import Settings
from streams.config import Config
from streams.directory import read_directory
from streams.files.reader import decode_raw, read

__all__ = ["check_names"]

SHOWN = 10


def check_names(
    config: Config, paths: Sequence[str], adapters: Sequence[Adapter], records: int
) -> Iterator[tuple[str, str, str, str]]:
    """What is wrong with the directory's files and with the settings' names: what, state, detail, and the mend."""
    try:
        entries = read_directory(config.directory)
    except DirectoryFileError as error:
        yield "directory", "bad", str(error), "docs/directory.md says what a file can hold."
        return
    if entries:
        yield "directory", "good", f"{len(entries):,} entries from {', '.join(config.directory.files)}", ""
    nobody = _unmatched(config.detector_with(entries), paths, adapters, records) if paths else ""
    if nobody:
        yield (
            "names in the settings",
            "odd",
            f"these match nobody in the directory or the records checked: {nobody}",
            "Correct the id, name or mail address; docs/directory.md says what matches.",
        )


def _unmatched(settings: Settings, paths: Sequence[str], adapters: Sequence[Adapter], records: int) -> str:
    """The settings that mean nobody in the directory or in the first so many records of each path; empty if all do."""
    use = PatternUse(settings)
    for path in paths:
        if not use:
            return ""
        try:
            for raw in islice(read([path], adapters), records):
                event = decode_raw(raw, adapters)
                if not isinstance(event, RecordError):
                    use.observe(event)
                    if not use:
                        break
        except CrmwatchError:  # it is said of the path itself
            continue
    found = use.unmatched()
    shown = ", ".join(found[:SHOWN])
    return f"{shown} and {len(found) - SHOWN:,} more" if len(found) > SHOWN else shown
