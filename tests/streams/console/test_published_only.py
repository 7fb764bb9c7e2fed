"""The console reads what is published: not the worker's state, nor what its agents tell one another."""

from __future__ import annotations

import ast
from pathlib import Path

from streams.config import ConsoleSettings
from streams.console.store.index import Index
from streams.kafka.topics import TopicNames

CONSOLE = Path(__file__).parents[3] / "streams" / "console"
PRIVATE = (
    "detector.identity",
    "detector.fleet",
    "detector.signal",
    "detector.keyed_state",
    "streams.kafka.messages",
)
"""States of the detector, and the wire of the worker's agents; headers of published records are no secret."""


def imported(path: Path) -> set[str]:
    """The modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def test_no_module_of_the_console_knows_private_state() -> None:
    """None imports a detector's state, a signal or the internal wire."""
    files = sorted(CONSOLE.rglob("*.py"))
    assert len(files) > 20
    wrong = {
        f"{path.relative_to(CONSOLE)} imports {name}"
        for path in files
        for name in imported(path)
        if any(f"{name}.".startswith(f"{private}.") for private in PRIVATE) and not name.endswith("_HEADER")
    }
    assert wrong == set()


def test_the_index_follows_published_topics_only(tmp_path: Path) -> None:
    """Alerts, decisions, identities, activity and the directory: no changelog, no topic between the agents."""
    names = TopicNames()
    index = Index(tmp_path / "index", names, ConsoleSettings())
    assert set(index.topics) == {
        names.alerts,
        names.feedback,
        names.identities,
        names.activity,
        names.directory,
    }
    index.close()
