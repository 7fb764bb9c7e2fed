"""Draws the README's pictures from real runs: ``python docs/pictures/make.py`` (needs the extra ``broker``)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from detector.simulation import Theft, World, records
from detector.units import HOUR_MS

HERE = Path(__file__).parent
WIDTH = 110
START_MS = 1_772_409_600_000  # 2026-03-02

# Rich's own, without the fonts that it would fetch.
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; font-variant-east-asian: full-width}}
.{unique_id}-title {{font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif}}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


def main() -> None:
    """Both pictures."""
    draw("demo", "crmwatch demo", run(["demo", "--seconds", "85"]))
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "skyward"
        logs.mkdir()
        theft = Theft(start_ms=START_MS + (17 * 24 + 3) * HOUR_MS + 600_000)
        world = World(seed=3, start_ms=START_MS, hours=24 * 18 + 6, people=60, integrations=5)
        rows = (record for _, record in records(world, theft))
        (logs / "2026-03.jsonl").write_bytes(b"\n".join(rows) + b"\n" + b'{"EVENT_TYPE": "API", "TIMEST\n')
        draw("replay", "crmwatch replay skyward", run(["replay", "skyward"], cwd=folder))


def run(arguments: list[str], cwd: str | None = None) -> str:
    """What a command prints in a terminal."""
    colours = {"COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TTY_INTERACTIVE": "0"}  # but no spinners
    environment = os.environ | colours | {"PYTHONPATH": str(HERE.parents[1])}
    command = [sys.executable, "-m", "streams.cli.main", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout


def draw(name: str, title: str, text: str) -> None:
    """An SVG of a terminal."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere)
        console.print(Text.from_ansi(text.strip("\n")))
    console.save_svg(str(HERE / f"{name}.svg"), title=title, code_format=SVG)


if __name__ == "__main__":
    main()
