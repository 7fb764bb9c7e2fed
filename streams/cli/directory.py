"""``crmwatch directory``: sends people, service accounts and apps to all workers and consoles."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from kafka import KafkaProducer
from kafka.errors import KafkaError
from rich.text import Text

from detector.directory_entry import MAX_ENTRY_BYTES, DirectoryEntry
from detector.directory_file import DirectoryFileError
from streams.cli.screen import fail, out, settings
from streams.config import Config
from streams.directory import read_directory
from streams.kafka.connection import ConnectError, arguments, reach
from streams.kafka.topics import TopicsError, partitions

__all__ = ["directory", "send"]

SEND_SECONDS = 60


def directory(
    paths: Annotated[list[Path], typer.Argument(help="CSV with a header, or JSON.")],
    remove: Annotated[bool, typer.Option("--remove", help="Withdraw them instead.")] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the entries as JSON lines, as they are understood; send nothing."),
    ] = False,
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's host:port; separate several with commas.")
    ] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
) -> None:
    """Send the directory's entries to the topic that workers and consoles read; names and owners show from then on.

    Exit code: 0 sent, 2 an unreadable file, bad settings or no Kafka; then nothing was sent.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    config = settings(settings_file, dict(os.environ), {"worker.bootstrap": bootstrap})
    files = tuple(str(path) for path in paths)
    try:
        entries = read_directory(msgspec.structs.replace(config.directory, files=files))
    except DirectoryFileError as error:
        fail(str(error))
    bodies = {entry.key: msgspec.json.encode(entry) for entry in entries}
    for entry in entries:
        if len(bodies[entry.key]) + len(entry.key.encode()) > MAX_ENTRY_BYTES:
            fail(f"an entry has more than {MAX_ENTRY_BYTES:,} bytes: {entry.id}")
    if as_json:
        sys.stdout.write("".join(f"{body.decode()}\n" for body in bodies.values()))
        return
    send(config, entries, remove=remove)
    done = "withdrawn from" if remove else "sent to"
    out().print(Text(f"{len(entries):,} entries {done} {config.topics.directory}"), soft_wrap=True)


def send(config: Config, entries: tuple[DirectoryEntry, ...], *, remove: bool = False) -> None:
    """Send entries, or withdraw them, and wait until Kafka has them; exits with a sentence if it has not."""
    where, topic = config.worker.bootstrap, config.topics.directory
    failures: list[BaseException] = []
    try:
        reach(where, config.kafka)
        partitions(where, topic, config.kafka)  # which says what to do if there is no topic
        producer: Any = KafkaProducer(acks="all", linger_ms=20, **arguments(where, config.kafka))
        try:
            for entry in entries:
                body = None if remove else msgspec.json.encode(entry)
                producer.send(topic, key=entry.key.encode(), value=body).add_errback(failures.append)
            producer.flush(timeout=SEND_SECONDS)
        finally:
            producer.close(timeout=5)
    except (ConnectError, TopicsError) as error:
        fail(str(error))
    except KafkaError as error:
        failures.append(error)
    if failures:
        fail(f"sending to {topic} at {where} failed: {failures[0]}")
