"""The glossary names files that exist, and the tree uses the field's nouns, each for one thing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
SOURCES = sorted(path for package in ("detector", "streams") for path in (ROOT / package).rglob("*.py"))
RIDDLES = {
    "course", "court", "decided", "desk", "did", "former", "ground", "hold", "others", "standing", "told", "whole",
}  # fmt: skip
"""Words that have to be learned here and say nothing to somebody who knows streams and security."""


def definitions() -> list[tuple[str, str, list[str]]]:
    """Each row of the glossary: its word, its meaning, and the files that it names."""
    text = GLOSSARY.read_text(encoding="utf-8")
    cells = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in row] for row in cells if row[0].strip() != "word"]
    return [(word, meaning, re.findall(r"`([^`]+)`", where)) for word, meaning, where in rows]


def classes(source: str) -> list[str]:
    """The names of the public classes at a module's top."""
    return [
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def parts(name: str) -> Iterator[str]:
    """The words of a name, singular and in lower case, as `NewDesks` and `new_desks` have two."""
    for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name):
        yield word.lower()
        yield word.lower().removesuffix("s")


@pytest.mark.parametrize(
    ("word", "meaning", "files"), definitions(), ids=[word for word, _, _ in definitions()]
)
def test_a_word_has_one_meaning_and_a_place(word: str, meaning: str, files: list[str]) -> None:
    """It is explained once, in one sentence, beside a file that exists."""
    assert [other for other, _, _ in definitions()].count(word) == 1
    assert meaning.endswith(".")
    assert files
    for file in files:
        assert (ROOT / file).is_file(), file


def test_every_word_of_the_contracts_is_explained() -> None:
    """The words that code, docs and screens share are all in the glossary."""
    words = {word for row, _, _ in definitions() for word in row.split(", ")}
    assert words >= {
        "record", "event", "identity", "profile", "signal", "finding", "incident", "alert", "anomaly", "baseline",
        "surprise", "risk", "impact", "budget", "tick", "watermark", "decision", "ledger", "catalogue", "adapter",
        "tally", "dead letter", "coverage", "peers", "novelty", "drip", "rhythm", "chain", "exfiltration",
        "false positive", "suppress", "mute", "escalate",
    }  # fmt: skip


def test_names_are_no_riddles() -> None:
    """No module, package or public class of the tree has a name that must be learned here."""
    names = {
        part: path
        for path in SOURCES
        for part in (
            *path.relative_to(ROOT).with_suffix("").parts,
            *classes(path.read_text(encoding="utf-8")),
        )
    }
    assert len(names) > 300
    assert {name: str(path) for name, path in names.items() if RIDDLES & set(parts(name))} == {}


def test_a_public_class_name_means_one_thing() -> None:
    """Each is defined once in `detector/` and `streams/` together."""
    homes: dict[str, list[str]] = {}
    for path in SOURCES:
        for name in classes(path.read_text(encoding="utf-8")):
            homes.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert len(homes) > 200
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


@pytest.mark.parametrize("name", ["Desk", "Standings", "TriageDesk", "decided", "others_seen", "Hold"])
def test_a_riddle_is_seen_in_any_form(name: str) -> None:
    """Plural, as a part of a name, in camel case or with underscores."""
    assert RIDDLES & set(parts(name))


@pytest.mark.parametrize(
    "name", ["background", "Threshold", "IncidentLifecycle", "understanding", "household"]
)
def test_a_word_that_only_holds_a_riddle_is_none(name: str) -> None:
    """Parts are compared as they stand."""
    assert not RIDDLES & set(parts(name))
