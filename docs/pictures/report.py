"""Draws the README's picture of a report from a real run: ``python docs/pictures/report.py`` (needs a Chromium)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from detector.simulation.world import Theft, World, records
from detector.units import HOUR_MS

HERE = Path(__file__).parent
START_MS = 1_772_409_600_000  # 2026-03-02
WIDTH, MARGIN = 1280, 28


def main() -> None:
    """The top of the page, down to the first incident's stages."""
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "skyward"
        logs.mkdir()
        theft = Theft(start_ms=START_MS + (17 * 24 + 3) * HOUR_MS + 600_000)
        world = World(seed=3, start_ms=START_MS, hours=24 * 18 + 6, people=60, integrations=5)
        rows = [record for _, record in records(world, theft)]
        (logs / "2026-03.jsonl").write_bytes(b"\n".join(rows) + b"\n" + b'{"EVENT_TYPE": "API", "TIMEST\n')
        command = [sys.executable, "-m", "streams.cli.main", "replay", "skyward", "--report", "report.html"]
        environment = {"PYTHONPATH": str(HERE.parents[1])}
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        photograph(Path(folder) / "report.html", HERE / "report.png")


def photograph(page_file: Path, picture: Path) -> None:
    """A page's top as a picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_context(viewport={"width": WIDTH, "height": 900}, color_scheme="light").new_page()
        page.goto(page_file.as_uri())
        box = page.locator(".marks").first.bounding_box()
        assert box is not None
        height = box["y"] + box["height"] + MARGIN
        page.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
        browser.close()


if __name__ == "__main__":
    main()
