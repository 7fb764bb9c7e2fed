"""``crmwatch topics``: creates or verifies crmwatch's topics in Kafka."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from detector.units import DAY_MS
from streams.cli.screen import fail, printable, settings
from streams.kafka.topics import Comparison, Topic, TopicsError, compare, ensure, plan

__all__ = ["topics"]


def topics(
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's host:port; separate several with commas.")
    ] = None,
    partitions: Annotated[
        int, typer.Option(min=1, help="At least the number of workers you will ever run.")
    ] = 8,
    replication: Annotated[int, typer.Option(min=1, help="Copies of each record; 3 in production.")] = 1,
    check: Annotated[bool, typer.Option("--check", help="Verify only; create nothing.")] = False,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Create missing topics and report what differs from the plan; never change existing topics.

    Exit code: 0 everything is as planned, 1 something is missing or differs, 2 bad settings, or Kafka is
    unreachable or refuses.
    """
    # kafka-python logs each failed try; what matters of it is said once, below.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    config = settings(settings_file, dict(os.environ), {"worker.bootstrap": bootstrap})
    bootstrap = config.worker.bootstrap
    planned = plan(partitions, replication, config.topics, config.retention)
    # Other access topics may be somebody else's: they must be there, and are not judged.
    others = tuple(
        msgspec.structs.replace(planned[0], name=name)
        for name in config.access_topics
        if name != config.topics.access
    )
    try:
        found = compare(bootstrap, planned, config.kafka)
        missing = found.missing + compare(bootstrap, others, config.kafka).missing
        differing = found.differing
        if missing and not check:
            ensure(bootstrap, missing, config.kafka)
            differing = compare(bootstrap, planned, config.kafka).differing
    except TopicsError as error:
        fail(str(error))
    out = Console(highlight=False, soft_wrap=True)
    if as_json:
        names = [topic.name for topic in missing]
        answer = {
            "bootstrap": bootstrap,
            "created": [] if check else names,
            "missing": names if check else [],
            "differing": differing,
        }
        typer.echo(printable(msgspec.json.encode(answer)))
    else:
        out.print(_table(planned + others, Comparison(missing, differing), check))
        for sentence in differing:
            out.print(sentence, markup=False)
    if differing or (check and missing):
        raise typer.Exit(1)


def _table(wanted: tuple[Topic, ...], found: Comparison, check: bool) -> Table:
    table = Table(
        Column("topic", no_wrap=True), "partitions", "copies", "kept", Column("state", no_wrap=True), box=None
    )
    missing = {topic.name for topic in found.missing}
    differing = {sentence.partition(":")[0] for sentence in found.differing}
    for topic in wanted:
        if topic.name in missing:
            state = "[red]missing[/]" if check else "[green]created[/]"
        else:
            state = "[yellow]differs[/]" if topic.name in differing else "[green]as planned[/]"
        table.add_row(topic.name, str(topic.partitions), str(topic.replication), _kept(topic), state)
    return table


def _kept(topic: Topic) -> str:
    retention = topic.config.get("retention.ms")
    days = f"{int(retention) // DAY_MS} days" if retention else ""
    return ", ".join(filter(None, (days, "compacted" if "compact" in topic.config["cleanup.policy"] else "")))
