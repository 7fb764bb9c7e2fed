"""``crmwatch worker``: runs the always-on service."""

from __future__ import annotations

import logging
import os
import signal
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from detector.directory_file import DirectoryFileError
from streams.cli.screen import plugins, settings
from streams.config import Config
from streams.kafka.connection import arguments
from streams.kafka.signing import SigningError
from streams.kafka.start_offsets import begin_at, parsed
from streams.kafka.topics import TopicsError, existing
from streams.log import set_up

__all__ = ["worker"]

log = logging.getLogger(__name__)


def worker(
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's host:port; separate several with commas.")
    ] = None,
    keyed: Annotated[
        bool | None, typer.Option("--keyed/--unkeyed", help="Whether the access topic is keyed by identity.")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="The port of /metrics, /live and /ready; 0 picks a free one.")
    ] = None,
    instance: Annotated[
        str | None, typer.Option(help="A stable name: with it, a restart moves no partitions.")
    ] = None,
    accept_plugins: Annotated[
        bool | None,
        typer.Option(
            "--accept-plugins",
            help="Take over state that was written with other detectors or plug-ins.",
            show_default=False,
        ),
    ] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
) -> None:
    """Read the access topic continuously and publish alerts. Start several: they share the partitions.

    Exit code: 0 stopped, 2 bad settings, no Kafka, or state of other plug-ins, 70 unexpected error: restart it.
    """
    flags: dict[str, object] = {
        "worker.bootstrap": bootstrap,
        "worker.keyed": keyed,
        "worker.metrics_port": metrics_port,
        "worker.instance": instance,
        "worker.accept_plugins": accept_plugins,
    }
    config = settings(settings_file, dict(os.environ), flags)
    installed = plugins()
    signal.signal(signal.SIGTERM, _stop)  # until the worker has something to finish
    set_up(config.worker.log_format, config.worker.instance)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # its errors carry the details
    try:
        start = parsed(config.worker.start)
        at, kafka = config.worker.bootstrap, config.kafka
        counts = _partitions(config)
        begin_at(start, config.topics.app_id, list(config.access_topics), **arguments(at, kafka))
    except (TopicsError, ValueError) as error:
        _fail(str(error))
    from prometheus_client import REGISTRY

    from streams.worker.worker import Worker

    try:
        running = Worker(config, counts, REGISTRY, installed)
    except (DirectoryFileError, SigningError) as error:
        _fail(str(error))
    except OSError as error:
        where = f"{config.worker.metrics_host}:{config.worker.metrics_port}"
        _fail(f"metrics cannot be served on {where}: {error.strerror or error}")
    shown = " and ".join(f"{topic} with {counts[topic]} partitions" for topic in config.access_topics)
    log.info(
        "started: crmwatch %s reads %s from %s; metrics on http://%s:%d/metrics",
        version("crmwatch"),
        shown,
        at,
        config.worker.metrics_host,
        running.endpoint.port,
    )
    running.run()


def _partitions(config: Config) -> dict[str, int]:
    """The number of partitions of each topic that a worker reads or writes by partition. Raises `TopicsError`."""
    names = config.topics
    followed = (names.feedback, names.indicators, names.directory, names.identities, names.activity)
    shards = {names.events: names.profiles_changelog, names.signals: names.incidents_changelog}
    wanted = [*config.access_topics, *shards, *shards.values(), *followed]
    counts = {
        name: topic.partitions
        for name, topic in existing(config.worker.bootstrap, wanted, config.kafka).items()
    }
    for topic in (*shards.values(), names.identities, names.activity):
        of = names.signals if topic == names.incidents_changelog else names.events
        if counts[topic] < counts[of]:
            raise TopicsError(
                f"{topic} has {counts[topic]} partitions and {of} {counts[of]}, of which each needs one of its own"
            )
    return counts


def _stop(*_: object) -> NoReturn:
    log.info("stopped before it started")
    raise SystemExit(0)


def _fail(sentence: str) -> NoReturn:
    """Log what is wrong and exit."""
    log.critical("%s", sentence)
    raise typer.Exit(2)
