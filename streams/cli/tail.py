"""``crmwatch tail``: shows incidents in a terminal as they grow."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from rich.console import Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from detector.alert.finding import Finding, FindingError, read
from detector.triage.risk import Severity
from detector.units import HOUR_MS
from streams.cli.screen import COLOURS, alert_line, errors, fail, out, plain, printable, settings, utc
from streams.config import Config
from streams.kafka.connection import ConnectError, arguments, reach
from streams.kafka.topics import TopicsError, partitions

__all__ = ["OpenIncidents", "tail"]

MAX_INCIDENTS = 10_000
"""How many incidents are kept: the most recently updated."""
GROWN_SECONDS = 10.0
"""How long an incident that has just grown is highlighted."""


class OpenIncidents:
    """The open incidents, by their newest alerts.

    Incidents below a severity or last updated before a time are only counted.
    """

    def __init__(self, severity: Severity = Severity.INFORMATIONAL, since_ms: int = 0) -> None:
        self._severity = severity
        self._since_ms = since_ms
        self._open: dict[str, tuple[Finding, float]] = {}
        self._hidden: dict[str, Severity | None] = {}
        self.newest_ms: int | None = None
        """Event time of the newest alert."""
        self.unreadable = 0
        """Messages that could not be parsed as alerts."""

    def take(self, body: bytes | None, now: float) -> Finding | None:
        """Add an alert that arrived at `now`; returns it if it is shown."""
        try:
            finding = read(body or b"")
        except FindingError:
            self.unreadable += body is not None
            return None
        self.newest_ms = max(finding.time_ms, self.newest_ms or finding.time_ms)
        uid = finding.uid
        self._hidden.pop(uid, None)
        if finding.closed:
            was_open = self._open.pop(uid, None)
            return finding if was_open is not None else None
        if finding.severity < self._severity or finding.time_ms < self._since_ms:
            self._open.pop(uid, None)
            self._hidden[uid] = finding.severity if finding.severity < self._severity else None
            if len(self._hidden) > MAX_INCIDENTS:
                del self._hidden[next(iter(self._hidden))]
            return None
        self._open[uid] = finding, now
        if len(self._open) > MAX_INCIDENTS:
            del self._open[min(self._open, key=lambda known: self._open[known][0].time_ms)]
        return finding

    @property
    def open(self) -> list[Finding]:
        """The open incidents, highest risk first."""
        found = [finding for finding, _ in self._open.values()]
        return sorted(found, key=lambda one: (-one.risk, -one.time_ms, one.uid))

    @property
    def hidden(self) -> str:
        """What is open and not shown, in words; empty if there is nothing."""
        counts = Counter(self._hidden.values())
        old = counts.pop(None, 0)
        words = [f"{count:,} {severity.name.lower()}" for severity, count in _worst_first(counts)]
        return ", ".join([*words, *([f"{old:,} older"] if old else [])])

    def has_grown(self, finding: Finding, now: float) -> bool:
        """Whether the incident was updated a moment ago."""
        return now - self._open[finding.uid][1] < GROWN_SECONDS


def _worst_first(counts: Counter[Severity | None]) -> list[tuple[Severity, int]]:
    known = [(severity, count) for severity, count in counts.items() if severity is not None]
    return sorted(known, reverse=True)


def tail(
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's host:port; separate several with commas.")
    ] = None,
    severity: Annotated[
        str, typer.Option(help="The lowest severity shown: informational, low, medium, high or critical.")
    ] = "low",
    hours: Annotated[
        float, typer.Option(min=0, help="Hide incidents last updated longer ago; 0 shows all open incidents.")
    ] = 48.0,
    once: Annotated[bool, typer.Option("--once", help="Show the present state and exit.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each alert unchanged, one per line, for programs.")
    ] = False,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
) -> None:
    """Show the open incidents live: a table in a terminal, one line per alert elsewhere.

    Exit code: 0 stopped, 2 bad settings or no Kafka.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    config = settings(settings_file, dict(os.environ), {"worker.bootstrap": bootstrap})
    least = Severity.__members__.get(severity.upper())
    if least is None:
        fail(f"--severity is informational, low, medium, high or critical, not {severity}")
    since_ms = time.time_ns() // 1_000_000 - round(hours * HOUR_MS) if hours else 0
    incidents = OpenIncidents(least, since_ms)
    try:
        messages = _messages(config, once=once)
        if as_json:
            _print_bodies(incidents, messages)
        elif sys.stdout.isatty() and not once:
            _show_live(incidents, messages)
        else:
            _print_lines(incidents, messages, once=once)
    except (ConnectError, TopicsError) as error:
        fail(str(error))
    except KafkaError as error:
        fail(f"reading {config.topics.alerts} at {config.worker.bootstrap} failed: {error}")
    except KeyboardInterrupt:
        errors().print("Stopped.")


def _messages(config: Config, *, once: bool) -> Iterator[list[bytes | None]]:
    """The topic's messages in batches, from its beginning on; with `once`, up to its present end."""
    reach(config.worker.bootstrap, config.kafka)
    topic = config.topics.alerts
    count = partitions(config.worker.bootstrap, topic, config.kafka)
    consumer: Any = KafkaConsumer(
        enable_auto_commit=False, group_id=None, **arguments(config.worker.bootstrap, config.kafka)
    )
    try:
        tps = [TopicPartition(topic, number) for number in range(count)]
        consumer.assign(tps)
        ends = consumer.end_offsets(tps)
        consumer.seek_to_beginning()
        while not once or any(consumer.position(tp) < end for tp, end in ends.items()):
            found = consumer.poll(timeout_ms=500)
            batch = [message for messages in found.values() for message in messages]
            yield [message.value for message in sorted(batch, key=lambda message: message.timestamp)]
    finally:
        consumer.close()


def _print_bodies(incidents: OpenIncidents, messages: Iterable[list[bytes | None]]) -> None:
    for batch in messages:
        for body in batch:
            if body is not None and incidents.take(body, 0.0) is not None:
                sys.stdout.buffer.write(printable(body) + b"\n")
        sys.stdout.buffer.flush()


def _print_lines(incidents: OpenIncidents, messages: Iterable[list[bytes | None]], *, once: bool) -> None:
    screen = out()
    for batch in messages:
        found = [incidents.take(body, 0.0) for body in batch]
        if not once:
            for finding in found:
                if finding is not None:
                    screen.print(_line(finding), soft_wrap=True)
    if once:
        screen.print(table(incidents, time.monotonic()))


def _line(finding: Finding) -> Text:
    line = alert_line(
        finding.severity,
        finding.activity,
        finding.time_ms,
        finding.risk,
        finding.sentence,
    )
    line.no_wrap = False
    return line


def _show_live(incidents: OpenIncidents, messages: Iterable[list[bytes | None]]) -> None:
    heard_at = time.monotonic()
    with Live(table(incidents, heard_at), console=out(), screen=True, auto_refresh=False) as live:
        for batch in messages:
            now = time.monotonic()
            for body in batch:
                incidents.take(body, now)
            live.update(table(incidents, now), refresh=True)


def _who(finding: Finding) -> str:
    """The account, by its name in the directory if it has one, or the network that it is about."""
    own = finding.extension
    account = own.identity.rpartition("/")[2]
    return own.names.get(account, account) or own.network or "the tenant as a whole"


def table(incidents: OpenIncidents, now: float) -> Group:
    """The table of open incidents; those that have just grown are bold."""
    shown = Table(
        Column("risk", justify="right", no_wrap=True),
        Column("", no_wrap=True),
        Column("rows", justify="right", no_wrap=True),
        Column("who", no_wrap=True, overflow="ellipsis", max_width=28),
        Column("since", no_wrap=True),
        Column("last", no_wrap=True),
        Column("what", no_wrap=True, overflow="ellipsis", ratio=1),
        box=None,
        expand=True,
    )
    for finding in incidents.open:
        mark = Text(finding.severity.name.lower(), COLOURS[finding.severity])
        if finding.status_id == 2:
            mark.append(" breach", "bold red")
        shown.add_row(
            str(finding.risk),
            mark,
            f"{finding.rows:,}",
            Text(plain(_who(finding))),
            utc(finding.start_ms)[5:16],
            utc(finding.end_ms)[5:16],
            Text(plain(finding.title)),
            style="bold" if incidents.has_grown(finding, now) else "",
        )
    count = len(incidents.open)
    hidden = incidents.hidden
    foot = f"{count} open" if count else "no open incidents to show" if hidden else "no open incidents"
    if hidden:
        foot += f" · open but not shown: {hidden}"
    if incidents.newest_ms is not None:
        foot += f" · newest alert {utc(incidents.newest_ms)}"
    return Group(shown, Text(f"{foot} · Ctrl-C to stop", "dim"))
