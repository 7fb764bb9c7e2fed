"""The files that a replay writes: alerts, the positions of their events, dead letters, the report."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self

import msgspec

from detector.alert.alert import Alert
from streams.cli.screen import fail
from streams.replay.replay import DeadLetter

__all__ = ["OutputFiles"]


class OutputFiles:
    """A context manager: all files that are wanted are open within it, or the program has ended with a sentence."""

    def __init__(self, alerts: Path | None, report: Path | None) -> None:
        self._alerts = alerts
        self._positions = Path(f"{alerts}.positions") if alerts is not None else None
        self._letters = Path(f"{alerts}.deadletters") if alerts is not None else None
        self.paths = [path for path in (report, alerts, self._positions, self._letters) if path is not None]
        """The files, the report among them: it is written by itself, but as soon as the others are."""
        self._open: dict[Path | None, IO[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for path in self.paths:
            try:
                self._open[path] = self._stack.enter_context(path.open("wb"))
            except OSError as error:
                self._stack.close()
                fail(f"{path}: cannot be written: {error.strerror}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

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
            self._open[path].write(data + b"\n")
