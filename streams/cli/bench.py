"""``crmwatch bench``: runs the benchmarks of a checkout."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.screen import fail

__all__ = ["Benchmark", "bench"]

ROOT = Path(__file__).parents[2]
"""The checkout, if this is one: an installed package has neither the benchmarks nor their data."""


class Benchmark(StrEnum):
    """A script in ``benchmarks/``."""

    NAB = "nab"
    ADBENCH = "adbench"
    REPLAY = "replay"
    STREAM = "stream"
    LATENCY = "latency"
    RECOVERY = "recovery"
    WORLDS = "worlds"


def bench(
    context: typer.Context,
    name: Annotated[Benchmark, typer.Argument(help="Which one.")],
    data: Annotated[
        Path | None, typer.Option(help="The folder of the public data that nab and adbench read.")
    ] = None,
) -> None:
    """Run a benchmark of this checkout and print its figures; further options go to the benchmark.

    Exit code: the benchmark's own; 0 also if its public data is missing, 2 outside a checkout.
    """
    script = ROOT / "benchmarks" / f"{name.value}.py"
    if not script.is_file() or not (ROOT / "pyproject.toml").is_file():
        fail(f"The benchmark {name.value} runs from a checkout of crmwatch; the package does not include it.")
    data_option = [] if data is None else ["--data", str(data)]
    try:
        run = subprocess.run([sys.executable, str(script), *data_option, *context.args])  # noqa: S603 - our own script
    except KeyboardInterrupt:
        fail("Interrupted: the figures above are complete, the others are missing.", 130)
    raise typer.Exit(run.returncode)
