"""``crmwatch publish``: historic logs onto the access topic."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from streams.cli.screen import errors, fail, out, settings
from streams.publish import Published, PublishError, publish_files
from streams.reader import ReadError

__all__ = ["publish"]


def publish(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs, or - for standard input.")],
    bootstrap: Annotated[str | None, typer.Option(help="Kafka's host:port; several with commas.")] = None,
    speed: Annotated[str, typer.Option(help="max, or a multiple of real time such as 60x.")] = "max",
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
) -> None:
    """Publish a CRM's access logs from files, in the order of event time and keyed by identity.

    Exit code: 0 all is published, 2 unreadable input, bad settings or no Kafka.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    config = settings(settings_file, dict(os.environ), {"worker.bootstrap": bootstrap})
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors(), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("reading …", total=None)

        def show(published: Published) -> None:
            progress.update(task, description=f"{published.records:,} records published")

        try:
            published = publish_files(
                config.worker.bootstrap, config.topics.access, paths, _factor(speed), show
            )
        except (PublishError, ReadError) as error:
            fail(str(error))
    unkeyed = published.records - published.keyed
    size = f"{published.size_bytes / 1e6:,.1f} MB"
    sentence = f"{published.records:,} records ({size}) published to {config.topics.access}"
    if unkeyed:
        sentence += f"; {unkeyed:,} cannot be read and will become dead letters"
    out().print(Text(sentence), soft_wrap=True)


def _factor(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        factor = float(speed.removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0 < factor < 1e6:
        fail(f"--speed is max or a multiple of real time such as 60x, not {speed}")
    return factor
