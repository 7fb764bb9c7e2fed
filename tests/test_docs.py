"""What the reference pages name exists, and what exists is on them.

Run with ``CRMWATCH_ACCEPT_SAMPLES=1`` to write the example in ``docs/alerts.md`` anew, and read the difference.
"""

from __future__ import annotations

import functools
import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer

from detector.adapters import Rejection, decode
from detector.decision import PAYLOADS, Decision, DecisionSubject, Disposition, Kind, Outcome, encode
from detector.decision import decode as decode_decision
from detector.engine import Engine
from detector.response.notification_facts import AwarenessFact, Facts
from detector.response.notification_words import TEMPLATES
from detector.response.severity import SeverityInputs
from detector.settings import (
    Announced,
    DetectionSettings,
    Indicator,
    Settings,
    SeverityTable,
    TriageSettings,
)
from detector.simulation import Theft, World, records
from detector.simulation.directory import world_directory
from streams.cli.main import COMMANDS, app, load_command
from streams.config import Config, load
from streams.console.metrics import METRICS as CONSOLE
from streams.kafka.signing import Signatures
from streams.worker.metric_definitions import METRICS as WORKER

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SECTIONS: dict[str, Any] = {field.name: field.type for field in msgspec.structs.fields(Config)}
METRICS = (*WORKER, *CONSOLE)
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
HOUR_MS = 3_600_000


def page(name: str) -> str:
    """A page's text."""
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """A page's sections by heading, without code marks."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {title.strip("`"): body for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def rows(text: str) -> list[list[str]]:
    """The cells of a text's tables, without their heads."""
    lines = re.findall(r"^\|(.+)\|$", text, flags=re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    heads = [index - 1 for index, row in enumerate(cells) if set(row[0]) == {"-"}]
    return [row for index, row in enumerate(cells) if index not in heads and index - 1 not in heads]


def names(cell: str) -> list[str]:
    """What a cell names as code."""
    return re.findall(r"`([^`]+)`", cell)


@functools.cache
def commands() -> dict[str, Any]:
    """Every command as the terminal knows it, the program itself included."""
    group: Any = typer.main.get_command(app)
    return {"crmwatch": group} | {f"crmwatch {name}": load_command(name) for name in COMMANDS}


# --- settings


def test_every_setting_is_described_with_its_default() -> None:
    """Each section and key, and none that does not exist; a default that has changed is seen."""
    found = {}
    for title, body in sections(page("settings.md")).items():
        section = title.strip("[]")
        for row in rows(body):
            [name] = names(row[0])
            default = tomllib.loads(f"x = {names(row[1])[0]}")["x"] if names(row[1]) else None
            found[f"{section}.{name}"] = default
            assert all(row[index] for index in (1, 3)), row
    assert found == {name: _plain(field) for name, field in _settings()}
    assert [title.strip("[]") for title in sections(page("settings.md"))] == [
        "worker", "kafka", "signing", "detection", "triage", "sources", "topics", "retention", "console", "directory",
    ]  # fmt: skip


def _settings() -> Iterator[tuple[str, Any]]:
    """Every setting by its name, those of each entry of a table with a ``*`` for the entry."""
    for section, settings in SECTIONS.items():
        for field in msgspec.structs.fields(settings):
            if field.type is SeverityTable:
                for inner in msgspec.structs.fields(SeverityTable):
                    yield f"{section}.{field.name}.{inner.name}", inner
                continue
            yield f"{section}.{field.name}", field
            for kind in get_args(field.type):
                if kind in (Announced, Indicator, Decision):
                    for inner in msgspec.structs.fields(kind):
                        yield f"{section}.{field.name}.*.{inner.name}", inner


def _plain(field: Any) -> Any:
    """A setting's default as TOML writes it, ``None`` for one that has none."""
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if default is msgspec.NODEFAULT:
        return None
    return msgspec.json.decode(msgspec.json.encode(default)) if isinstance(default, tuple) else default


def test_the_examples_of_settings_are_settings(tmp_path: Path) -> None:
    """Each piece of TOML on the page is read without an error, and is not what nobody has set."""
    pieces = re.findall(r"```toml\n(.*?)```", page("settings.md"), flags=re.DOTALL)
    assert len(pieces) >= 4
    for piece in pieces:
        path = tmp_path / "crmwatch.toml"
        path.write_text(piece, encoding="utf-8")
        assert load(path, {}) != Config()


# --- metrics


def test_every_metric_is_described_with_its_type_and_labels() -> None:
    """And none that does not exist."""
    table = rows(page("metrics.md").split("## Reasons")[0])
    found = [(names(row[0]), row[1], tuple(names(row[2]))) for row in table]
    assert found == [([f"crmwatch_{metric.name}"], metric.type, metric.labels) for metric in METRICS]
    assert all(row[3] for row in table)


def test_every_reason_of_a_dead_letter_is_described() -> None:
    """What stands in the label ``reason`` can be looked up, in the order of `Rejection`."""
    assert [names(row[0]) for row in rows(sections(page("metrics.md"))["Reasons"])] == [
        [reason.value] for reason in Rejection
    ]


# --- commands


def test_every_command_and_option_is_described() -> None:
    """Each with all its arguments and options, and none that does not exist; defaults are the real ones."""
    found = sections(page("commands.md"))
    assert set(found) == set(commands())
    for title, command in commands().items():
        described = {tuple(names(row[0])): row[1] for row in rows(found[title])}
        expected = {}
        for parameter in command.params:
            if parameter.param_type_name == "argument":
                expected[(str(parameter.name).upper(),)] = "required" if parameter.required else "none"
            elif parameter.name != "help":
                expected[(*parameter.opts, *parameter.secondary_opts)] = _default(parameter)
        assert described == expected
        assert all(row[2] for row in rows(found[title]))


def test_every_fact_of_a_notification_is_described() -> None:
    """Each part and key of the facts; and each answer that the table of the law names is one."""
    found = sections(page("notification.md"))
    described = {names(row[0])[0]: set(names(row[1])) for row in rows(found["The facts"])}
    assert {*described} - {"risk.enisa"} == set(Facts.__struct_fields__)
    for name in Facts.__struct_fields__:
        kind = AwarenessFact if name == "awareness" else type(getattr(Facts(), name))
        if name != "unknown":
            assert described[name] == set(kind.__struct_fields__), name
    assert described["risk.enisa"] == set(SeverityInputs.__struct_fields__)
    asked = {name for row in rows(found["What the law asks, and where it is met"]) for name in names(row[1])}
    assert asked <= {code.partition(".")[2] for code in TEMPLATES if code.startswith("ask.")}


def _default(parameter: Any) -> str:
    """As the page shows it; what the settings hold has its default there."""
    settings = {field.name: field.default for field in msgspec.structs.fields(SECTIONS["worker"])}
    value = parameter.default
    if value is None and parameter.name in settings:
        value = settings[parameter.name]
        if value is False:
            return "unkeyed" if parameter.secondary_opts else "off"
    if parameter.name == "show_version":
        return ""
    if value is None:
        return "none"
    return "off" if value is False else f"`{value}`"


# --- decisions


def test_every_kind_of_decision_is_described() -> None:
    """With the fields of its payload and each outcome; the example is one, in the canonical encoding."""
    text = page("decisions.md")
    described = {names(row[0])[0]: set(names(row[2])) for row in rows(text) if len(row) == 4}
    outcomes = {outcome.value for outcome in Outcome}
    expected = {
        kind.value: set(payload.__struct_fields__) | (outcomes if payload is Disposition else set())
        for kind, payload in PAYLOADS.items()
    }
    assert described == expected
    [example] = re.findall(r"```json\n(.*?)\n```", text)
    assert encode(decode_decision(example.encode())).decode() == example
    fields = [name for row in rows(text) if len(row) == 2 for name in names(row[0])]
    assert sorted(fields) == sorted(Decision.__struct_fields__)


def test_the_documented_script_signs_as_the_console_does() -> None:
    """What a reader copies makes the same header, for values and for messages that withdraw."""
    [script] = re.findall(r"```python\n(.*?)```", page("decisions.md"), flags=re.DOTALL)
    space: dict[str, Any] = {}
    exec(script, space)  # noqa: S102 - our own page
    for value in (b'{"name":"x"}', b"", None):
        ours = Signatures([b"k" * 32]).headers("crmwatch.feedback", b"crmwatch-1", value)
        assert space["headers"](b"k" * 32, "crmwatch.feedback", b"crmwatch-1", value) == ours


# --- alerts


@functools.cache
def theft() -> dict[str, Any]:
    """The first grave alert on a stolen integration token, in the second week of a simulated company."""
    world = World(seed=1, start_ms=START_MS, hours=24 * 9, people=20, integrations=3)
    engine = Engine(Settings())
    for _, record in records(world, Theft(start_ms=START_MS + (7 * 24 + 3) * HOUR_MS)):
        for alert in engine.observe(decode(record, "day.jsonl")):
            body: dict[str, Any] = json.loads(alert.body)
            about = body["unmapped"]["crmwatch"]["identity"]
            if about.endswith("/0054R9000000000QAA") and body["severity_id"] >= 4:
                return body
    raise AssertionError("the theft was not seen")


def paths(value: Any, path: str = "") -> Iterator[str]:
    """Where a JSON value's parts lie: `a.b`, and `a[].b` within lists."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from paths(item, f"{path}[]")


@pytest.mark.slow
def test_the_example_is_a_real_alert() -> None:
    """The engine says exactly this of the world that the page speaks of."""
    text = page("alerts.md")
    [example] = re.findall(r"```json\n(.*?)\n```", text, flags=re.DOTALL)
    if os.environ.get("CRMWATCH_ACCEPT_SAMPLES"):
        real = json.dumps(theft(), indent=2, ensure_ascii=False)
        (DOCS / "alerts.md").write_text(text.replace(example, real), encoding="utf-8")
        pytest.skip("the example has been written anew")
    assert json.loads(example) == theft(), "run with CRMWATCH_ACCEPT_SAMPLES=1"


@pytest.mark.slow
def test_every_field_of_an_alert_is_described() -> None:
    """Whatever alerts hold stands in the table, itself or as a part of what does; nothing else does."""
    world = World(seed=4, start_ms=START_MS, hours=24 * 5, people=6, integrations=2)
    talkative = Settings(
        detection=DetectionSettings(bound_deviations=0.3),
        triage=TriageSettings(alert_risk=0, least_risk=0, support_surprise=0.2),
        directory=world_directory(world),
    )
    events = [decode(record, "x") for _, record in records(world, Theft(start_ms=START_MS + 75 * HOUR_MS))]
    real = set(paths(theft()))
    kinds = set()
    decisions: tuple[Decision, ...] = ()
    for _ in range(2):  # the second time with a decision about the first incident
        triage = msgspec.structs.replace(talkative.triage, decisions=decisions)
        engine = Engine(msgspec.structs.replace(talkative, triage=triage))
        for alert in (alert for event in events for alert in engine.observe(event)):
            body = json.loads(alert.body)
            kinds.add((body["activity_id"], body["unmapped"]["crmwatch"]["actor_kind"]))
            real |= set(paths(body))
            subject = DecisionSubject(incident=alert.uid)
            decisions = decisions or (Decision(kind=Kind.BREACH, time_ms=alert.time_ms, subject=subject),)
    assert len(kinds) > 4
    described = [
        name for row in rows(sections(page("alerts.md"))["Field by field"]) for name in names(row[0])
    ]
    assert len(described) == len(set(described))
    assert set(described) <= real
    inside = tuple(f"{name}{mark}" for name in described for mark in (".", "["))
    above = {name[: dot.start()] for name in described for dot in re.finditer(r"\.|\[", name)}
    missing = {path for path in real if path not in described and not path.startswith(inside)}
    assert missing - above == {"evidences[]"} - above


# --- all pages


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_pages_name_nothing_that_does_not_exist(path: Path) -> None:
    """Metrics, variables, settings, commands and options in any page, and the files it links to."""
    text = path.read_text(encoding="utf-8")
    metrics = {f"crmwatch_{metric.name}" for metric in METRICS}
    assert set(re.findall(r"\bcrmwatch_[a-z_]+", text)) <= metrics
    keys = {
        f"{section}.{field.name}"
        for section, settings in SECTIONS.items()
        for field in msgspec.structs.fields(settings)
    }
    variables = {f"CRMWATCH_{key.replace('.', '_').upper()}" for key in keys}
    assert set(re.findall(r"\bCRMWATCH_[A-Z_]+[A-Z]", text)) <= variables
    named = re.findall(rf"`((?:{'|'.join(SECTIONS)})\.[a-z_]+)", text)
    assert set(named) <= keys
    assert set(re.findall(r"`(crmwatch [a-z]+)", text)) <= set(commands())
    options = {
        option
        for command in commands().values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= options
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (path.parent / link).exists(), link


def test_the_readme_links_to_every_page() -> None:
    """Whoever looks for something begins there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in DOCS.glob("*.md"):
        assert f"(docs/{path.name})" in text
