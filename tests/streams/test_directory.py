"""The directory's files as a worker and the console read them: at the start, and again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detector.directory_file import DirectoryFileError
from streams.config import DirectorySettings
from streams.directory import DirectoryFiles, read_directory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one person."""
    path = tmp_path / "people.csv"
    path.write_text("id,name\n1,Anna\n", encoding="utf-8")
    return path


def rewrite(path: Path, text: str) -> None:
    """Another content, as of another moment."""
    path.write_text(text, encoding="utf-8")
    stamp = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(stamp, stamp))


def names(files: DirectoryFiles) -> list[str]:
    """Who is in it."""
    return [entry.name for entry in files.entries]


def test_files_add_up_and_the_last_one_holds(file: Path) -> None:
    """Of an id in two files the entry of the later one counts; together they are bounded."""
    other = file.with_name("apps.json")
    other.write_text('[{"id": "1", "name": "Anna Berg"}, {"id": "2", "name": "Sync"}]', encoding="utf-8")
    settings = DirectorySettings(files=(str(file), str(other)))
    assert [entry.name for entry in read_directory(settings)] == ["Anna Berg", "Sync"]
    assert read_directory(DirectorySettings()) == ()
    other.write_text('[{"id": "2"}]', encoding="utf-8")
    with pytest.raises(DirectoryFileError, match=r"apps.json: more than 1 entries with the other files"):
        read_directory(DirectorySettings(files=settings.files, most_entries=1))


def test_what_is_wrong_names_the_file(file: Path, tmp_path: Path) -> None:
    """And the line, or why it cannot be read at all."""
    file.write_text("id,name\n1\n", encoding="utf-8")
    with pytest.raises(DirectoryFileError, match=r"people.csv: line 2: 1 fields"):
        read_directory(DirectorySettings(files=(str(file),)))
    with pytest.raises(DirectoryFileError, match=r"none.csv: cannot be read: No such file"):
        DirectoryFiles(DirectorySettings(files=(str(tmp_path / "none.csv"),)))


def test_a_changed_file_is_taken_up_when_it_stands_still(file: Path) -> None:
    """Not while it is still being written, once when it has been, and not again."""
    files = DirectoryFiles(DirectorySettings(files=(str(file),)))
    assert not files.look()
    rewrite(file, "id,name\n")  # half of it
    assert not files.look()
    rewrite(file, "id,name\n1,Bo\n")
    assert not files.look()
    assert names(files) == ["Anna"]
    assert files.look()
    assert names(files) == ["Bo"]
    assert not files.look()


@pytest.mark.parametrize("wrong", ["", "id,kind\n1,alien\n", None])
def test_a_wrong_file_changes_nothing_and_says_so_once(file: Path, wrong: str | None) -> None:
    """Whether it is empty, cannot be understood or is gone; right again, it is taken up."""
    files = DirectoryFiles(DirectorySettings(files=(str(file),)))
    file.unlink() if wrong is None else rewrite(file, wrong)
    assert not files.look()
    with pytest.raises(DirectoryFileError, match=r"people.csv: "):
        files.look()
    assert not files.look()
    assert names(files) == ["Anna"]
    file.write_text("id,name\n1,Bo Berg\n", encoding="utf-8")
    assert [files.look(), files.look()] == [False, True]
    assert names(files) == ["Bo Berg"]
