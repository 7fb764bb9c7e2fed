from __future__ import annotations

import ast
from pathlib import Path

import detector
import streams
from detector.errors import CrmwatchError

PACKAGES = (Path(detector.__file__).parent, Path(streams.__file__).parent)


def exceptions() -> dict[str, list[str]]:
    """Every class of the tree that ends in Error or has an exception among its bases, with these bases."""
    classes = [
        node
        for package in PACKAGES
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    bases = {node.name: [ast.unparse(base).rpartition(".")[2] for base in node.bases] for node in classes}
    kinds = {"Exception", "BaseException", "CrmwatchError"}
    return {
        name: of
        for name, of in bases.items()
        if name not in kinds
        and (name.endswith("Error") or any(base in kinds or base.endswith("Error") for base in of))
    }


def test_every_exception_has_one_base_class() -> None:
    """Each exception inherits `CrmwatchError` first; a standard kind that callers rely on comes after it."""
    found = exceptions()
    assert {"RecordError", "ConfigError", "PluginError"} <= set(found)
    assert {name: bases for name, bases in found.items() if bases[:1] != ["CrmwatchError"]} == {}
    assert issubclass(CrmwatchError, Exception)
