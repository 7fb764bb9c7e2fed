"""``crmwatch restore``: puts a backup into a cluster."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from streams.backup.archive import ArchiveError
from streams.backup.restore import restore as put_back
from streams.cli.backup import show_counts
from streams.cli.screen import counted_records, fail, out, plain, settings
from streams.kafka.topics import TopicsError

__all__ = ["restore"]


def restore(
    file: Path,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete the state that the cluster has.")
    ] = False,
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's host:port; separate several with commas.")
    ] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="The workers' TOML file.")] = None,
) -> None:
    """Put a backup into a cluster, so that workers continue from it.

    Exit code: 0 restored, 2 a damaged file, a worker that runs, a cluster that has state or does not fit, bad settings
    or no Kafka.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    config = settings(settings_file, dict(os.environ), {"worker.bootstrap": bootstrap})
    try:
        summary = put_back(config, file, overwrite=overwrite)
    except (ArchiveError, TopicsError) as error:
        fail(str(error))
    show_counts(summary.records)
    if summary.dropped:
        out().print(
            Text(
                f"{counted_records(summary.dropped)} that nobody had read are gone: their retention has passed"
            )
        )
    out().print(Text(plain(f"restored from {file}; workers may start")), soft_wrap=True)
