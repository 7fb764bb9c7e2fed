"""``crmwatch backup``: copies the state of stopped workers, the operators' topics and the alerts to a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from streams.atomic_file import AtomicFile
from streams.backup.backup import back_up
from streams.cli.screen import counted_records, fail, out, plain, settings
from streams.kafka.topics import TopicsError

__all__ = ["backup", "show_counts"]


def backup(
    file: Path,
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's host:port; separate several with commas.")
    ] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="The workers' TOML file.")] = None,
) -> None:
    """Copy what stopped workers know, decisions and alerts to one file.

    Exit code: 0 copied, 2 a worker runs, the file cannot be written, bad settings or no Kafka; then there is no file.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    config = settings(settings_file, dict(os.environ), {"worker.bootstrap": bootstrap})
    try:
        with AtomicFile(file) as written:
            summary = back_up(config, written.write)
    except TopicsError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{file}: cannot be written: {error.strerror}")
    show_counts(summary.records)
    out().print(Text(plain(f"copied to {file}, SHA-256 {summary.checksum}")), soft_wrap=True)


def show_counts(records: Mapping[str, int]) -> None:
    """Print how many records of each topic there are."""
    for topic, count in records.items():
        out().print(Text(f"{counted_records(count)} of {topic}"), soft_wrap=True)
