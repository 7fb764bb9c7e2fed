"""Packages in `examples/`, as if they were installed."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def installed(folder: Path, package: str) -> dict[str, str]:
    """The environment of a process in which an example is installed; its metadata is written to a folder."""
    source = EXAMPLES / package
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head)
    sections = [
        f"[{group}]\n" + "\n".join(f"{name} = {target}" for name, target in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(sections) + "\n")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(source), *_given()])}


def _given() -> list[str]:
    return list(filter(None, [os.environ.get("PYTHONPATH")]))
