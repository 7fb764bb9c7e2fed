from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streams.cli.main import app

TAG_MANIFEST = "tagmanifest-sha256.txt"


def run(*given: object) -> Result:
    """A command's result."""
    return CliRunner().invoke(app, [str(one) for one in given])


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case file of a log and a folder of drafts."""
    (tmp_path / "log.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "drafts" / "deep").mkdir(parents=True)
    (tmp_path / "drafts" / "deep" / "cnil.fr.md").write_text("é", encoding="utf-8")
    result = run("case", tmp_path / "case", tmp_path / "log.csv", tmp_path / "drafts", "--by", "ana\nx: y")
    assert result.exit_code == 0, result.output
    return tmp_path / "case"


def test_a_stranger_verifies_it_with_stock_tools(case: Path) -> None:
    """`sha256sum -c` takes both manifests; what was copied is the same bytes; nothing entered adds a line."""
    for name in ("manifest-sha256.txt", TAG_MANIFEST):
        checked = subprocess.run([shutil.which("sha256sum") or "", "-c", name], cwd=case, capture_output=True)
        assert checked.returncode == 0, checked
    assert (case / "data" / "log.csv").read_bytes() == b"a,b\n1,2\n"
    assert (case / "data" / "drafts" / "deep" / "cnil.fr.md").read_text(encoding="utf-8") == "é"
    assert "Contact-Name: ana x: y\n" in (case / "bag-info.txt").read_text(encoding="utf-8")
    entries = [json.loads(line) for line in (case / "custody.jsonl").read_bytes().splitlines()]
    assert [entry["of"] for entry in entries] == ["case", "drafts/deep/cnil.fr.md", "log.csv"]
    assert run("verify", case).exit_code == 0


def test_one_changed_byte_is_named(case: Path) -> None:
    """Wherever it lies; in the tag manifest itself, any byte at all is found."""
    for path in sorted(path for path in case.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            result = run("verify", case)
            assert result.exit_code == 1, (path, place)
            if path.name != TAG_MANIFEST:
                name = path.relative_to(case).as_posix()
                assert f"{name}: has changed" in result.output
                break
        path.write_bytes(whole)
    assert run("verify", case).exit_code == 0


def _link(case: Path) -> None:
    (case / "data" / "link").symlink_to("/etc/passwd")


def _outside(case: Path) -> None:
    with (case / "manifest-sha256.txt").open("a") as file:
        file.write("0" * 64 + "  data/../../x\n")


def _twice(case: Path) -> None:
    path = case / "manifest-sha256.txt"
    path.write_bytes(path.read_bytes() * 2)


def _added(case: Path) -> None:
    (case / "data" / "new.txt").write_text("x")


def _gone(case: Path) -> None:
    (case / "data" / "log.csv").unlink()


def _unlisted(case: Path) -> None:
    (case / TAG_MANIFEST).unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_link, "data/link: is a link"),
        (_outside, "leads out of the case"),
        (_twice, "names data/log.csv again"),
        (_added, "data/new.txt: is in no manifest"),
        (_gone, "data/log.csv: is missing"),
        (_unlisted, f"{TAG_MANIFEST}: is missing"),
    ],
)
def test_what_does_not_belong_into_a_case_is_named(
    case: Path, change: Callable[[Path], None], said: str
) -> None:
    """Links, ways out, a name twice, a file too many or too few, and a missing manifest."""
    change(case)
    result = run("verify", case)
    assert result.exit_code == 1
    assert said in result.output


def test_a_custody_log_with_an_entry_taken_out_is_found(case: Path) -> None:
    """Even if somebody writes the tag manifest anew."""
    log = case / "custody.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(lines[0] + lines[2])
    assert "custody line 2 does not follow the line before" in run("verify", case).output


def test_what_cannot_go_into_a_case_is_refused(case: Path, tmp_path: Path) -> None:
    """A link, a strange name, the same name twice, nothing, and a folder that exists; nothing is left behind."""
    odd = tmp_path / "a\nb"
    odd.write_text("x")
    (tmp_path / "way").symlink_to(tmp_path / "log.csv")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "LOG.csv").write_text("x")
    log = tmp_path / "log.csv"
    for paths in (
        [odd],
        [tmp_path / "way"],
        [tmp_path / "empty"],
        [log, tmp_path / "other" / "LOG.csv"],
        ["nowhere"],
    ):
        assert run("case", tmp_path / "new", *paths, "--by", "ana").exit_code == 2
    assert run("case", case, log, "--by", "ana").exit_code == 2
    os.mkfifo(tmp_path / "pipe")
    assert run("case", tmp_path / "new", tmp_path / "pipe", "--by", "ana").exit_code == 2
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("new")]
    assert run("verify", tmp_path / "nowhere").exit_code == 2
