from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detector.event import AccessEvent
from detector.settings import Settings, TriageSettings
from detector.simulation.world import Theft, World, records
from streams.cli.main import app
from streams.replay.coverage import Coverage
from streams.report import DeadLetters, write
from streams.report.report import settings_used, timelines_of
from tests.detector.make import START_MS
from tests.streams.report.make import THEFT_MS, alert, everyday, incidents, report, stolen

HOUR_MS = 3_600_000


@functools.cache
def world() -> bytes:
    """Nine days of a small company; its integration's token is stolen in the eighth night."""
    small = World(seed=1, start_ms=START_MS, hours=24 * 9, people=12, integrations=3)
    theft = Theft(start_ms=START_MS + 171 * HOUR_MS)
    return b"\n".join(record for _, record in records(small, theft)) + b"\nnot a record\n"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with the world's log, whose last line cannot be read."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "day.jsonl").write_bytes(world())
    return folder


def replay(*arguments: object) -> Result:
    """The command in this process."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["replay", *map(str, arguments)])


def words(page: Path) -> str:
    """A page's text in one line."""
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(text.split())


@pytest.mark.slow
def test_a_replay_writes_its_report(logs: Path) -> None:
    """Verdict, stages, origins, evidence with file and line, and what was not read, on one page of its own."""
    page = logs / "report.html"
    for _ in range(2):  # the second time it lies in the folder that is read
        result = replay(logs, "--report", page, "--json")
        assert (result.exit_code, result.stderr) == (0, "")
        text = words(page)
        assert "the integration 0054R9000000000QAA took out " in text
        assert "First sign 2026-03-09 03:00" in text
        assert "192.0.2.77 192.0.2.0/24 new network 60,000 10 2026-03-09 03:03:" in text
        assert f"salesforce_elf {logs / 'day.jsonl'}:" in text
        assert "1 record could not be read" in text
        assert f"no adapter unknown_format 1 {logs / 'day.jsonl'}:{len(world().splitlines())}" in text
        assert "triage.alert_risk" in text


@pytest.mark.slow
def test_a_report_changes_nothing_else(logs: Path, tmp_path: Path) -> None:
    """With it and without, the alerts and the summary are the same."""
    outputs = []
    for number, more in enumerate(((), ("--report", tmp_path / "report.html"))):
        alerts = tmp_path / f"{number}.jsonl"
        result = replay(logs, "--alerts", alerts, "--json", *more)
        outputs.append((result.exit_code, result.stdout, alerts.read_bytes()))
    assert outputs[0] == outputs[1]


@pytest.mark.slow
def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    """Standard input and a named pipe cannot be read again: the page goes by the alerts, and says so."""
    pipe, page = tmp_path / "pipe", tmp_path / "report.html"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "streams.cli.main", "replay", "--json", "--report", str(page)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CRMWATCH_")}
    with subprocess.Popen([*command, str(pipe)], env=environment, stdout=subprocess.PIPE) as started:
        pipe.write_bytes(world())
        started.communicate(timeout=120)
    assert started.returncode == 0
    piped = words(page)
    ran = subprocess.run(
        [*command, "-"], input=world(), env=environment, stdout=subprocess.PIPE, timeout=120, check=True
    )
    assert ran.returncode == 0
    for text in (piped, words(page)):
        assert "the integration 0054R9000000000QAA took out " in text
        assert "The logs could not be read a second time" in text
    assert "from: standard input" in words(page)


@pytest.mark.parametrize("where", ["missing/report.html", "."])
def test_a_report_that_cannot_be_written_is_said_in_a_sentence(where: str, logs: Path) -> None:
    """Exit 2 before anything is read."""
    result = replay(logs, "--report", logs / where)
    assert result.exit_code == 2
    assert "cannot be written: " in result.stderr
    assert result.stdout == ""


def test_a_log_is_not_written_over_by_a_report(logs: Path) -> None:
    """A report that would replace what is to be read is refused."""
    result = replay(logs / "day.jsonl", "--report", logs / "day.jsonl")
    assert result.exit_code == 2
    assert "is an input, so it cannot be written" in result.stderr
    assert (logs / "day.jsonl").read_bytes() == world()


def test_events_are_read_again_only_for_incidents_and_no_further(tmp_path: Path) -> None:
    """Without an incident not at all; with one, until nothing after could matter to it."""
    given: list[AccessEvent] = []

    def events() -> Iterator[AccessEvent]:
        for made in [*everyday(), *stolen(), *everyday(20)[-24:]]:
            given.append(made)
            yield made

    timelines_of([], events())
    assert given == []
    [told] = timelines_of(incidents().ranked(), events())
    assert told.account is not None
    assert told.account.rows == 6020
    assert given[-1].time_ms > THEFT_MS + 36 * HOUR_MS >= given[-2].time_ms


def test_a_page_is_written_as_it_is(tmp_path: Path) -> None:
    """In UTF-8, whatever the texts in it, and the same for the same input but for when it was made."""
    strange = "\ud800\u202e客戶"
    pages = []
    for made_ms in (THEFT_MS, THEFT_MS, THEFT_MS + HOUR_MS):
        coverage = Coverage()
        for made in stolen():
            coverage.observe(made)
        path = tmp_path / "report.html"
        write(
            path,
            paths=[strange],
            incidents=incidents(),
            events=everyday() + stolen(),
            summary=report(stolen()).summary,
            coverage=coverage,
            letters=DeadLetters(),
            settings=Settings(),
            made_ms=made_ms,
        )
        pages.append(path.read_bytes().decode("utf-8"))
    assert pages[0] == pages[1] != pages[2]
    assert "⟨U+D800⟩⟨U+202E⟩客戶" in pages[0]


def test_every_setting_is_there_and_changed_ones_are_known() -> None:
    """With its section and value, as it would be written."""
    found = {
        f"{one.section}.{one.name}": one
        for one in settings_used(Settings(triage=TriageSettings(alert_risk=9)))
    }
    assert found["triage.alert_risk"].value == "9"
    assert [name for name, one in found.items() if not one.default] == ["triage.alert_risk"]
    assert set(found) >= {"detection.growth", "triage.quiet_seconds"}


def test_incidents_that_are_only_listed_have_no_account() -> None:
    """The worst are told in full; of the others the logs are not asked."""
    many = incidents(*(alert(uid=f"i-{n}", risk_score=99 - n) for n in range(30)))
    told = timelines_of(many.ranked(), everyday() + stolen())
    assert [one.account is not None for one in told] == [True] * 25 + [False] * 5
