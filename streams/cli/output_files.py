"""The files that a replay writes: alerts, the positions of their events, dead letters, the report."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn, Self

import msgspec

from detector.alert.alert import Alert
from streams.atomic_file import AtomicFile, assert_writable, part_of
from streams.cli.screen import fail
from streams.replay.replay import DeadLetter

__all__ = ["OutputFiles"]


class OutputFiles:
    """A context manager: all files that are wanted can be written within it, or the program ends with a sentence.

    They appear at its end, each whole; if it ends with an exception, they do not.
    """

    def __init__(self, alerts: Path | None, report: Path | None) -> None:
        self._alerts = alerts
        self._positions = Path(f"{alerts}.positions") if alerts is not None else None
        self._letters = Path(f"{alerts}.deadletters") if alerts is not None else None
        self._report = report
        written = [path for path in (report, alerts, self._positions, self._letters) if path is not None]
        self.paths = [*written, *map(part_of, written)]
        """The files, the report among them, and where they are until they are complete."""
        self._open: dict[Path | None, AtomicFile] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            if self._report is not None:
                assert_writable(self._report)  # it is written by itself, and later
            for path in (self._alerts, self._positions, self._letters):
                if path is not None:
                    self._open[path] = self._stack.enter_context(AtomicFile(path))
        except OSError as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            _fail(error)
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._stack.__exit__(*error)  # type: ignore[arg-type] # as it is called
        except OSError as full:
            _fail(full)

    def alert(self, alert: Alert) -> None:
        """Write an alert, and where its events lay."""
        self._line(self._alerts, alert.body)
        if self._positions is not None:
            self._line(self._positions, msgspec.json.encode({"uid": alert.uid, "positions": alert.positions}))

    def letter(self, letter: DeadLetter) -> None:
        """Write a dead letter."""
        if self._letters is not None:
            self._line(self._letters, msgspec.json.encode(letter))

    def _line(self, path: Path | None, data: bytes) -> None:
        if path is not None:
            try:
                self._open[path].write(data + b"\n")
            except OSError as error:
                _fail(error)


def _fail(error: OSError) -> NoReturn:
    fail(f"{error.filename}: cannot be written: {error.strerror}")
