"""What the packages import is what ``pyproject.toml`` declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {
    "streams/console": "console",
    "streams/cli/console.py": "console",
    "streams/kafka/embedded": "broker",
    "streams/files/contents.py": "zstd",
    "streams/files/parquet.py": "parquet",
    "detector/simulation/training.py": "train",
}
"""Where an extra may be imported; what it brings must be missing gracefully elsewhere."""
UNDECLARED = {"numpy"}  # river computes with it: its versions are ours to bound


def plain(name: str) -> str:
    """A distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(extra: str | None = None) -> dict[str, str]:
    """Distribution → what is required of it, by the package itself or by one of its extras."""
    requirements = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    parts = (re.match(r"([\w.-]+)(?:\[[\w,-]+\])?\s*([^;]*)", requirement) for requirement in requirements)
    return {plain(part[1]): part[2].strip() for part in parts if part is not None}


def imported(path: Path) -> set[str]:
    """The distributions that a module imports, wherever in it and also by name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names |= {
                argument.value.partition(".")[0]
                for argument in node.args
                if isinstance(argument, ast.Constant)
            }
    names -= {*sys.stdlib_module_names, "detector", "streams"}
    return {plain(DISTRIBUTIONS.get(name, [name])[0]) for name in names}


DISTRIBUTIONS = packages_distributions()
MODULES = [path for package in ("detector", "streams") for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_module_imports_is_declared(path: Path) -> None:
    """A module imports only what the package requires, and an extra's only where the extra is at home."""
    where = path.relative_to(ROOT).as_posix()
    allowed = set(declared())
    for place, extra in EXTRAS.items():
        if where.startswith(place):
            allowed |= set(declared(extra))
    assert imported(path) <= allowed


@pytest.mark.slow
def test_what_is_required_is_imported() -> None:
    """No requirement is left over from what has gone."""
    used = set().union(*map(imported, MODULES))
    assert set(declared()) - used <= UNDECLARED
    for extra in ("console", "broker", "zstd", "parquet", "train"):
        assert set(declared(extra)) & used, extra


def test_every_requirement_has_a_bound() -> None:
    """An installation never takes a version that is older than what the code was written for."""
    for extra in (None, *PROJECT["optional-dependencies"]):
        for name, bound in declared(extra).items():
            assert name == "crmwatch" or re.search(r"[=>~]=", bound), name


@pytest.mark.parametrize("package", ["detector", "streams"])
def test_a_package_is_typed(package: str) -> None:
    """Type checkers of those who use it take its annotations."""
    assert (ROOT / package / "py.typed").is_file()
