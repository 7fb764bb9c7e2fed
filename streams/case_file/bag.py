"""A case file as a BagIt bag (RFC 8493): payload, SHA-256 manifests, and what a reader must refuse.

`sha256sum -c manifest-sha256.txt` and `sha256sum -c tagmanifest-sha256.txt` check it without crmwatch. The bag is a
copy of files, not a seal of originals: it shows that nothing changed since it was made.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from detector.errors import CrmwatchError
from detector.response import case_custody
from detector.response.case_custody import CustodyEntry, CustodyError

__all__ = ["CaseError", "make", "verify"]

CUSTODY = "custody.jsonl"
MANIFEST = "manifest-sha256.txt"
TAGS = ("bagit.txt", "bag-info.txt", CUSTODY, MANIFEST)
TAG_MANIFEST = "tagmanifest-sha256.txt"
MOST_FILES = 100_000
_BLOCK = 1 << 20
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n\r]+)")
_SAFE = re.compile(r"[\w.@+=-][\w .@+=-]*")
"""The names that every file system and `sha256sum` take as they are."""


class CaseError(CrmwatchError, ValueError):
    """What is wrong with a case file, or with what should become one; names the file."""


def make(folder: Path, paths: Iterable[Path], info: Mapping[str, str], time: str, by: str) -> int:
    """Make a bag of files and folders in a new folder; the number of its files. Raises `CaseError`.

    A folder that exists, a link, a name that is not plain, and a name that comes twice are refused.
    """
    sources: dict[str, Path] = {}
    folded: set[str] = set()
    for path in paths:
        for name, source in _named(path):
            if name.casefold() in folded:
                raise CaseError(f"{source}: there is another {name}")
            folded.add(name.casefold())
            sources[name] = source
    if not sources:
        raise CaseError("there is no file to put into the case")
    part = folder.with_name(f"{folder.name}.part")
    if folder.exists() or part.exists():
        raise CaseError(f"{folder if folder.exists() else part}: exists already")
    try:
        entries = [CustodyEntry(time=time, by=by, action="made", of=folder.name)]
        lines, size = [], 0
        for name, source in sorted(sources.items()):
            target = part / "data" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as read, target.open("xb") as write:
                digest = sha256()
                while block := read.read(_BLOCK):
                    digest.update(block)
                    write.write(block)
                    size += len(block)
            entries.append(
                CustodyEntry(time=time, by=by, action="copied", of=name, result=digest.hexdigest())
            )
            lines.append(f"{digest.hexdigest()}  data/{name}\n")
        facts = {**info, "Payload-Oxum": f"{size}.{len(lines)}"}
        tags = {
            "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
            "bag-info.txt": "".join(
                f"{key}: {' '.join(value.split())}\n" for key, value in facts.items()
            ).encode(),
            CUSTODY: case_custody.append(b"", entries),
            MANIFEST: "".join(lines).encode(),
        }
        for name, data in tags.items():
            (part / name).write_bytes(data)
        (part / TAG_MANIFEST).write_text(
            "".join(f"{sha256(tags[name]).hexdigest()}  {name}\n" for name in sorted(tags)), encoding="utf-8"
        )
        part.rename(folder)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return len(lines)


def verify(folder: Path) -> list[str]:
    """Everything that is wrong with a bag, each with the file that it is about; empty if it is whole."""
    wrong: list[str] = []
    listed = {**_manifest(folder / TAG_MANIFEST, wrong), **_manifest(folder / MANIFEST, wrong)}
    wrong += [f"{name}: is not in the tag manifest" for name in TAGS if name not in listed]
    found: set[str] = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            wrong.append(f"{name}: is a link")
        elif not path.is_dir():
            found.add(name)
    for name, digest in sorted(listed.items()):
        if name not in found:
            wrong.append(f"{name}: is missing")
        elif _digest(folder / name) != digest:
            wrong.append(f"{name}: has changed")
    known = {*listed, TAG_MANIFEST, f"{TAG_MANIFEST}.minisig"}
    wrong += [f"{name}: is in no manifest" for name in sorted(found - known)]
    if CUSTODY in found:
        try:
            case_custody.check((folder / CUSTODY).read_bytes())
        except CustodyError as error:
            wrong.append(f"{CUSTODY}: {error}")
    return wrong


def _named(path: Path) -> Iterable[tuple[str, Path]]:
    """A path's files by the names they get, from the path's own last part on."""
    if path.is_symlink():
        raise CaseError(f"{path}: is a link")
    if not path.exists():
        raise CaseError(f"{path}: does not exist")
    top = path.resolve()
    for source in sorted(top.rglob("*")) if top.is_dir() else [top]:
        if source.is_symlink():
            raise CaseError(f"{source}: is a link")
        if source.is_dir():
            continue
        if not source.is_file():
            raise CaseError(f"{source}: is no file")
        parts = source.relative_to(top.parent).parts
        if not all(_SAFE.fullmatch(one) and one != ".." for one in parts):
            raise CaseError(
                f"{source}: rename it, a case file takes letters, digits, blanks and . _ - @ + = only"
            )
        yield "/".join(parts), source


def _manifest(path: Path, wrong: list[str]) -> dict[str, str]:
    """Name → hash, of the lines that can be believed."""
    if path.is_symlink() or not path.is_file():
        wrong.append(f"{path.name}: is missing")
        return {}
    listed: dict[str, str] = {}
    text = path.read_bytes().decode("utf-8", "replace")
    if text and not text.endswith("\n"):
        wrong.append(f"{path.name}: its last line is cut")
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        parsed = _LINE.fullmatch(line)
        parts = parsed[2].split("/") if parsed else []
        of_payload = parts[:1] == ["data"]
        if number > MOST_FILES or not parsed or of_payload != (path.name == MANIFEST):
            wrong.append(f"{path.name}: line {number} is none of a manifest")
        elif not all(_SAFE.fullmatch(one) and one not in (".", "..") for one in parts):
            wrong.append(f"{path.name}: line {number} leads out of the case or has a strange name")
        elif parsed[2] in listed:
            wrong.append(f"{path.name}: line {number} names {parsed[2]} again")
        else:
            listed[parsed[2]] = parsed[1]
    return listed


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
