from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from streams.backup.archive import Archive, ArchiveError, ArchiveWriter, Copy, Header, SourcePosition

HEADER = Header(
    release="0.1.0",
    made_ms=1_772_409_600_000,
    partitions={"alerts": 2},
    next_offsets={"events": (3, 4)},
    sources=(
        SourcePosition(
            topic="crm.access", topic_id="an id", partition=0, number=0, next_offset=7, end_offset=9
        ),
    ),
)
COPIES = [
    Copy("crm.access", 0, 7, 1, None, b"\xff{", (("crmwatch-position", b"a:1"),)),
    Copy("alerts", 1, 0, 2, b"uid", b"x" * 100_000, ()),
    Copy("alerts", 1, 4, 3, b"uid", None, ()),
]


def written(path: Path, copies: Iterable[Copy] = COPIES, header: Header = HEADER) -> bytes:
    """The bytes of a backup, which is at the path, too."""
    with path.open("wb") as file:
        archive = ArchiveWriter(file.write, header)
        for copy in copies:
            archive.add(copy)
        archive.end()
    return path.read_bytes()


def refusal(path: Path) -> str:
    """Why a backup is refused, after its name."""
    with pytest.raises(ArchiveError) as error, Archive(path):
        pass
    return str(error.value).removeprefix(f"{path}: ")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """The header and each record come back as they were, as often as they are asked for."""
    written(tmp_path / "backup")
    with Archive(tmp_path / "backup") as archive:
        assert archive.header == HEADER
        assert list(archive.copies()) == COPIES
        assert list(archive.copies()) == COPIES


def test_a_backup_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    """No beginning of a backup is taken for one, wherever it ends."""
    path = tmp_path / "backup"
    whole = written(path, [COPIES[0], COPIES[2]])
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert refusal(path).startswith(("not a backup of crmwatch", "the backup is ")), size


def test_one_changed_bit_is_seen(tmp_path: Path) -> None:
    """A backup in which any one byte is another is refused, and so is one with a byte behind its end."""
    path = tmp_path / "backup"
    whole = written(path, [COPIES[0]])
    for index in range(len(whole)):
        changed = bytearray(whole)
        changed[index] ^= 1
        path.write_bytes(changed)
        assert refusal(path), index
    path.write_bytes(whole + b"\0")
    assert refusal(path) == "the backup is damaged: its checksum does not match"


def test_another_version_is_named(tmp_path: Path) -> None:
    """A backup of a version that this release does not read is refused by its number."""
    written(tmp_path / "backup", header=msgspec.structs.replace(HEADER, version=2))
    assert refusal(tmp_path / "backup") == "a backup of version 2; this release reads 1"


def test_a_length_that_no_record_has_is_not_read(tmp_path: Path) -> None:
    """A frame that claims more than 32 MiB is damage: nothing is allocated for it."""
    path = tmp_path / "backup"
    whole = written(path, [])
    path.write_bytes(whole[:16] + b"\xff\xff\xff\xff" + whole[20:])
    assert refusal(path) == "the backup is damaged: a record of 4,294,967,295 bytes"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A path without a file is refused with the system's reason."""
    assert refusal(tmp_path / "backup") == "cannot be read: No such file or directory"


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Records of a backup that was changed after its check raise an error at the latest at its end."""
    path = tmp_path / "backup"
    whole = written(path)
    with Archive(path) as archive:
        path.write_bytes(whole.replace(b"x" * 100_000, b"y" * 100_000))
        with pytest.raises(ArchiveError, match="its checksum does not match"):
            list(archive.copies())
