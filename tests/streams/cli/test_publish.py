from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detector.adapters.generic import Mapping
from streams.cli import publish as command
from streams.cli.main import app
from streams.files.reader import ReadError
from streams.publisher import pace as pacing
from streams.publisher.publisher import Published, PublishError


def invoke(*arguments: object, **environment: str) -> Result:
    """The command, on a wide terminal."""
    runner = CliRunner(env={"COLUMNS": "200", **environment})
    return runner.invoke(app, ["publish", *map(str, arguments)])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What the command would have published, and to where; nothing is sent."""
    found: list[tuple[object, ...]] = []

    def publish_files(
        bootstrap: str, topic: str, paths: list[str], speed: float | None, show: object, **more: object
    ) -> Published:
        found.append((bootstrap, topic, paths, speed, more["resume"], more["mappings"]))
        return Published(records=1200, keyed=1197, size_bytes=2_500_000)

    monkeypatch.setattr(command, "publish_files", publish_files)
    return found


def test_it_says_what_was_published_and_what_will_be_dead_letters(calls: list[tuple[object, ...]]) -> None:
    """Records, size, topic, and how many of them have no identity."""
    result = invoke("a.csv", "b.csv")
    assert result.exit_code == 0
    sentence = (
        "1,200 records (2.5 MB) published to crm.access; 3 cannot be read and will become dead letters\n"
    )
    assert result.stdout == sentence
    assert calls == [("127.0.0.1:9092", "crm.access", ["a.csv", "b.csv"], None, False, ())]


@pytest.mark.parametrize(
    ("published", "code", "said"),
    [
        (
            Published(records=5, keyed=5, size_bytes=100, already=1200),
            0,
            ["5 records (0.0 MB) published to crm.access; 1,200 were already there\n"],
        ),
        (
            Published(
                records=5, keyed=4, size_bytes=100, time_ms=1_772_409_600_000, run="ab", interrupted=True
            ),
            130,
            [
                "1 cannot be read",
                "Interrupted at 2026-03-02 00:00:00 UTC of event time.",
                "with --resume continues",
            ],
        ),
        (
            Published(records=5, keyed=5, size_bytes=100, interrupted=True),
            130,
            ["5 records (0.0 MB)", "Interrupted at - of event time. Standard input cannot be resumed.\n"],
        ),
    ],
)
def test_it_says_what_was_there_and_how_to_go_on(
    published: Published, code: int, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of the run that is resumed, and, after an interruption, where it was and what to do."""
    monkeypatch.setattr(command, "publish_files", lambda *_, **__: published)
    result = invoke("a", "--resume")
    assert result.exit_code == code
    for sentence in said:
        assert sentence in result.stdout + result.stderr


def test_an_interruption_while_reading_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 130, no traceback, and nothing is claimed to have been published."""

    def publish_files(*_: object, **__: object) -> Published:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "publish_files", publish_files)
    result = invoke("a")
    told = "Interrupted. The same command with --resume continues from what is in Kafka.\n"
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", told)


def test_what_progress_shows_is_all_that_is_known() -> None:
    """Records, size, rate, event time, and with a speed how far behind it is."""
    rate = command._Rate()
    told = command._progress(Published(records=1200, size_bytes=2_500_000, time_ms=1_772_409_600_000), rate)
    assert re.fullmatch(
        r"1,200 records · 2\.5 MB · [\d,]+ a second · event time 2026-03-02 00:00:00 UTC", told
    ), told
    told = command._progress(Published(records=1200, behind_seconds=2.54), rate)
    assert told.endswith("event time - · 2.5 s behind the requested speed")


def test_settings_hold_the_operators_own_mappings(calls: list[tuple[object, ...]], tmp_path: Path) -> None:
    """Each ``[[sources.mappings]]`` is handed on, and so is the wish to resume."""
    file = tmp_path / "crmwatch.toml"
    file.write_text('[[sources.mappings]]\nname = "own"\nmarked_by = ["a"]\ntime = "t"\nactor = "u"\n')
    assert invoke("a", "--settings", file, "--resume").exit_code == 0
    mapping = Mapping(name="own", marked_by=("a",), time="t", actor="u")
    assert calls[0][4:] == (True, (mapping,))


def test_settings_say_where_to(calls: list[tuple[object, ...]], tmp_path: Path) -> None:
    """The file, the environment, and before both the option."""
    file = tmp_path / "crmwatch.toml"
    file.write_text('[worker]\nbootstrap = "file:1"\n[topics]\naccess = "crm.other"\n')
    invoke("a", "--settings", file)
    invoke("a", "--settings", file, CRMWATCH_WORKER_BOOTSTRAP="env:1")
    invoke("a", "--settings", file, "--bootstrap", "flag:1", CRMWATCH_WORKER_BOOTSTRAP="env:1")
    assert [call[:2] for call in calls] == [
        ("file:1", "crm.other"), ("env:1", "crm.other"), ("flag:1", "crm.other"),
    ]  # fmt: skip


@pytest.mark.parametrize(("speed", "factor"), [("max", None), ("60x", 60.0), ("1", 1.0), ("0.5x", 0.5)])
def test_speed_is_a_multiple_of_real_time(
    speed: str, factor: float | None, calls: list[tuple[object, ...]]
) -> None:
    """Or as fast as it goes."""
    assert invoke("a", "--speed", speed).exit_code == 0
    assert calls[0][3] == factor


@pytest.mark.parametrize("speed", ["fast", "0x", "-1", "inf", "nan", "x", ""])
def test_a_speed_that_is_none_is_refused(speed: str, calls: list[tuple[object, ...]]) -> None:
    """With what may stand there, and without publishing anything."""
    result = invoke("a", "--speed", speed)
    assert result.exit_code == 2
    assert result.stderr == f"--speed is max or a multiple of real time such as 60x, not {speed}\n"
    assert calls == []


@pytest.mark.parametrize("error", [PublishError("no Kafka answers"), ReadError("x: no such file or folder")])
def test_a_failure_is_said_in_a_sentence(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2 with what went wrong, and no traceback."""

    def publish_files(*_: object, **__: object) -> Published:
        raise error

    monkeypatch.setattr(command, "publish_files", publish_files)
    result = invoke("a")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{error}\n")


@pytest.mark.slow
def test_where_no_kafka_answers_it_says_so(tmp_path: Path) -> None:
    """A wrong address costs some seconds, and gives a sentence and no traceback."""
    (tmp_path / "a.jsonl").write_text("{}\n")
    with socket.socket() as probe:  # bound, but nobody listens
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        arguments = ["publish", str(tmp_path / "a.jsonl"), "--bootstrap", address]
        command = [sys.executable, "-m", "streams.cli.main", *arguments]
        found = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert found.returncode == 2
    assert found.stdout == ""
    assert found.stderr == f"nothing answers at {address}: is Kafka running there?\n"


def test_event_time_goes_at_a_multiple_of_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour at 60x takes a minute, from the first event on; being late, nothing waits."""
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr(pacing.time, "monotonic", lambda: now)
    monkeypatch.setattr(pacing.time, "sleep", sleep)
    pace = pacing.PublishPace(60.0)
    pace.wait(5_000_000)
    pace.wait(5_000_000 + 1_800_000)
    now += 25
    pace.wait(5_000_000 + 3_600_000)
    now += 10
    pace.wait(5_000_000 + 3_600_000)
    assert (slept, pace.behind_seconds) == ([30.0, 5.0], 10.0)
    unhurried = pacing.PublishPace(None)
    unhurried.wait(10**15)
    assert (slept, unhurried.behind_seconds) == ([30.0, 5.0], None)
