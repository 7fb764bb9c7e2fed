"""Who did what, when and from where: one JSON object a line."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

__all__ = ["Audit"]

SHOWN = 300


def _opened(path: Path) -> IO[bytes]:
    """The file to append to; nobody else may read one that this makes."""
    return open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab", buffering=0)  # noqa: PTH123


class Audit:
    """The audit log; each line is written before what it tells of is answered."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._file: IO[bytes] = sys.stderr.buffer if path is None else _opened(path)
        self.newest: deque[dict[str, Any]] = deque(maxlen=SHOWN)
        """The newest lines of this process, the oldest first."""

    def write(self, what: str, **more: Any) -> None:
        """Write that something was done; `None` is left out."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "audit": what,
            **{name: value for name, value in more.items() if value not in (None, "")},
        }
        with self._lock:
            self.newest.append(line)
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Put the file down."""
        with self._lock:
            if self._file is not sys.stderr.buffer:
                self._file.close()
