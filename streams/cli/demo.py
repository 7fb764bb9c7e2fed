"""``crmwatch demo``: all of it on one machine, with traffic and a theft in it."""

from __future__ import annotations

import contextlib
import logging
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from kafka import KafkaConsumer  # type: ignore[import-untyped] # it ships no types
from rich.console import Console
from rich.text import Text

from detector.adapters import RecordError, decode
from detector.alert import Activity
from detector.event import AccessEvent
from detector.simulation import Theft, World, records
from detector.triage.risk import Severity
from streams.broker import Broker, BrokerError
from streams.child import Child
from streams.cli.screen import alert_panel, fail, out
from streams.publish import PublishError, publish
from streams.reader import Raw
from streams.topics import TopicNames, ensure, plan

__all__ = ["demo"]

PARTITIONS = 4
HISTORY_HOURS = 14 * 24
LIVE_HOURS = 6
THEFT_AFTER_MS = 10 * 60 * 1000
SPEED = 60.0
HOUR_MS = 3_600_000


def demo(
    seconds: Annotated[
        float | None, typer.Option(help="End by itself after so long; without it, Ctrl-C ends it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another company.")] = 1,
) -> None:
    """Run everything here: a real Kafka, the worker, two weeks of history, live traffic, and a theft.

    The theft begins ten seconds after the live traffic does. Ctrl-C ends all of it.
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
        began = time.monotonic()
        names = TopicNames()
        ensure(broker.bootstrap, plan(PARTITIONS, 1, names))
        port = _free_port()
        worker = Child(
            ["worker", "--bootstrap", broker.bootstrap, "--keyed", "--metrics-port", str(port)],
            folder / "worker.log",
        )
        running.callback(worker.stop)
        screen.print(f"Kafka     {broker.bootstrap}")
        screen.print(f"Metrics   http://127.0.0.1:{port}/metrics   (also /live, /ready)")
        screen.print(f"Log       {worker.log}")
        traffic = _Traffic(seed)
        with screen.status("Two weeks of history …"):
            published = publish(broker.bootstrap, names.access, traffic.history())
        screen.print(f"History   {published.records:,} records of two weeks, {traffic.identities} identities")
        screen.print(
            f"Now       live traffic at {SPEED:.0f}x; a token will be stolen in ten seconds. Ctrl-C ends it.\n"
        )
        live = threading.Thread(
            target=_publish_live, args=(broker.bootstrap, names.access, traffic, SPEED), daemon=True
        )
        live.start()
        running.callback(live.join, 10)
        running.callback(traffic.stop)
        end = None if seconds is None else began + seconds
        _show_alerts(screen, broker.bootstrap, names.alerts, worker, end)


def _publish_live(bootstrap: str, topic: str, traffic: _Traffic, speed: float) -> None:
    with contextlib.suppress(PublishError):  # Kafka has been stopped
        publish(bootstrap, topic, traffic.live(), speed)


def _show_alerts(screen: Console, bootstrap: str, topic: str, worker: Child, end: float | None) -> None:
    consumer: Any = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        while end is None or time.monotonic() < end:
            for messages in consumer.poll(timeout_ms=500).values():
                for message in messages:
                    _show(screen, message.value)
            if worker.exit_code is not None:
                lines = worker.log.read_text(encoding="utf-8", errors="replace").splitlines()
                fail(f"the worker ended with {worker.exit_code}: {lines[-1] if lines else 'no word'}", 1)
    finally:
        consumer.close()


def _show(screen: Console, body: bytes) -> None:
    finding = msgspec.json.decode(body)
    severity = Severity(finding["severity_id"])
    activity = Activity(finding["activity_id"])
    screen.print(
        alert_panel(
            severity, activity, finding["time"], finding["risk_score"], finding["finding_info"]["desc"]
        )
    )
    if activity is Activity.CREATE:
        steps = finding["remediation"]["desc"]
        screen.print(Text(f"  {steps}", style="dim"))


class _Traffic:
    """A world whose last six hours are still to come; at 60x they last six minutes."""

    def __init__(self, seed: int) -> None:
        now_ms = time.time_ns() // 1_000_000
        self._live_ms = now_ms - LIVE_HOURS * HOUR_MS
        start_ms = (self._live_ms // HOUR_MS - HISTORY_HOURS) * HOUR_MS
        hours = HISTORY_HOURS + LIVE_HOURS
        world = World(seed=seed, start_ms=start_ms, hours=hours, people=40, integrations=4)
        self._records = records(world, Theft(start_ms=self._live_ms + THEFT_AFTER_MS))
        self._line = 0
        self._held: tuple[int, bytes] | None = None
        self._seen: set[str] = set()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let the live traffic end."""
        self._stopped.set()

    @property
    def identities(self) -> int:
        """How many identities there have been so far."""
        return len(self._seen)

    def history(self) -> Iterator[tuple[Raw, AccessEvent | RecordError]]:
        """What has happened already."""
        for time_ms, record in self._records:
            if time_ms >= self._live_ms:
                self._held = time_ms, record
                return
            yield self._read(record)

    def live(self) -> Iterator[tuple[Raw, AccessEvent | RecordError]]:
        """What happens now."""
        if self._held is not None:
            yield self._read(self._held[1])
        for _, record in self._records:
            if self._stopped.is_set():
                return
            yield self._read(record)

    def _read(self, record: bytes) -> tuple[Raw, AccessEvent | RecordError]:
        self._line += 1
        position = f"demo:{self._line}"
        event = decode(record, position)
        self._seen.add(event.identity)
        return Raw(record, position, "demo"), event


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
