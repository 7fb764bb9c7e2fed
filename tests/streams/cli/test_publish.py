from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streams import publish as publishing
from streams.cli import publish as command
from streams.cli.main import app
from streams.publish import Published, PublishError
from streams.reader import ReadError


def invoke(*arguments: object, **environment: str) -> Result:
    """The command, on a wide terminal."""
    runner = CliRunner(env={"COLUMNS": "200", **environment})
    return runner.invoke(app, ["publish", *map(str, arguments)])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What the command would have published, and to where; nothing is sent."""
    found: list[tuple[object, ...]] = []

    def publish_files(
        bootstrap: str, topic: str, paths: list[str], speed: float | None, show: object
    ) -> Published:
        found.append((bootstrap, topic, paths, speed))
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
    assert calls == [("127.0.0.1:9092", "crm.access", ["a.csv", "b.csv"], None)]


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

    def publish_files(*_: object) -> Published:
        raise error

    monkeypatch.setattr(command, "publish_files", publish_files)
    result = invoke("a")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{error}\n")


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
    assert re.match(
        rf"no Kafka answers at {address}: .+\n$|publishing to crm.access at {address} failed: .+\n$",
        found.stderr,
    )


def test_event_time_goes_at_a_multiple_of_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour at 60x takes a minute, from the first event on; being late, nothing waits."""
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr(publishing.time, "monotonic", lambda: now)
    monkeypatch.setattr(publishing.time, "sleep", sleep)
    pace = publishing._Pace(60.0)
    pace.wait(5_000_000)
    pace.wait(5_000_000 + 1_800_000)
    now += 25
    pace.wait(5_000_000 + 3_600_000)
    now += 10
    pace.wait(5_000_000 + 3_600_000)
    assert slept == [30.0, 5.0]
    publishing._Pace(None).wait(10**15)
    assert slept == [30.0, 5.0]
