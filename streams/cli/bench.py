"""``crmwatch bench``: the benchmarks of a checkout, under the one name by which everything else is found."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.screen import fail

__all__ = ["PASS_ON", "Benchmark", "bench"]

ROOT = Path(__file__).parents[2]
"""The checkout, if this is one: the benchmarks are no part of an installed package, nor is what they measure by."""
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""The command's context: what it does not know is for the benchmark."""


class Benchmark(StrEnum):
    """What there is to run: each is a script in ``benchmarks/``."""

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
    """Run a benchmark of the checkout that this is, and print its figures; further options are handed on to it.

    Exit code: the benchmark's own; 0 also where its public data is not there, 2 without a checkout.
    """
    script = ROOT / "benchmarks" / f"{name.value}.py"
    if not script.is_file() or not (ROOT / "pyproject.toml").is_file():
        fail(f"The benchmark {name.value} is run from a checkout of crmwatch; it is not part of the package.")
    given = [] if data is None else ["--data", str(data)]
    try:
        done = subprocess.run([sys.executable, str(script), *given, *context.args])  # noqa: S603 - our own script
    except KeyboardInterrupt:
        fail("Interrupted: the figures above are whole, the others are missing.", 130)
    raise typer.Exit(done.returncode)
