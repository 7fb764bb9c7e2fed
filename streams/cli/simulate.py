"""``crmwatch simulate``: generates a labelled world's logs from a seed."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from detector.simulation import Format, Labels, Scenario, Simulation
from detector.simulation.directory import as_csv
from detector.simulation.networks import networks_csv
from detector.simulation.shapes import Shape
from streams.cli.progress import progress
from streams.cli.screen import fail
from streams.cli.screen import out as screen

__all__ = ["simulate", "write_world"]


class Formats(StrEnum):
    """The values of ``--format``."""

    ELF = "elf"
    RTEM = "rtem"
    UAL = "ual"
    ALL = "all"


def simulate(
    out: Annotated[Path, typer.Argument(help="The output folder; each format gets a folder in it.")],
    seed: Annotated[int, typer.Option(min=0, help="The seed; each seed is another company.")] = 1,
    days: Annotated[int, typer.Option(min=1, max=366, help="Number of days.")] = 42,
    people: Annotated[
        int | None,
        typer.Option(min=1, max=5_000, help="Number of employees; without it the seed says (80 to 600)."),
    ] = None,
    log_format: Annotated[Formats, typer.Option("--format", help="The format of the logs.")] = Formats.ELF,
    attack_shapes: Annotated[
        str | None,
        typer.Option(help="Only these attacks, separated by commas; default all; none for no attack."),
    ] = None,
    ordinary: Annotated[
        bool, typer.Option("--ordinary", help="An ordinary company of 250 employees, whatever the seed.")
    ] = False,
    compress: Annotated[bool, typer.Option("--gzip", help="Compress the files.")] = False,
) -> None:
    """Generate weeks of a company's CRM logs, with attacks and benign look-alikes, all labelled.

    Exit code: 0 everything is written, 2 a folder that cannot be written or is not empty.
    """
    shapes = _shapes(attack_shapes)
    formats = [Format(log_format.value)] if log_format is not Formats.ALL else list(Format)
    for each in formats:
        scenario = Scenario(
            seed=seed, format=each, days=days, people=people, shapes=shapes, varied=not ordinary
        )
        with progress(f"{each.value} …") as show:

            def on_records(records: int, show: Callable[[str], None] = show) -> None:
                show(f"{records:,} records")

            try:
                labels = write_world(
                    scenario,
                    out / each.value,
                    compress=compress,
                    on_records=on_records,
                )
            except OSError as error:
                fail(f"{error.filename or out}: cannot be written: {error.strerror or error}")
        screen().print(
            Text(
                f"{labels.records:,} records of {len(labels.identities)} identities, {len(labels.attacks)} attacks: "
                f"{out / each.value / 'logs'}, {out / each.value / 'labels.json'}; who is who: "
                f"{out / each.value / 'directory.csv'}"
            ),
            soft_wrap=True,
        )


def write_world(
    scenario: Scenario,
    folder: Path,
    *,
    compress: bool = False,
    on_records: Callable[[int], None] = lambda records: None,
) -> Labels:
    """Write a world's logs into ``logs``, and beside them ``directory.csv``, ``networks.csv``,
    ``record_ids.csv`` and ``labels.json``.

    Raises OSError.

    The labels are written last: if they exist, the world is complete.
    """
    logs = folder / "logs"
    logs.mkdir(parents=True)
    world = Simulation(scenario)
    days: set[Path] = set()
    for file in world.files():
        path = logs / (f"{file.path}.gz" if compress else file.path)
        if path.parent not in days:
            path.parent.mkdir(exist_ok=True)
            days.add(path.parent)
            on_records(world.records)
        path.write_bytes(gzip.compress(file.data, 1, mtime=0) if compress else file.data)
    (folder / "directory.csv").write_text(as_csv(world.directory()), encoding="utf-8")
    (folder / "networks.csv").write_text(networks_csv(), encoding="utf-8")
    with (folder / "record_ids.csv").open("w", encoding="utf-8") as ids:
        ids.write("attack,object,record\n")
        ids.writelines(f"{attack},{name},{record}\n" for attack, name, record in world.record_ids())
    labels = world.labels()
    (folder / "labels.json").write_bytes(msgspec.json.format(msgspec.json.encode(labels), indent=1) + b"\n")
    return labels


def _shapes(text: str | None) -> tuple[Shape, ...]:
    if text is None:
        return tuple(Shape)
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["none"]:
        return ()
    try:
        return tuple(Shape(name) for name in names)
    except ValueError:
        fail(f"--attack-shapes takes {', '.join(Shape)} or none, not {text}")
