from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.atomic_file import AtomicFile, assert_writable, part_of


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    """Until the block ends, what was there stays; then the new file is there and nothing beside it."""
    path = tmp_path / "a.jsonl"
    path.write_text("old")
    with AtomicFile(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
        assert part_of(path).exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_completed_does_not_appear(tmp_path: Path) -> None:
    """After an exception what was there before is there, and nothing beside it."""
    path = tmp_path / "a.jsonl"

    def write() -> None:
        with AtomicFile(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_text() == "old"
    assert_writable(path)
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file behind a link is written, not the link."""
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with AtomicFile(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_device_is_written_as_it_comes(tmp_path: Path) -> None:
    """A full device is an error that names it, and a pipe gets what is written."""
    with pytest.raises(OSError, match="No space left") as failed, AtomicFile(Path("/dev/full")) as file:
        file.write(b"x" * 100_000)
    assert failed.value.filename == "/dev/full"
    with AtomicFile(Path("/dev/null")) as file:
        file.write(b"x")
    assert not part_of(Path("/dev/null")).exists()


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder that is not there, and a folder in the place, are errors that name the path."""
    for path in (tmp_path / "none" / "a", tmp_path):
        with pytest.raises(OSError, match=os.path.basename(path)) as failed:  # noqa: PTH119 - as it is named
            assert_writable(path)
        assert failed.value.filename == str(path)


def test_a_pipe_gets_what_is_written(tmp_path: Path) -> None:
    """Also by its name under ``/dev/fd``, which leads to none."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        with AtomicFile(Path(f"/dev/fd/{writing}")) as file:
            assert_writable(Path(f"/dev/fd/{writing}"))
            file.write(b"x")
        os.close(writing)
        assert pipe.read() == b"x"


def test_asking_whether_a_file_can_be_written_touches_nothing(tmp_path: Path) -> None:
    """Neither the file, nor one beside it, whatever its name; a folder and a place that is not there cannot be."""
    path = tmp_path / "out.html"
    path.write_text("old")
    part_of(path).write_text("mine")
    assert_writable(path)
    assert (path.read_text(), part_of(path).read_text()) == ("old", "mine")
    with pytest.raises(IsADirectoryError):
        assert_writable(tmp_path)
    with pytest.raises(FileNotFoundError):
        assert_writable(tmp_path / "none" / "out.html")
