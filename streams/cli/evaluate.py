"""``crmwatch evaluate``: scores alerts against a simulated world's labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from detector.adapters import RecordError
from detector.simulation import (
    Labels,
    Score,
    ScoredAlert,
    read_labels,
    score,
    scored_alert,
)
from detector.simulation import evaluate as evaluate_at
from detector.simulation.shapes import Difficulty, Shape
from detector.units import HOUR_MS
from streams.cli.screen import fail, out, printable
from streams.files.reader import ReadError, read_in_order

__all__ = ["baseline_scores", "evaluate"]


def evaluate(
    labels: Annotated[Path, typer.Argument(help="The labels that simulate wrote.")],
    alerts: Annotated[Path, typer.Argument(help="The alerts that replay --alerts wrote from the same logs.")],
    baselines: Annotated[
        list[str] | None,
        typer.Option(help="Logs to run five simple detectors on, for comparison. May be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Score alerts: rows saved, attacks missed, and false positives.

    Exit code: 0 scored, 2 unreadable labels or alerts.
    """
    truth = _labels(labels)
    published = _alerts(alerts)
    scores = {
        "crmwatch, in budget": score(truth, published),
        "crmwatch, as published": evaluate_at(truth, published, 0.0),
    }
    if baselines:
        try:
            scores |= baseline_scores(truth, baselines)
        except ReadError as error:
            fail(str(error))
    if as_json:
        typer.echo(printable(msgspec.json.encode(scores)))
    else:
        _show(truth, scores)


def baseline_scores(labels: Labels, paths: list[str]) -> dict[str, Score]:
    """The baselines' scores within the budget, over the logs in `paths`. Raises `ReadError`."""
    from detector.simulation.baselines import BaselineDetectors  # brings river's forests and scipy

    run = BaselineDetectors(labels.seed)
    for _, event in read_in_order(paths):
        if not isinstance(event, RecordError):
            run.observe(event)
    return {baseline.value: score(labels, found) for baseline, found in run.finish().items()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"{path}: {error.strerror or error}")


def _labels(path: Path) -> Labels:
    try:
        return read_labels(_read(path))
    except ValueError as error:
        fail(f"{path}: not a simulation's labels: {error}")


def _alerts(path: Path) -> list[ScoredAlert]:
    found = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        if line.strip():
            try:
                said = scored_alert(line)
            except ValueError as error:
                fail(f"{path}:{number}: not a finding: {error}")
            if said is not None:
                found.append(said)
    return found


def _show(labels: Labels, scores: dict[str, Score]) -> None:
    screen = out()
    screen.print(
        f"seed {labels.seed}, {labels.format}: {len(labels.identities)} identities, "
        f"{len(labels.attacks)} attacks, {len(labels.bursts)} benign bursts",
        markup=False,
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in (
        "",
        "headline",
        "rows lost",
        "recall",
        "precision",
        "findings",
        "false/day/1,000",
        "on bursts",
        "median time",
    ):
        table.add_column(title, justify="right" if title else "left")
    for name, found in scores.items():
        table.add_row(
            name,
            f"{found.headline:.3f}",
            f"{found.rows_lost:.2f}",
            f"{found.recall:.2f}",
            "-" if found.precision is None else f"{found.precision:.2f}",
            str(found.findings),
            f"{found.false_a_day:.2f}",
            str(found.false_on_bursts),
            _span(found.median_delay_ms),
        )
    screen.print(table)
    main = next(iter(scores.values()))
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("attack", "level", "saved", "time to alert"):
        table.add_column(title, justify="right" if title in ("saved", "time to alert") else "left")
    order = {shape: number for number, shape in enumerate(Shape)} | {
        level: n for n, level in enumerate(Difficulty)
    }
    for one in sorted(main.attacks, key=lambda one: (order[one.shape], order[one.level])):
        saved = f"{one.saved:.2f}" if one.found else "missed"
        table.add_row(one.shape.value, one.level.value, saved, _span(one.delay_ms))
    screen.print(table)


def _span(time_ms: float | None) -> str:
    if time_ms is None:
        return "-"
    hours = time_ms / HOUR_MS
    return (
        f"{hours / 24:.1f} d" if hours >= 48 else f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
    )
