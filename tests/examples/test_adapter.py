from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from detector.adapters import ADAPTERS, RecordError, decode
from detector.event import ActorKind, Operation
from tests.examples.installed import EXAMPLES, installed

LOG = EXAMPLES / "adapter" / "quillbase.log"
LINES = LOG.read_bytes().splitlines()


@pytest.fixture
def quillbase(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example's module."""
    monkeypatch.syspath_prepend(EXAMPLES / "adapter")
    return importlib.import_module("crmwatch_quillbase")


def test_each_line_becomes_an_event(quillbase: ModuleType) -> None:
    """People and programs, what they did, to what, with how many rows; what was denied let nothing out."""
    events = [decode(line, f"q:{number}", (quillbase.ADAPTER,)) for number, line in enumerate(LINES, 1)]
    assert [event.operation for event in events] == [
        Operation.LOGIN, Operation.SEARCH, Operation.RECORD_VIEW, Operation.BULK_EXPORT, Operation.BULK_EXPORT
    ]  # fmt: skip
    assert [event.rows for event in events] == [None, 12, 1, 0, 1200]
    assert [event.status for event in events].count("denied") == 1
    assert {event.identity for event in events} == {"quillbase/ada@sky.example", "quillbase/api:newsletter"}
    assert events[-1].actor_kind is ActorKind.INTEGRATION
    assert events[1].objects == ("contact",)
    assert len({event.event_id for event in events}) == len(events)
    assert [event.origin.position for event in events] == [f"q:{number}" for number in range(1, 6)]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (b"id=81c2 ", "missing_field"),
        (b"user=ada@sky.example ", "missing_field"),
        (b"act=find ", "missing_field"),
        (b"2026-03-02T09:14:31Z ", "malformed"),
    ],
)
def test_a_line_without_what_an_event_needs_is_refused(
    damage: bytes, reason: str, quillbase: ModuleType
) -> None:
    """The reason says what is wrong, and nothing but `RecordError` comes out."""
    with pytest.raises(RecordError) as error:
        decode(LINES[1].replace(damage, b""), "q:1", (quillbase.ADAPTER,))
    assert (error.value.adapter, error.value.reason) == ("quillbase", reason)


@pytest.mark.parametrize("rows", [b"-1", b"1e3", b"99999999999999", "١٢".encode(), b"\xff"])
def test_a_number_that_is_none_is_refused(rows: bytes, quillbase: ModuleType) -> None:
    """Neither a sign nor an exponent nor other alphabets' digits count, nor bytes that are no text."""
    with pytest.raises(RecordError):
        decode(LINES[1].replace(b"rows=12", b"rows=" + rows), "q:1", (quillbase.ADAPTER,))


def test_it_takes_no_other_vendors_records(quillbase: ModuleType) -> None:
    """It recognises its own lines and none of the samples of those built in; none of those recognises its lines."""
    samples = EXAMPLES.parent / "tests" / "samples"
    others = [path.read_bytes() for path in samples.rglob("*") if path.is_file()]
    assert len(others) > 20
    assert all(map(quillbase.ADAPTER.recognises, LINES))
    assert not any(quillbase.ADAPTER.recognises(line) for text in others for line in text.splitlines())
    assert not any(adapter.recognises(line) for adapter in ADAPTERS.values() for line in LINES)


@pytest.mark.slow
def test_an_installed_adapter_reads_a_replays_records(tmp_path: Path) -> None:
    """`crmwatch replay` finds the package by its entry point and reads the log with it."""
    command = [sys.executable, "-m", "streams.cli.main", "replay", str(LOG), "--json"]
    ran = subprocess.run(
        command, env=installed(tmp_path, "adapter"), cwd=EXAMPLES.parent, capture_output=True, text=True, timeout=120
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout)["summary"]
    assert summary["adapters"] == {"quillbase": len(LINES)}
    assert summary["dead_letters"] == {}
    assert summary["identities"] == 2
