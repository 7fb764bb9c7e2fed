"""Who may know whom: each folder imports only what the table allows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = "detector/*.py"
"""The modules that lie in ``detector/`` itself, but for `detector.engine`: the words that all steps share."""

ARROWS: dict[str, tuple[tuple[str, ...], str]] = {
    SHARED: ((), "Events, signals, settings and the catalogue know no step that uses them."),
    "detector.adapters": ((SHARED,), "An adapter knows records and events."),
    "detector.identity": ((SHARED,), "Detection knows an identity's own past, and nothing of others."),
    "detector.fleet": ((SHARED,), "The fleet knows signals, not the profiles that they come from."),
    "detector.triage": (
        (SHARED, "detector.fleet"),
        "Triage knows signals and the fleet, not how it is published.",
    ),
    "detector.alert": (
        (SHARED, "detector.triage"),
        "An alert knows its incident; what each detector has to say of itself is handed in.",
    ),
    "detector.response": (
        (SHARED, "detector.alert", "detector.identity.ledger"),
        "A response knows events, findings and decisions, and counts rows as the ledger does.",
    ),
    "detector.detectors": (
        (SHARED, "detector.identity.detectors", "detector.fleet"),
        "The set of detectors joins those of identities and of the fleet.",
    ),
    "detector.engine": (
        (SHARED, "detector.detectors", "detector.identity", "detector.triage", "detector.alert"),
        "The engine joins the steps.",
    ),
    "detector.indicators": ((SHARED,), "A list becomes indicators, whoever uses them."),
    "detector.simulation": (
        (
            SHARED,
            "detector.adapters",
            "detector.identity.ledger",
            "detector.alert",
            "detector.triage.evidence",
            "detector.triage.features",
        ),
        "A simulation reads its own records as the adapters do, counts rows as the ledger does, scores alerts and "
        "fits the evidence model.",
    ),
    "streams.plugins": (
        (SHARED, "detector.adapters", "detector.detectors", "detector.identity.detectors"),
        "Plug-ins are discovered at the edge and handed in.",
    ),
    "streams.log": ((), "Logging knows nothing of what is logged."),
    "streams.config": (
        (SHARED, "detector.adapters", "streams.kafka", "streams.log"),
        "The configuration builds each part's settings.",
    ),
    "streams.atomic_file": ((), "A file is written whole, whatever is in it."),
    "streams.files": ((SHARED, "detector.adapters"), "Files become events through the adapters."),
    "streams.child_process": ((), "A child process ends with its parent, whatever runs in it."),
    "streams.kafka": ((SHARED, "streams.child_process"), "Topics carry events and signals."),
    "streams.backup": (
        (SHARED, "detector.identity.profile", "streams.config", "streams.kafka", "streams.worker.ordering"),
        "A backup copies topics; of state it knows only where it names records.",
    ),
    "streams.publisher": (
        (SHARED, "detector.adapters", "streams.files", "streams.kafka", "streams.plugins"),
        "The publisher moves files to a topic, and knows no worker.",
    ),
    "streams.worker": (
        (
            "detector",
            "streams.config",
            "streams.directory",
            "streams.files.reader",
            "streams.kafka",
            "streams.log",
            "streams.plugins",
        ),
        "The worker runs all steps between topics; of files it knows only how a record is decoded.",
    ),
    "streams.replay": (
        ("detector", "streams.files", "streams.kafka.messages", "streams.plugins"),
        "A replay runs all steps over files, dealt out to shards as the messages are.",
    ),
    "streams.training": (
        ("detector", "streams.files"),
        "Training replays worlds that it has simulated, and asks triage what it saw.",
    ),
    "streams.scope": (
        (SHARED, "detector.response"),
        "A scope is kept on the disk and written to files.",
    ),
    "streams.locale": (
        (SHARED,),
        "Languages know what is said, not the page that shows it.",
    ),
    "streams.drafts": (
        (SHARED, "detector.response", "streams.locale"),
        "A draft is shown in every language, whoever asks for it.",
    ),
    "streams.case_file": (
        (SHARED, "detector.response.case_custody"),
        "A case file copies files, whatever is in them.",
    ),
    "streams.directory": ((SHARED, "streams.config"), "A directory is read from files, whoever shows it."),
    "streams.report": (
        (
            SHARED,
            "detector.alert",
            "detector.identity.ledger",
            "streams.locale",
            "streams.replay",
            "streams.atomic_file",
        ),
        "A report shows what a replay found, and counts rows as the ledger does.",
    ),
    "streams.console": (
        (
            SHARED,
            "detector.alert",
            "detector.response.clock",
            "streams.config",
            "streams.directory",
            "streams.kafka",
            "streams.locale",
            "streams.report",
            "streams.worker.metric_definitions",
        ),
        "The console reads published topics, and shares how an incident is drawn with the report.",
    ),
    "streams.cli": (("detector", "streams"), "A command may use everything; nobody uses a command."),
}
"""Folder → what it may import beside itself, and why. A package stands for all that is in it."""


def modules(root: Path) -> list[tuple[str, Path]]:
    """Every module of both packages."""
    return [
        (".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"), path)
        for package in ("detector", "streams")
        for path in sorted((root / package).rglob("*.py"))
    ]


def imports(path: Path) -> list[str]:
    """The modules of ours that a module imports, wherever it does; a name in a package counts as one."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path}: a relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.split(".")[0] in ("detector", "streams")]


def folder_of(name: str) -> str:
    """The entry of the table that a module belongs to; what lies in ``detector/`` itself is shared."""
    parts = name.split(".")
    folder = ".".join(parts[:2])
    if folder in ARROWS:
        return folder
    return SHARED if parts[0] == "detector" else folder


def is_allowed(importer: str, name: str) -> bool:
    """Whether a module may import a name."""
    folder = folder_of(importer)
    if folder_of(name) == folder or name == "streams.__version__":
        return True
    allowed, _ = ARROWS[folder]
    return any(folder_of(name) == target or f"{name}.".startswith(f"{target}.") for target in allowed)


def test_every_import_is_an_allowed_arrow() -> None:
    """No module imports from a folder that its own may not know."""
    wrong = [
        f"{importer} imports {name}: {ARROWS[folder_of(importer)][1]}"
        for importer, path in modules(ROOT)
        if importer != "streams"
        for name in imports(path)
        if not is_allowed(importer, name)
    ]
    assert wrong == []


def test_every_folder_has_its_arrows() -> None:
    """A new folder is entered in the table, and one that is gone leaves it; each entry says why."""
    folders = {folder_of(name) for name, _ in modules(ROOT) if name not in ("detector", "streams")}
    assert folders == set(ARROWS)
    assert all(why.endswith(".") for _, why in ARROWS.values())
    for folder, (allowed, _) in ARROWS.items():
        for target in set(allowed) - {SHARED}:
            path = ROOT.joinpath(*target.split("."))
            assert path.is_dir() or path.with_suffix(".py").is_file(), f"{folder} -> {target}"


@pytest.mark.parametrize(
    ("importer", "name"),
    [
        ("streams.files.decode", "detector.engine.Engine"),
        ("detector.signal", "detector.triage.incident.Incident"),
        ("detector.identity.detect", "detector.fleet.tenant.Tenant"),
        ("detector.fleet.origin", "detector.identity.detectors.novelty.Young"),
        ("detector.triage.triage", "detector.alert.build.build"),
        ("detector.engine", "streams.log.configure"),
        ("streams.publisher.publisher", "streams.worker.worker.Worker"),
        ("streams.worker.worker", "streams.cli.worker.worker"),
        ("streams.console.store.index", "streams.worker.changelog.restore"),
    ],
)
def test_an_arrow_up_is_refused(importer: str, name: str) -> None:
    """What the table does not allow is no arrow."""
    assert not is_allowed(importer, name)


@pytest.mark.parametrize(
    ("importer", "name"),
    [
        ("detector.triage.triage", "detector.signal.Signal"),
        ("detector.alert.build", "detector.triage.incident.Incident"),
        ("streams.cli.main", "streams.worker.worker.Worker"),
        ("streams.worker.worker", "detector.triage.triage.Triage"),
    ],
)
def test_an_arrow_down_is_allowed(importer: str, name: str) -> None:
    """What the table allows is one."""
    assert is_allowed(importer, name)


def test_imports_are_found_wherever_they_are(tmp_path: Path) -> None:
    """At the top, within a function, by name or by module; others' do not count."""
    path = tmp_path / "module.py"
    path.write_text(
        "import msgspec\nimport detector.engine\nfrom detector.signal import Signal, Span\n"
        "def f():\n    from streams.cli import main\n",
        encoding="utf-8",
    )
    assert imports(path) == [
        "detector.engine",
        "detector.signal.Signal",
        "detector.signal.Span",
        "streams.cli.main",
    ]
