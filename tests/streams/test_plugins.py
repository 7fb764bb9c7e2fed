from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from detector.adapters import choose
from detector.alert.finding import read
from detector.settings import Settings
from streams.cli.main import app
from streams.config import Config, load
from streams.kafka.topics import TopicNames
from streams.plugins import (
    NO_PLUGINS,
    PluginError,
    StateSetError,
    adapter_names,
    check_state_set,
    discover,
    state_set,
)
from streams.publisher.resume import fingerprint
from streams.worker.agents import DetectAgent
from streams.worker.input_activity import InputActivity
from streams.worker.metrics import Metrics

pytestmark = pytest.mark.slow

TOY = Path(__file__).parents[1] / "plugins" / "toy"
VERSIONS = {"adapter toy_crm": "toy-crm 1.0"}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy distribution is installed."""
    monkeypatch.syspath_prepend(TOY)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A toy log: a page of three records, one of which has no user, and a record of a format that nobody knows."""
    path = tmp_path / "toy.jsonl"
    rows = [
        {"toy_user": name, "at": f"2026-03-02T09:00:0{at}Z", "rows": 3}
        for at, name in enumerate(["a", "b", ""])
    ]
    path.write_bytes(msgspec.json.encode({"toy_rows": rows}) + b"\n" + b'{"other": 1}\n')
    return path


def install(folder: Path, name: str, entry_points: str, module: str = "") -> None:
    """Write a distribution's metadata and its module."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    (folder / f"{name}.py").write_text(module)


def run_with_toy(*arguments: str, path: str = "") -> tuple[int, Any]:
    """The exit code of a command in a process of its own that has the toy distribution, and what it says as JSON."""
    environment = os.environ | {"PYTHONPATH": path or str(TOY)}
    command = [sys.executable, "-m", "streams.cli.main", *arguments]
    result = subprocess.run(command, capture_output=True, check=False, env=environment)
    return result.returncode, msgspec.json.decode(result.stdout)


def run(*arguments: str) -> tuple[int, Any]:
    """The same in this process, which has no plug-ins."""
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, msgspec.json.decode(result.stdout)


@pytest.mark.usefixtures("toy")
def test_an_installed_distribution_brings_its_adapter() -> None:
    """It is found by its entry point, with its name and version, and its name is known without importing it."""
    plugins = discover()
    assert [adapter.name for adapter in plugins.adapters] == ["toy_crm"] == adapter_names()
    assert plugins.versions == VERSIONS
    assert plugins.detectors == ()


def test_without_plug_ins_there_are_none() -> None:
    """Nothing is added where no distribution names anything."""
    assert discover() == NO_PLUGINS
    assert adapter_names() == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_plug_ins_detector_raises_alerts_of_its_own(workers: str, tmp_path: Path) -> None:
    """Discovered, run in one process or several, and told by its own title, reason and steps; without it, no alert."""
    rows = [{"toy_user": "a", "at": f"2026-03-02T09:00:0{at}Z", "rows": 5_000} for at in range(3)]
    log, alerts = tmp_path / "toy.jsonl", tmp_path / "alerts.jsonl"
    log.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    arguments = ("replay", str(log), "--json", "--workers", workers, "--alerts", str(alerts))
    both = os.pathsep.join([str(TOY), str(TOY.parent / "toy_detector")])
    code, _ = run_with_toy(*arguments, path=both)
    findings = [read(line) for line in alerts.read_bytes().splitlines()]
    assert code == 0
    assert {finding.detectors for finding in findings} == {("toy_greed",)}
    first = findings[0]
    assert (first.title, first.extension.title.code) == ("Greed: a", "toy_greed.title")
    assert "It was greedy 1 times." in first.sentence
    assert [step.id for step in first.steps] == ["ask_greedy", "keep_logs"]
    assert first.steps[0].message.text == "Ask whether anybody needs that much."
    run_with_toy(*arguments)
    assert alerts.read_bytes() == b""


def test_a_detector_is_discovered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector comes with its distribution's version as an adapter does; what is none is refused."""
    monkeypatch.syspath_prepend(TOY.parent / "toy_detector")
    assert [detector.name for detector in discover().detectors] == ["toy_greed"]
    assert discover().versions == {"detector toy_greed": "toy-greed 2.0"}
    module = "import types\nDETECTOR = types.SimpleNamespace(name='other')\n"
    install(tmp_path, "other", "[crmwatch.detectors]\nother = other:DETECTOR\n", module)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="other:DETECTOR is not an IdentityDetector"):
        discover()


@pytest.mark.parametrize(
    ("entry_point", "module", "sentence"),
    [
        ("own = broken:ADAPTER", "raise OSError('no licence')", "broken:ADAPTER cannot be loaded: OSError: no licence"),
        ("own = broken:ADAPTER", "", "broken:ADAPTER cannot be loaded: AttributeError"),
        ("own = broken:ADAPTER", "ADAPTER = 7", "broken:ADAPTER has the name None, its entry point 'own'"),
        ("own = broken:ADAPTER", "class ADAPTER: name = 'own'", "broken:ADAPTER is not an Adapter"),
        ("Own = broken:ADAPTER", "", "'Own' is no name"),
        (
            "ocsf = broken:ADAPTER",
            "from detector.adapters.ocsf import ADAPTER",
            "its adapter cannot be named ocsf, as one of crmwatch's is",
        ),
    ],
)  # fmt: skip
def test_a_plug_in_that_cannot_be_used_is_named(
    entry_point: str, module: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says which distribution it is, of which version, and what is wrong with it; so do the commands."""
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    install(tmp_path, "broken", f"[crmwatch.adapters]\n{entry_point}\n", module)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError) as caught:
        discover()
    assert str(caught.value).startswith(f"broken 1.0: {sentence}")
    replayed = CliRunner().invoke(app, ["replay", str(tmp_path)])
    assert (replayed.exit_code, sentence in replayed.stderr.replace("\n", "")) == (2, True)
    checked = CliRunner().invoke(app, ["check", "--json"])
    found = msgspec.json.decode(checked.stdout)["findings"][1]
    assert (found["what"], found["state"], sentence in found["detail"]) == ("plug-ins", "bad", True)


def test_two_that_bring_one_name_are_both_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them would read the records must not depend on the order of folders."""
    install(tmp_path, "copy", "[crmwatch.adapters]\ntoy_crm = toy_crm:ADAPTER\n")
    monkeypatch.syspath_prepend(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        PluginError, match=r"^toy-crm 1\.0 and copy 1\.0 both bring toy_crm; uninstall one of them$"
    ):
        discover()


@pytest.mark.parametrize("workers", [1, 2])
def test_replay_reads_with_a_plug_ins_adapter(workers: int, log: Path) -> None:
    """In one process and in several: events, dead letters in its name, and its pages; without it there are none. Half
    of the records cannot be read, so there is no verdict."""
    arguments = ("replay", str(log), "--json", "--workers", str(workers))
    code, result = run_with_toy(*arguments)
    summary = result["summary"]
    assert code == 2
    assert (summary["events"], summary["identities"]) == (2, 2)
    assert summary["adapters"] == {"toy_crm": 3}
    assert summary["dead_letters"] == {"toy_crm: missing_field": 1, "no adapter: unknown_format": 1}
    code, result = run(*arguments)
    assert (code, result["summary"]["dead_letters"]) == (2, {"no adapter: unknown_format": 2})


def test_check_names_plug_ins_and_what_they_read(log: Path) -> None:
    """The distribution and its version, and the records of its format; without it no record can be read."""
    code, result = run_with_toy("check", "--json", str(log))
    [_, plugins, logs] = result["findings"]
    assert (code, plugins["state"], plugins["detail"]) == (1, "good", "adapter toy_crm of toy-crm 1.0")
    assert "; 2 toy_crm; unreadable: " in logs["detail"]
    code, result = run("check", "--json", str(log))
    assert (code, len(result["findings"])) == (2, 2)


@pytest.mark.usefixtures("toy")
def test_a_topics_format_may_be_a_plug_ins() -> None:
    """The settings take its name, and its adapter alone reads the topic; a mapping is asked before it."""
    environment: dict[str, str] = {}
    config = load(None, environment, {"sources.topics": {"toys": "toy_crm"}}, adapter_names())
    assert config.access_topics == {"crm.access": "auto", "toys": "toy_crm"}
    [toy] = discover().adapters
    assert config.adapters("toy_crm", [toy]) == (toy,)
    assert Config().adapters(plugins=[toy]) == (toy, *choose("auto"))


def test_what_a_plug_in_reads_is_another_run(log: Path) -> None:
    """A broken-off publishing is not resumed with another version of an adapter: the order may differ."""
    marks = {
        fingerprint([str(log)], (), versions)
        for versions in ({}, VERSIONS, {"adapter toy_crm": "toy-crm 1.1"})
    }
    assert len(marks) == 3


# --- saved state


def detect(store: dict[bytes, bytes], written: dict[str, str], *, accept: bool = False) -> DetectAgent:
    """A shard's detection over what is saved."""
    return DetectAgent(
        0, 1, 1, Settings(), store, TopicNames(), Metrics(CollectorRegistry()),
        keyed=True, activity=InputActivity(), merge_events=10, sources=[0], state_set=written, accept_plugins=accept,
    )  # fmt: skip


def save(agent: DetectAgent) -> None:
    """Save what has changed."""
    for changes in list(agent.changes()):
        agent.saved(changes)


def test_state_is_taken_over_by_the_same_set_only() -> None:
    """The set is saved with the state; another one is refused until it is accepted, and is then the one that counts."""
    old, new = (
        state_set(discover(), ["drip", "volume"]),
        {"adapter toy_crm": "toy-crm 1.0", "detector volume": "built in"},
    )
    store: dict[bytes, bytes] = {}
    save(detect(store, old))
    save(detect(store, old))
    with pytest.raises(
        StateSetError, match=r"detector drip \(built in\) is missing, adapter toy_crm .* is new"
    ):
        detect(store, new)
    save(detect(store, new, accept=True))
    save(detect(store, new))
    with pytest.raises(StateSetError):
        detect(store, old)


def test_state_that_names_no_set_is_taken_over() -> None:
    """It was written before sets were saved, and has the present one from then on."""
    store: dict[bytes, bytes] = {}
    save(detect(store, VERSIONS))
    del store[b"\x00plugins"]
    save(detect(store, VERSIONS))
    assert msgspec.msgpack.decode(store[b"\x00plugins"]) == VERSIONS


def test_a_refusal_names_every_difference_and_the_way_out() -> None:
    """What is missing, what has another version, what is new; then what to do."""
    with pytest.raises(StateSetError) as caught:
        check_state_set(
            {"detector a": "x 1", "detector b": "y 1"}, {"detector b": "y 2", "detector c": "built in"}
        )
    assert str(caught.value) == (
        "the saved state was written with another set of detectors and plug-ins: detector a (x 1) is missing, "
        "detector b is y 2 here and was y 1, detector c (built in) is new; "
        "install what is missing, or start once with --accept-plugins"
    )
    check_state_set({"detector a": "x 1"}, {"detector a": "x 1"})
