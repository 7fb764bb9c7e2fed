"""The README's first command."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from detector.alert.ocsf import Activity
from detector.triage.risk import Severity
from streams.cli.child_process import Child
from streams.cli.demo import CONSOLE_PORTS, _start_console
from streams.cli.demo_ticker import Ticker

WIDTH = 200


class Running:
    """The demo, what it has said so far, and a mark by which its processes are known."""

    def __init__(self, *arguments: str) -> None:
        self.mark = f"demo-{os.getpid()}-{time.monotonic_ns()}"
        command = [sys.executable, "-m", "streams.cli.main", "demo", *arguments]
        environment = os.environ | {"COLUMNS": str(WIDTH), "DEMO_MARKER": self.mark, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # As a terminal's Ctrl-C would reach it, even where whoever runs the tests ignores it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self._lines.extend(iter(output.readline, ""))

    @property
    def said(self) -> str:
        """All that has been printed, panels and lines alike, as running text."""
        return " ".join(line.strip("│╭╮╰╯─ \n") for line in list(self._lines))

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        """Wait until it has said something."""
        end = time.monotonic() + seconds
        while (found := re.search(pattern, self.said)) is None:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.2)
        return found

    def end(self, seconds: float = 60) -> int:
        """Wait for it to end by itself; its exit code."""
        code = self.process.wait(seconds)
        self._reader.join(10)
        return code


@contextmanager
def demo(*arguments: str) -> Iterator[Running]:
    """The demo, which is killed with all that it started if a test fails."""
    running = Running(*arguments)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.end()


@pytest.mark.timeout(400)
def test_the_demo_shows_the_theft_and_ctrl_c_leaves_nothing_behind() -> None:
    """Two workers are scraped; the theft's alert comes with reason and next step; the console's board says to act, and
    names the thief; SIGINT ends all of it."""
    with demo() as running:
        addresses = re.findall(r"Worker \d +(http://127\.0\.0\.1:\d+)/metrics", running.wait_for(
            r"Worker 2 +http://\S+/metrics, log \S+", 150).string)  # fmt: skip
        assert len(set(addresses)) == 2
        console = running.wait_for(r"Console +(http://127\.0\.0\.1:\d+/) +open it in a browser", 60)[1]
        assert "<title>" in fetched(console)
        running.wait_for(r"History +[\d,]+ records of three weeks, 27 identities", 120)
        running.wait_for(r"Theft +begins now, at \d{4}-", 120)
        alert = running.wait_for(
            r"(HIGH|CRITICAL) +risk \d+ · \w+ · [-\d]+ [:\d]+ UTC .{1,60}?integration "
            r"“Skyward Sync 2” \(0054R9000000001QAA\) took out "
            r"[\d,]+ rows [^╭]*?by bulk export[^╭]*? from 192\.0\.2\.77",
            90,
        )
        assert "revoke its tokens now" in running.said
        assert "New for it after" in running.said
        assert running.said.index("Theft ") < alert.start()
        for address in addresses:
            assert "crmwatch_build_info" in fetched(f"{address}/metrics")
        until(lambda: 'class="state act"' in fetched(console), 60)
        assert "Skyward Sync 2" in fetched(console)
        # Kafka, two workers, the console and the demo itself; the tests of others are not marked.
        assert len(_processes(running.mark)) >= 5
        folder = Path(re.findall(r"log (\S+)/worker-1\.log", running.said)[0])
        assert folder.is_dir()
        os.kill(running.process.pid, signal.SIGINT)
        assert running.end() == 0, running.said
        assert running.said.endswith("Everything is stopped.")
        assert "Traceback" not in running.said
        assert len(running.said.split(" risk ")) <= 30
        assert _processes(running.mark) == []
        with pytest.raises(OSError, match="refused"):
            fetched(console)
        assert not folder.exists()


@pytest.mark.timeout(300)
def test_the_demo_ends_by_itself_when_told_to() -> None:
    """After so many seconds of live traffic, with exit code 0 and no process left."""
    with demo("--seconds", "3") as running:
        running.wait_for("live traffic at 60 times real time", 200)
        assert running.end() == 0, running.said
        assert "Theft" not in running.said
        assert _processes(running.mark) == []


def test_the_console_goes_elsewhere_if_its_port_is_taken(tmp_path: Path) -> None:
    """On any free port, which is said, and where it answers."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # it may have been in use a moment ago
        with contextlib.suppress(OSError):  # somebody else has it already
            other.bind(("127.0.0.1", CONSOLE_PORTS[0]))
            other.listen()
        children: dict[str, Child] = {}
        try:
            where = _start_console("127.0.0.1:1", tmp_path, children)
            address, _, told = where.partition("  ")
            assert f":{CONSOLE_PORTS[0]}/" not in address
            assert told == "open it in a browser"
            until(lambda: "<title>" in fetched(address), 20)
        finally:
            assert [child.stop() for child in children.values()] == [0]


def test_the_demo_goes_on_without_a_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the console does not start, as without its extra, it says so itself, and nothing of it runs."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'uvicorn' else found(name, *rest)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    children: dict[str, Child] = {}
    said = _start_console("127.0.0.1:1", tmp_path, children)
    assert said == "none: the console needs its extra: pip install 'crmwatch[console]'"
    assert children == {}


def test_only_what_changed_is_shown_at_length() -> None:
    """A panel for what is new or has another severity or technique; a line for the rest; of history what is new."""
    console = Console(width=100, color_system=None)
    ticker = Ticker(console, live_ms=1000)

    def shown(uid: str, time_ms: int, severity: Severity, activity: Activity, *techniques: str) -> str:
        told = {"uid": uid, "desc": "It took 9 rows. It is unusual. Next: ask.", "attacks": [
            {"technique": {"uid": name}} for name in techniques]}  # fmt: skip
        finding = {"severity_id": severity, "activity_id": activity, "time": time_ms, "risk_score": 7}
        with console.capture() as capture:
            ticker.show(msgspec.json.encode(finding | {"finding_info": told}))
        return capture.get()

    def is_panel(text: str) -> bool:
        return text.startswith("╭") and text.count("\n") == 3

    create, update, close = Activity.CREATE, Activity.UPDATE, Activity.CLOSE
    assert shown("a", 1, Severity.LOW, create).count("\n") == 1
    assert shown("a", 2, Severity.HIGH, update) == shown("a", 3, Severity.HIGH, close) == ""
    assert is_panel(new := shown("b", 1000, Severity.LOW, create, "T1"))
    assert "It took 9 rows. It is unusual. Next: ask." in new
    assert shown("b", 1001, Severity.LOW, update, "T1").startswith(" LOW           risk   7 · grows  · ")
    for changed in (
        shown("b", 1002, Severity.HIGH, update, "T1"),
        shown("b", 1003, Severity.HIGH, update, "T1", "T2"),
    ):
        assert is_panel(changed)
        assert "It took 9 rows." in changed
        assert "unusual" not in changed
    assert shown("b", 1004, Severity.LOW, close, "T1").startswith(" LOW           risk   7 · closed · ")
    assert shown("c", 1005, Severity.INFORMATIONAL, create).startswith(" INFORMATIONAL risk   7 · new    · ")


def fetched(address: str) -> str:
    """What a page of ours says."""
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own
        return str(answer.read().decode())


def until(what: Callable[[], bool], seconds: float) -> None:
    """Wait for something to be true; before that it may not even be there."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if what():
                return
        assert time.monotonic() < end
        time.sleep(0.2)


def _processes(mark: str) -> list[str]:
    """Processes, other than this one, that have the mark in their environment."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in Path(entry.path, "environ").read_bytes():
                    found.append(entry.name)
            except OSError:
                continue
    return found
