"""Who is who, as the console holds it: the topic's entries and the files of its settings."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from streams.config import DirectorySettings
from streams.console.store.directory import ConsoleDirectory
from tests.streams.console.make import NAMES, content, entry_record, index, record


def test_entries_of_the_topic_are_kept_and_forgotten(tmp_path: Path) -> None:
    """The newest record of each holds, after a restart too; what is no entry is noted by its position."""
    made = index(
        tmp_path / "i",
        entry_record(0, id="1", name="Anna"),
        entry_record(1, id="2", name="Bo"),
        entry_record(2, id="1", name="Anna Berg"),
        record(NAMES.directory, b'{"name": "nobody"}', 3, b"3"),
        record(NAMES.directory, b'{"id": "4", "name": "%s"}' % (b"x" * 20_000), 4, b"4"),
    )
    directory = ConsoleDirectory(made, DirectorySettings())
    assert {entry.id: entry.name for entry in directory.current()} == {"1": "Anna Berg", "2": "Bo"}
    assert directory.current() is directory.current()
    assert [row[2] for row in content(made)["unreadable"]] == [3, 4]
    made.apply([record(NAMES.directory, None, 5, b"2")])
    assert [entry.id for entry in directory.current()] == ["1"]
    made.close()
    again = index(tmp_path / "i")
    assert ConsoleDirectory(again, DirectorySettings()).current().name("1") == "Anna Berg"
    again.clear()
    assert not ConsoleDirectory(again, DirectorySettings()).current()
    again.close()


def test_files_go_before_the_topic_and_are_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A changed file is taken up; a wrong one is counted and logged without what stands in it, and changes nothing."""
    file = tmp_path / "people.csv"
    file.write_text("id,name\n1,Anna Berg\n", encoding="utf-8")
    made = index(tmp_path / "i", entry_record(0, id="1", name="A"), entry_record(1, id="2", name="Bo"))
    directory = ConsoleDirectory(made, DirectorySettings(files=(str(file),), reload_seconds=1e-6))
    assert [directory.current().name(one) for one in "12"] == ["Anna Berg", "Bo"]
    for text, name, refused in (
        ("id,name\n1,Cara Lund\n", "Cara Lund", 0),
        ("id,kind\n1,Zenobia\n", "Cara Lund", 1),
    ):
        file.write_text(text, encoding="utf-8")
        stamp = file.stat().st_mtime_ns + 1_000_000_000
        os.utime(file, ns=(stamp, stamp))
        with caplog.at_level(logging.WARNING):
            directory.current()
            assert directory.current().name("1") == name
        assert directory.refused == refused
    assert "people.csv: line 2: kind is none of" in caplog.text
    assert "Zenobia" not in caplog.text
    made.close()
