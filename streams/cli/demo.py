"""``crmwatch demo``: all of it on one machine, with live traffic and a theft in it."""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from kafka import KafkaConsumer  # type: ignore[import-untyped] # it ships no types
from rich.console import Console

from detector.adapters import RecordError, decode
from detector.alert import Activity
from detector.event import AccessEvent
from detector.simulation import Theft, World, records
from detector.triage.risk import Severity
from streams.broker import Broker, BrokerError
from streams.child import Child
from streams.cli.screen import alert_line, alert_panel, fail, lead, out, show_line, utc
from streams.publish import PublishError, publish
from streams.reader import Raw
from streams.topics import TopicNames, ensure, plan

__all__ = ["demo"]

PARTITIONS = 4
WORKERS = 2
HISTORY_HOURS = 14 * 24
LIVE_HOURS = 8
SPEED = 60.0
THEFT_AFTER_SECONDS = 60
"""Of real time, from the first live record on."""
HOUR_MS = 3_600_000
START_SECONDS = 60.0
_METRICS = re.compile(r"http://[\w.]+:\d+/metrics")


def demo(
    seconds: Annotated[
        float | None,
        typer.Option(help="End by itself after so much live traffic; without it, Ctrl-C ends it."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another company.")] = 1,
) -> None:
    """Run everything here: a real Kafka, two workers, two weeks of history, live traffic, and a theft.

    The theft begins a minute after the live traffic does. Ctrl-C ends all of it.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    screen = out()
    folder = Path(tempfile.mkdtemp(prefix="crmwatch-demo-"))
    try:
        _run(screen, folder, seconds, seed)
    except (BrokerError, PublishError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        screen.print("Everything is stopped.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(screen: Console, folder: Path, seconds: float | None, seed: int) -> None:
    with contextlib.ExitStack() as running:
        with screen.status("Starting Kafka (the first time, 45 MB are fetched) …"):
            broker = running.enter_context(Broker(folder / "kafka"))
        names = TopicNames()
        ensure(broker.bootstrap, plan(PARTITIONS, 1, names))
        screen.print(f"Kafka      {broker.bootstrap}, {PARTITIONS} partitions")
        workers: list[Child] = []
        running.callback(_stop, workers)
        # Any free port, which only the worker itself can be sure of.
        arguments = ["worker", "--bootstrap", broker.bootstrap, "--keyed", "--metrics-port", "0"]
        workers.extend(Child(arguments, folder / f"worker-{n}.log") for n in range(1, WORKERS + 1))
        with screen.status(f"Starting {WORKERS} workers …"):
            addresses = [_metrics(number, worker) for number, worker in enumerate(workers, 1)]
        for number, (address, worker) in enumerate(zip(addresses, workers, strict=True), 1):
            told = " (and /live, /ready)" if number == 1 else ""
            screen.print(f"Worker {number}   {address}{told}, log {worker.log}")
        traffic = _Traffic(seed, lambda time_ms: screen.print(f"Theft      begins now, at {utc(time_ms)}\n"))
        with screen.status("Two weeks of history …"):
            published = publish(broker.bootstrap, names.access, traffic.history())
        screen.print(
            f"History    {published.records:,} records of two weeks, {traffic.identities} identities"
        )
        screen.print(
            f"Now        live traffic at {SPEED:.0f} times real time; in {THEFT_AFTER_SECONDS} seconds an "
            "integration's token\n           is used by a thief. Ctrl-C ends all of it."
        )
        live = threading.Thread(
            target=_publish_live, args=(screen, broker.bootstrap, names.access, traffic), daemon=True
        )
        live.start()
        running.callback(live.join, 10)
        running.callback(traffic.stop)
        end = None if seconds is None else time.monotonic() + seconds
        _show_alerts(_Board(screen, traffic.live_ms), broker.bootstrap, names.alerts, workers, end)


def _metrics(number: int, worker: Child) -> str:
    """Where a worker is scraped, as it says itself once it runs."""
    end = time.monotonic() + START_SECONDS
    while (found := _METRICS.search(worker.log.read_text(encoding="utf-8", errors="replace"))) is None:
        _check(number, worker)
        if time.monotonic() > end:
            fail(f"worker {number} has not started in {START_SECONDS:.0f} seconds", 1)
        time.sleep(0.1)
    return found[0]


def _check(number: int, worker: Child) -> None:
    """End the demo if a worker has ended."""
    if worker.exit_code is not None:
        lines = worker.log.read_text(encoding="utf-8", errors="replace").splitlines()
        fail(f"worker {number} ended with {worker.exit_code}: {lines[-1] if lines else 'no word'}", 1)


def _stop(workers: list[Child]) -> None:
    """End them, all at once: each takes some seconds for leaving in good order."""
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(Child.stop, workers))


def _publish_live(screen: Console, bootstrap: str, topic: str, traffic: _Traffic) -> None:
    with contextlib.suppress(PublishError):  # Kafka has been stopped
        publish(bootstrap, topic, traffic.live(), SPEED)
        if not traffic.stopped:
            screen.print("The live traffic has come to its end. Ctrl-C ends the rest.")


def _show_alerts(board: _Board, bootstrap: str, topic: str, workers: list[Child], end: float | None) -> None:
    consumer: Any = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        while end is None or time.monotonic() < end:
            for messages in consumer.poll(timeout_ms=500).values():
                for message in messages:
                    board.show(message.value)
            for number, worker in enumerate(workers, 1):
                _check(number, worker)
    finally:
        consumer.close()


class _Board:
    """Shows alerts as they come: what is new in the live traffic at length, the rest on a line each.

    Of the history only what is new is shown, and not how it went on.
    """

    def __init__(self, screen: Console, live_ms: int) -> None:
        self._screen = screen
        self._live_ms = live_ms
        self._seen: dict[str, tuple[Severity, frozenset[str]]] = {}

    def show(self, body: bytes) -> None:
        """An OCSF finding: a panel for a new incident, a short one when its severity or stage has changed."""
        finding = msgspec.json.decode(body)
        told = finding["finding_info"]
        severity, activity = Severity(finding["severity_id"]), Activity(finding["activity_id"])
        # How far an intruder has come: the techniques that have been seen.
        stands = severity, frozenset(attack["technique"]["uid"] for attack in told["attacks"])
        before = self._seen.get(told["uid"])
        self._seen[told["uid"]] = stands
        time_ms, points, sentence = finding["time"], finding["risk_score"], told["desc"]
        history = time_ms < self._live_ms
        if history and activity is not Activity.CREATE:
            return
        if (
            history
            or activity is Activity.CLOSE
            or before == stands
            or (before is None and severity is Severity.INFORMATIONAL)
        ):
            show_line(self._screen, alert_line(severity, activity, time_ms, points, sentence))
            return
        sentence = sentence if before is None else lead(sentence)
        self._screen.print(alert_panel(severity, activity, time_ms, points, sentence))


class _Traffic:
    """A world whose last hours are still to come; `on_theft` hears the event time when the thief comes."""

    def __init__(self, seed: int, on_theft: Callable[[int], None]) -> None:
        now_ms = time.time_ns() // 1_000_000
        self.live_ms = now_ms - LIVE_HOURS * HOUR_MS
        """Event time at which the live traffic begins."""
        self._theft_ms = self.live_ms + int(THEFT_AFTER_SECONDS * SPEED * 1000)
        self._on_theft = on_theft
        start_ms = (self.live_ms // HOUR_MS - HISTORY_HOURS) * HOUR_MS
        hours = HISTORY_HOURS + LIVE_HOURS
        world = World(seed=seed, start_ms=start_ms, hours=hours, people=40, integrations=4)
        self._records = records(world, Theft(start_ms=self._theft_ms))
        self._line = 0
        self._held: tuple[int, bytes] | None = None
        self._seen: set[str] = set()
        self.stopped = False

    def stop(self) -> None:
        """Let the live traffic end."""
        self.stopped = True

    @property
    def identities(self) -> int:
        """How many identities there have been so far."""
        return len(self._seen)

    def history(self) -> Iterator[tuple[Raw, AccessEvent | RecordError]]:
        """What has happened already."""
        for time_ms, record in self._records:
            if time_ms >= self.live_ms:
                self._held = time_ms, record
                return
            yield self._read(record)

    def live(self) -> Iterator[tuple[Raw, AccessEvent | RecordError]]:
        """What happens now."""
        if self._held is not None:
            yield self._read(self._held[1])
        come = False
        for time_ms, record in self._records:
            if self.stopped:
                return
            yield self._read(record)  # and back when it has been published, at its time
            if time_ms >= self._theft_ms and not come:
                come = True
                self._on_theft(time_ms)

    def _read(self, record: bytes) -> tuple[Raw, AccessEvent | RecordError]:
        self._line += 1
        position = f"demo:{self._line}"
        event = decode(record, position)
        self._seen.add(event.identity)
        return Raw(record, position, "demo"), event
