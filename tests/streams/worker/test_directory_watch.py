"""The directory's files, taken up again while a worker runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from detector.adapters import RecordError
from streams.config import DirectorySettings
from streams.directory import DirectoryFiles
from streams.worker.directory_watch import watch_directory


def test_a_changed_file_is_taken_up_and_a_wrong_one_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker hears of each change once; a wrong file is a dead letter and a line of the log, without a name."""
    file = tmp_path / "people.csv"
    file.write_text("id,name\n1,Anna\n", encoding="utf-8")
    files = DirectoryFiles(DirectorySettings(files=(str(file),)))
    seen: list[list[str]] = []
    errors: list[RecordError] = []

    def fatal(what: str, error: BaseException) -> None:
        raise AssertionError(what) from error

    async def run() -> None:
        task = asyncio.create_task(
            watch_directory(
                files,
                0.01,
                on_change=lambda: seen.append([entry.name for entry in files.entries]),
                on_error=errors.append,
                fatal=fatal,
            )
        )
        await asyncio.sleep(0.05)
        file.write_text("id,name\n1,Anna Berg\n", encoding="utf-8")
        await _until(lambda: seen)
        file.write_text("id,kind\n1,Zenobia Lund\n", encoding="utf-8")
        await _until(lambda: errors)
        task.cancel()

    with caplog.at_level(logging.INFO):
        asyncio.run(run())
    assert seen == [["Anna Berg"]]
    assert [(error.adapter, error.reason) for error in errors] == [("directory", "malformed")]
    assert [entry.name for entry in files.entries] == ["Anna Berg"]
    assert f"{file}: line 2: kind is none of" in caplog.text
    assert "Zenobia" not in caplog.text
    assert "Anna" not in caplog.text


async def _until(condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it has not happened")
