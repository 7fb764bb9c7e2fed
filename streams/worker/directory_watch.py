"""Takes the directory's files up again while a worker runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from detector.adapters import RecordError, Rejection
from detector.directory_file import DirectoryFileError
from streams.directory import DirectoryFiles

__all__ = ["watch_directory"]

log = logging.getLogger(__name__)


async def watch_directory(
    files: DirectoryFiles,
    seconds: float,
    *,
    on_change: Callable[[], None],
    on_error: Callable[[RecordError], None],
    fatal: Callable[[str, BaseException], None],
) -> None:
    """Look every so many seconds, until it is cancelled; a wrong file is logged and counted, and changes nothing.

    Files are read in a thread: a large one must not keep the worker from its partitions.
    """
    while True:
        await asyncio.sleep(seconds)
        try:
            if await asyncio.to_thread(files.look):
                on_change()
                log.info("directory read again", extra={"entries": len(files.entries)})
        except DirectoryFileError as error:
            on_error(RecordError("directory", "", Rejection.MALFORMED, str(error)))
            log.warning("the directory stays as it was: %s", error)
        except Exception as error:  # noqa: BLE001 - names that are never read again would be wrong unnoticed
            fatal("reading the directory failed", error)
