"""``crmwatch publish``: publishes historic logs to the access topic."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from streams.cli.progress import progress
from streams.cli.screen import fail, out, plugins, settings, utc
from streams.files.reader import ReadError
from streams.publisher.interruption import Interruption
from streams.publisher.publisher import Published, PublishError, publish_files
from streams.publisher.sender import PATIENCE_SECONDS

__all__ = ["publish"]


def publish(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, globs, or - for standard input.")],
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's host:port; separate several with commas.")
    ] = None,
    speed: Annotated[str, typer.Option(help="max, or a multiple of real time such as 60x.")] = "max",
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip what an interrupted run has published.")
    ] = False,
    patience: Annotated[
        float, typer.Option(min=1, help="How many seconds to wait for brokers that do not answer.")
    ] = PATIENCE_SECONDS,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
) -> None:
    """Publish a CRM's access logs from files, in event-time order and keyed by identity.

    After Ctrl-C, everything sent is in Kafka; the same command with --resume continues from there.

    Exit code: 0 everything is published, 2 unreadable input, bad settings or no Kafka, 130 interrupted.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    config = settings(settings_file, dict(os.environ), {"worker.bootstrap": bootstrap})
    installed = plugins()
    rate = _Rate()
    with progress("reading …") as show, Interruption() as interruption:
        try:
            published = publish_files(
                config.worker.bootstrap,
                config.topics.access,
                paths,
                _factor(speed),
                lambda published: show(_progress(published, rate)),
                mappings=config.sources.mappings,
                plugins=installed,
                resume=resume,
                patience_seconds=patience,
                interruption=interruption,
                kafka=config.kafka,
            )
        except (PublishError, ReadError) as error:
            fail(str(error))
        except KeyboardInterrupt:  # before anything was sent, or twice
            fail("Interrupted. " + _HOW, 130)
    unkeyed = published.records - published.keyed
    sentence = f"{published.records:,} records ({_size(published)}) published to {config.topics.access}"
    if published.already:
        sentence += f"; {published.already:,} were already there"
    if unkeyed:
        sentence += f"; {unkeyed:,} cannot be read and will become dead letters"
    out().print(Text(sentence), soft_wrap=True)
    if published.interrupted:
        how = _HOW if published.run is not None else "Standard input cannot be resumed."
        fail(f"Interrupted at {utc(published.time_ms)} of event time. {how}", 130)


_HOW = "The same command with --resume continues from what is in Kafka."


class _Rate:
    """Records per second over the last seconds."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._records = 0
        self._value = 0.0

    def of(self, records: int) -> float:
        """The rate after `records` published in total."""
        seconds = time.monotonic() - self._since
        if seconds >= (2 if self._value else 0.5):
            self._value = (records - self._records) / seconds
            self._since += seconds
            self._records = records
        return self._value


def _progress(published: Published, rate: _Rate) -> str:
    parts = [
        f"{published.records:,} records",
        _size(published),
        f"{rate.of(published.records):,.0f} a second",
        f"event time {utc(published.time_ms)}",
    ]
    if published.waiting_seconds:
        parts.append(f"no answer from Kafka for {published.waiting_seconds:,.0f} s")
    if published.behind_seconds is not None:
        parts.append(f"{published.behind_seconds:,.1f} s behind the requested speed")
    return " · ".join(parts)


def _size(published: Published) -> str:
    return f"{published.size_bytes / 1e6:,.1f} MB"


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
