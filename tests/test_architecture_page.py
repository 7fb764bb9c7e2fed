"""The architecture page names files that exist, and keeps what it promises to whoever changes something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detector.adapters import ADAPTERS
from detector.identity.detectors.registry import DETECTORS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PATHS = sorted(
    set(re.findall(r"\b(?:detector|streams|tests|docs|benchmarks|examples)/[\w./<>-]*\w[/>]*", PAGE))
)
CHANGES = (
    "a vendor", "a detector", "a metric", "a console page", "a threshold", "an output", "a setting", "a state field",
    "a language", "an alert's field",
)  # fmt: skip


def changes() -> dict[str, list[str]]:
    """The files to touch, by change."""
    rows = [line.strip("|").split("|") for line in PAGE.partition("## Ten changes")[2].splitlines()]
    return {row[0].strip(): re.findall(r"`([^`]+/[^`]+)`", row[1]) for row in rows if len(row) == 3}


def exists(path: str, **names: str) -> bool:
    """Whether a path is there, each of its placeholders being one of the given names or any name."""
    for name, value in names.items():
        path = path.replace(f"<{name}>", value)
    pattern = re.sub(r"<\w+>", "*", path).rstrip("/")
    return any(ROOT.glob(pattern))


@pytest.mark.parametrize("path", PATHS)
def test_a_path_exists(path: str) -> None:
    """Each file and folder that the page names is there; one with a placeholder has an example."""
    assert exists(path)


def test_paths_are_seen() -> None:
    """Those in the diagram, in prose, in tables, with and without placeholders."""
    assert len(PATHS) > 40
    assert {"detector/fleet", "streams/cli/tail.py", "detector/event.py", "tests/samples/<vendor>/"} <= {
        *PATHS
    }


def test_every_change_names_its_files() -> None:
    """Ten changes, each with at least one file; a vendor and a detector touch three at most."""
    found = changes()
    assert found.keys() - {"change", "---"} == {*CHANGES}
    assert all(found[change] for change in CHANGES)
    assert 1 <= len(found["a vendor"]) <= 3
    assert 1 <= len(found["a detector"]) <= 3


def test_every_vendor_and_detector_has_what_a_new_one_needs() -> None:
    """What is there was made of the files that the page asks for: source, samples or a test, and a description."""
    _, samples, formats = changes()["a vendor"]
    _, _, detection = changes()["a detector"]
    for name in ADAPTERS:
        assert exists(samples, vendor=name), name
        assert f"`{name}`" in (ROOT / formats).read_text(encoding="utf-8")
    for name in DETECTORS:
        assert f"`{name}`" in (ROOT / detection).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"])
def test_links_of_the_entry_pages_lead_somewhere(page: str) -> None:
    """Files that they link to exist, and so does each heading of a Markdown page that a link names."""
    path = ROOT / page
    links = re.findall(r"\]\(([^)\s#:]*)(?:#([^)\s]+))?\)", path.read_text(encoding="utf-8"))
    assert links
    for file, anchor in links:
        target = path.parent / file if file else path
        assert target.exists(), file
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs, f"{file}#{anchor}"
