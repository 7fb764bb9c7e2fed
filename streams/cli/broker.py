"""``crmwatch broker``: runs Kafka on this machine until Ctrl-C."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from streams.kafka.embedded.broker import Broker, BrokerError

__all__ = ["broker"]


def broker(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1; 0 picks a free one.")
    ] = 9092,
    folder: Annotated[
        Path | None,
        typer.Option(help="The folder for the data. Without it, the data is deleted when the broker stops."),
    ] = None,
    memory: Annotated[int, typer.Option(min=256, help="Java's heap in MiB.")] = 512,
) -> None:
    """Run a real Apache Kafka on this machine until Ctrl-C: no Docker and no Java needed.

    It listens on this machine only, without a password: for a laptop, a demo or tests, not for production.
    """
    out = Console(highlight=False, soft_wrap=True)
    kafka = Broker(folder, port, memory)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, _interrupt)
    try:
        try:
            with out.status("Starting Kafka (downloads 45 MB the first time) …"):
                kafka.start()
            out.print(f"Kafka listens on {kafka.bootstrap}", markup=False)
            out.print(f"  folder  {kafka.folder}{'' if folder else ' (removed at the end)'}", markup=False)
            out.print(f"  log     {kafka.log_path}", markup=False)
            out.print("Ctrl-C stops it.")
            kafka.wait()
        finally:
            kafka.stop()
    except KeyboardInterrupt:
        out.print("Kafka has stopped.")
    except BrokerError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False)
        raise typer.Exit(2) from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
