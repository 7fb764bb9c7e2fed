"""``crmwatch directory``: sends people, service accounts and apps to all workers and consoles."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from detector.directory_entry import MAX_ENTRY_BYTES, DirectoryEntry
from detector.directory_file import DirectoryFileError
from streams.cli.operator_topic import send
from streams.cli.screen import fail, out, printable, settings
from streams.config import Config
from streams.directory import read_directory

__all__ = ["directory", "send_entries"]


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
        sys.stdout.write("".join(f"{printable(body).decode()}\n" for body in bodies.values()))
        return
    send_entries(config, entries, remove=remove)
    done = "withdrawn from" if remove else "sent to"
    out().print(Text(f"{len(entries):,} entries {done} {config.topics.directory}"), soft_wrap=True)


def send_entries(config: Config, entries: Iterable[DirectoryEntry], *, remove: bool = False) -> None:
    """Send entries to the directory's topic, or withdraw them."""
    bodies = ((entry.key, None if remove else msgspec.json.encode(entry)) for entry in entries)
    send(config, config.topics.directory, bodies)
