from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.files.paths import files_of, skipped_files
from streams.files.reader import decode_raw, read
from streams.files.skipped import SkippedFile

NO_LOGS = {
    ".DS_Store": "a folder's view on macOS",
    "._elf.csv": "a folder's view on macOS",
    "Thumbs.db": "a folder's view on Windows",
    "_SUCCESS": "the mark of a finished job",
    ".elf.csv.crc": "checksums",
    "elf.csv.sha256": "checksums",
    "SHA256SUMS": "checksums",
    "manifest.json": "a list of files",
    "elf.csv.asc": "a signature",
    ".gitkeep": "a place holder",
    "empty.csv": "it is empty",
}


def test_what_is_no_log_is_named_and_not_read(tmp_path: Path) -> None:
    """What systems and tools leave beside logs, and an empty file, are named with a reason, in a folder or alone."""
    for name in NO_LOGS:
        (tmp_path / name).write_bytes(b"" if name == "empty.csv" else b"\x00\x00\x00\x01Bud1")
    (tmp_path / "elf.jsonl").write_bytes(b"{}\n")
    (tmp_path / "manifest.jsonl").write_bytes(b"{}\n")
    named = [SkippedFile(str(tmp_path / name), NO_LOGS[name]) for name in sorted(NO_LOGS)]
    logs = [str(tmp_path / name) for name in ("elf.jsonl", "manifest.jsonl")]
    for paths in ([str(tmp_path)], sorted(str(path) for path in tmp_path.iterdir())):
        assert list(skipped_files(paths)) == named
        assert [file for path in paths for file in files_of(path)] == logs
        assert [raw.source for raw in read(paths)] == logs


def test_links_out_of_a_folder_are_named(tmp_path: Path) -> None:
    """A link out of the folder, or to nothing, is named and left alone; the link itself may be named to read it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "in" / "out").symlink_to(tmp_path / "secret.json")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "gone").symlink_to(tmp_path / "nowhere")
    folder = tmp_path / "in"
    outside = "a link out of the folder; name it to read it"
    assert list(files_of(str(folder))) == []
    assert list(skipped_files([str(folder)])) == [
        SkippedFile(str(folder / "gone"), "a link to nothing"),
        SkippedFile(str(folder / "out"), outside),
        SkippedFile(str(folder / "up"), outside),
    ]
    assert [raw.record for raw in read([str(folder / "out")])] == [b"{}"]


def test_a_pipe_in_a_folder_does_not_block(tmp_path: Path) -> None:
    """A pipe among files is named and not opened."""
    os.mkfifo(tmp_path / "pipe")
    assert list(files_of(str(tmp_path))) == []
    assert list(skipped_files([str(tmp_path)])) == [
        SkippedFile(str(tmp_path / "pipe"), "a device, pipe or socket")
    ]


def test_a_folder_that_may_not_be_read_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes a record that says so and names the folder; the files beside it are read."""
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    [whole, locked] = read([str(tmp_path)])
    assert (whole.record, whole.fault) == (b"{}", "")
    assert (locked.source, locked.position) == (str(tmp_path / "locked"), f"{tmp_path}/locked:1")
    assert locked.fault == "the folder cannot be read: Permission denied"
    assert "the folder cannot be read" in str(decode_raw(locked))
