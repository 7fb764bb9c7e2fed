"""``crmwatch train``: makes the evidence model anew from simulated worlds."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from detector.simulation import Format
from detector.simulation.training import STARTING, Recipe, fit
from detector.triage.evidence import EvidenceTrees
from streams import __version__
from streams.atomic_file import AtomicFile, assert_writable
from streams.cli.progress import progress
from streams.cli.screen import fail, plain
from streams.training.worlds import TrainingWorld, candidates, detect

__all__ = ["train"]


def train(
    out: Annotated[Path, typer.Argument(help="The file to write the model to, as JSON.")],
    seeds: Annotated[
        str, typer.Option(help="The worlds' seeds: a range as 1-40, or several with commas.")
    ] = "1-40",
    days: Annotated[int, typer.Option(min=7, max=366, help="Number of days of each world.")] = 35,
    people: Annotated[
        int | None,
        typer.Option(min=5, max=5_000, help="Number of employees of each company; default as its seed says."),
    ] = None,
    trees: Annotated[int, typer.Option(min=1, max=2_000, help="Number of trees.")] = 150,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Worlds simulated and replayed at once.")] = 2,
) -> None:
    """Make the evidence model anew from simulated worlds whose thefts are known.

    Seeds take the three formats in turn. The same worlds and options give the same file, byte for byte.

    Exit code: 0 written, 2 bad options, no scikit-learn, or a file that cannot be written.
    """
    worlds = [
        TrainingWorld(seed=seed, format=list(Format)[seed % len(Format)], days=days, people=people)
        for seed in _seeds(seeds)
    ]
    recipe = Recipe(trees=trees)
    try:
        assert_writable(out)
        with progress("simulating …") as show:
            forest = _trained(worlds, recipe, processes, show)
    except ImportError as error:
        fail(f"crmwatch train needs scikit-learn ({error}): pip install 'crmwatch[train]'")
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror or error}")
    with AtomicFile(out) as file:
        file.write(msgspec.json.encode(forest) + b"\n")
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    typer.echo(f"{plain(str(out))}: {len(worlds)} worlds, {len(forest.feature)} trees, SHA-256 {digest}")


def _trained(
    worlds: list[TrainingWorld], recipe: Recipe, processes: int, show: Callable[[str], None]
) -> EvidenceTrees:
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(processes) as pool:
        detected = []
        for number, one in enumerate(pool.map(partial(detect, folder=Path(folder)), worlds), 1):
            detected.append(one)
            show(f"{number} of {len(worlds)} worlds simulated")
        forest = STARTING
        for number in range(1, recipe.rounds + 1):
            show(f"round {number} of {recipe.rounds}")
            forest = fit(list(pool.map(partial(candidates, forest=forest), detected)), recipe)
    return msgspec.structs.replace(
        forest,
        recipe={
            "crmwatch": __version__,
            "worlds": msgspec.to_builtins(worlds),
            "growing": msgspec.to_builtins(recipe),
        },
    )


def _seeds(text: str) -> list[int]:
    """The seeds of a list of numbers and ranges."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            fail(f"--seeds takes numbers and ranges as 1-40,60, not {plain(text)}")
        found += range(int(first), int(last or first) + 1)
    if not found:
        fail(f"--seeds {plain(text)} names none")
    return found
