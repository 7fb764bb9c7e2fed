"""``crmwatch console``: the SOC's web console."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from detector.directory_file import DirectoryFileError
from streams.cli.screen import errors, fail, plain, settings
from streams.config import Config
from streams.kafka.connection import ConnectError, reach

__all__ = ["console"]


def console(
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's host:port; separate several with commas.")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="The address to listen on; any but this machine's needs tokens or a proxy."),
    ] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 picks a free one.")] = None,
    index: Annotated[
        Path | None,
        typer.Option(help="The index file, reused after a restart; without it, a temporary one."),
    ] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
) -> None:
    """Serve the web console: open incidents, data taken, silent sources, and operators' decisions.

    It runs beside the workers, reads the topics and writes only to the feedback topic.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    flags: dict[str, object] = {"worker.bootstrap": bootstrap, "console.host": host, "console.port": port}
    config = settings(settings_file, dict(os.environ), flags)
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        fail("the console needs its extra: pip install 'crmwatch[console]'")
    with tempfile.TemporaryDirectory(prefix="crmwatch-console-") as folder:
        _run(config, index or Path(folder) / "index.sqlite")


def _run(config: Config, path: Path) -> None:
    from streams.console.service import Service
    from streams.console.store.index import IndexFileError
    from streams.console.web.auth import AccessError
    from streams.kafka.signing import SigningError

    listening = _listen(config.console.host, config.console.port)
    try:
        service = Service(config, path)
    except (AccessError, IndexFileError, DirectoryFileError, SigningError, OSError) as error:
        fail(str(error))
    scheme = "http" if config.console.cert_file is None else "https"
    where = f"[{config.console.host}]" if ":" in config.console.host else config.console.host
    errors().print(
        f"crmwatch console: {config.worker.bootstrap}, {scheme}://{where}:{listening.getsockname()[1]}/",
        soft_wrap=True,
    )
    try:
        reach(config.worker.bootstrap, config.kafka)
    except ConnectError as error:
        errors().print(Text(f"{plain(str(error))} The console keeps trying."), soft_wrap=True)
    asyncio.run(service.serve(listening))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        fail(f"the console cannot listen on {host}:{port}: {error.strerror or error}")
    return listening
