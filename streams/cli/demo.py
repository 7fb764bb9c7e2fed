"""``crmwatch demo``: all of it on one machine, with live traffic and a theft in it."""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from kafka import KafkaConsumer
from rich.console import Console

from streams.cli.child_process import Child
from streams.cli.demo_ticker import Ticker
from streams.cli.demo_traffic import SPEED, THEFT_AFTER_SECONDS, Traffic
from streams.cli.directory import send_entries
from streams.cli.screen import fail, out, plain, utc
from streams.config import load
from streams.kafka.embedded.broker import Broker, BrokerError
from streams.kafka.topics import TopicNames, ensure, plan
from streams.publisher.publisher import PublishError, publish

__all__ = ["demo"]

PARTITIONS = 4
WORKERS = 2
CONSOLE_PORTS = (8321, 0)
"""Where the console is to be; if somebody else is there, on any free port."""
START_SECONDS = 60.0
_METRICS = re.compile(r"http://[\w.]+:\d+/metrics")
_CONSOLE = re.compile(r"http://[\w.]+:\d+/")


def demo(
    seconds: Annotated[
        float | None,
        typer.Option(help="End by itself after so much live traffic; without it, Ctrl-C ends it."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another company.")] = 1,
) -> None:
    """Run everything here: a real Kafka, two workers, the console, three weeks of history, live traffic, and a theft.

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
        children: dict[str, Child] = {}
        running.callback(_stop, children)
        traffic = Traffic(seed, lambda time_ms: screen.print(f"Theft      begins now, at {utc(time_ms)}\n"))
        send_entries(load(None, {}, {"worker.bootstrap": broker.bootstrap}), traffic.directory)
        screen.print(f"Directory  {len(traffic.directory)} people, service accounts and apps, by name")
        _start(screen, broker.bootstrap, folder, children)
        with screen.status("Three weeks of history …"):
            published = publish(broker.bootstrap, names.access, traffic.history())
        screen.print(
            f"History    {published.records:,} records of three weeks, {traffic.identities} identities"
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
        _show_alerts(Ticker(screen, traffic.live_ms), broker.bootstrap, names.alerts, children, end)


def _start(screen: Console, bootstrap: str, folder: Path, children: dict[str, Child]) -> None:
    """Start the workers and the console, and say where they are; what runs is in `children`."""
    # Any free port, which only the worker itself can be sure of.
    arguments = ["worker", "--bootstrap", bootstrap, "--keyed", "--metrics-port", "0"]
    workers = {f"worker {n}": Child(arguments, folder / f"worker-{n}.log") for n in range(1, WORKERS + 1)}
    children |= workers
    with screen.status(f"Starting {WORKERS} workers and the console …"):
        where = _start_console(bootstrap, folder, children)
        addresses = {name: _address(name, worker, _METRICS) for name, worker in workers.items()}
    for name, address in addresses.items():
        told = " (and /live, /ready)" if name == "worker 1" else ""
        screen.print(f"{name.capitalize()}   {address}{told}, log {workers[name].log}")
    screen.print(f"Console    {where}", soft_wrap=True)


def _start_console(bootstrap: str, folder: Path, children: dict[str, Child]) -> str:
    """Start the console; where it is, or why there is none: it is an extra, and the rest goes on without it."""
    index, log = folder / "console.sqlite", folder / "console.log"
    for port in CONSOLE_PORTS:
        arguments = ["console", "--bootstrap", bootstrap, "--host", "127.0.0.1", "--port", str(port)]
        child = children["console"] = Child([*arguments, "--index", str(index)], log)
        address = _said(child, _CONSOLE)
        if address is not None:
            return f"{address}  open it in a browser"
        child.stop()
        del children["console"]
    return f"none: {_last_words(child)}"


def _said(child: Child, pattern: re.Pattern[str]) -> str | None:
    """What a process says of itself once it runs; ``None`` if it ends before, or takes too long."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        ended = child.exit_code is not None
        found = pattern.search(_log(child))
        if found is not None:
            return found[0]
        if ended:
            break
        time.sleep(0.1)
    return None


def _address(name: str, child: Child, pattern: re.Pattern[str]) -> str:
    """Where something is reached, as it says itself; without it there is no demo."""
    found = _said(child, pattern)
    if found is None:
        _check(name, child)
        fail(f"{name} has not started in {START_SECONDS:.0f} seconds", 1)
    return found


def _check(name: str, child: Child) -> None:
    """End the demo if one of its processes has ended."""
    if child.exit_code is not None:
        fail(f"{name} ended with {child.exit_code}: {_last_words(child)}", 1)


def _last_words(child: Child) -> str:
    lines = _log(child).splitlines()
    return plain(lines[-1]) if lines else "no word"


def _log(child: Child) -> str:
    return child.log.read_text(encoding="utf-8", errors="replace")


def _stop(children: dict[str, Child]) -> None:
    """End them, all at once: each takes some seconds for leaving in good order."""
    with ThreadPoolExecutor(max(1, len(children))) as pool:
        list(pool.map(Child.stop, children.values()))


def _publish_live(screen: Console, bootstrap: str, topic: str, traffic: Traffic) -> None:
    with contextlib.suppress(PublishError):  # Kafka has been stopped
        publish(bootstrap, topic, traffic.live(), SPEED)
        if not traffic.stopped:
            screen.print("The live traffic has come to its end. Ctrl-C ends the rest.")


def _show_alerts(
    ticker: Ticker, bootstrap: str, topic: str, children: dict[str, Child], end: float | None
) -> None:
    consumer: Any = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        while end is None or time.monotonic() < end:
            for messages in consumer.poll(timeout_ms=500).values():
                for message in messages:
                    ticker.show(message.value)
            for name, child in children.items():
                _check(name, child)
    finally:
        consumer.close()
