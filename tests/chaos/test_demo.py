"""The README's first command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(240)
def test_the_demo_shows_the_theft_and_leaves_nothing_behind() -> None:
    """`crmwatch demo` prints the theft's alert with its reason and steps, and ends all that it started."""
    command = [sys.executable, "-m", "streams.cli.main", "demo", "--seconds", "70"]
    marker = f"demo-{os.getpid()}"
    environment = os.environ | {"COLUMNS": "200", "DEMO_MARKER": marker}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    said = " ".join(line.strip("│ ") for line in done.stdout.splitlines())
    assert re.search(
        r"0054R9000000000QAA\b[^╯]*192\.0\.2\.77[^╯]*bulk export|bulk export[^╯]*192\.0\.2\.77", said
    ), said
    assert "revoke its tokens" in said
    assert "http://127.0.0.1:" in said
    assert _processes(marker) == []


def _processes(marker: str) -> list[str]:
    """Processes, other than this one, that have the marker in their environment."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if marker.encode() in Path(entry.path, "environ").read_bytes():
                    found.append(entry.name)
            except OSError:
                continue
    return found
