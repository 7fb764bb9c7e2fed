"""``crmwatch indicators``: sends known-bad addresses, networks, agents and apps to all workers."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from detector.indicators import MAX_BYTES, IndicatorsError, ParsedIndicators, parse
from detector.settings import Indicator
from streams.cli.operator_topic import send
from streams.cli.screen import errors, fail, out, plain, printable, settings

__all__ = ["indicators"]

SHOWN = 10
"""How many skipped entries are listed."""


def indicators(
    paths: Annotated[list[Path], typer.Argument(help="STIX 2 or MISP in JSON, CSV, or one address a line.")],
    name: Annotated[
        str | None, typer.Option(help="The name for indicators without one of their own.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Withdraw them instead.")] = False,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="Print them as settings for a replay; send nothing.")
    ] = False,
    bootstrap: Annotated[
        str | None, typer.Option(help="Kafka's host:port; separate several with commas.")
    ] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
) -> None:
    """Send indicators to the topic that workers read; they apply from the next event on.

    Exit code: 0 sent, even if some entries were skipped, 2 an unreadable file, nothing that can be looked up, bad
    settings or no Kafka.
    """
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    config = settings(settings_file, dict(os.environ), {"worker.bootstrap": bootstrap})
    found: dict[str, Indicator] = {}
    skipped: list[str] = []
    counts: Counter[str] = Counter()
    for path in paths:
        one = _read(path, name)
        found |= one.indicators
        skipped += [f"{path}: {sentence}" for sentence in one.passed_over[: SHOWN + 1]]
        counts.update(one.counts)
    for sentence in skipped[:SHOWN]:
        errors().print(Text(plain(f"skipped: {sentence}"), "dim"), soft_wrap=True)
    if counts.total() > 1:
        errors().print(Text(plain(f"skipped in all: {_listed(counts)}"), "dim"), soft_wrap=True)
    if not found:
        what = f": {_listed(counts)}" if counts else ""
        fail(f"nothing in {', '.join(map(str, paths[:3]))} can be looked up{what}")
    if as_toml:
        tables = {value: _kept(indicator) for value, indicator in found.items()}
        sys.stdout.write(printable(msgspec.toml.encode({"detection": {"indicators": tables}})).decode())
        return
    values = ((value, None if remove else msgspec.json.encode(_kept(one))) for value, one in found.items())
    send(config, config.topics.indicators, values)
    done = "withdrawn from" if remove else "sent to"
    out().print(Text(f"{len(found):,} indicators {done} {config.topics.indicators}"), soft_wrap=True)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in counts.most_common())


def _read(path: Path, name: str | None) -> ParsedIndicators:
    try:
        with path.open("rb") as file:
            return parse(file.read(MAX_BYTES + 1), name or path.stem)
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}")
    except IndicatorsError as error:
        fail(f"{path}: {error}")


def _kept(indicator: Indicator) -> dict[str, Any]:
    """The indicator without its default values."""
    plainly = Indicator(name=indicator.name)
    return {
        key: value
        for key, value in msgspec.structs.asdict(indicator).items()
        if key == "name" or value != getattr(plainly, key)
    }
