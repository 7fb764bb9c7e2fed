"""A real Alertmanager for tests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped, unused-ignore]

from tests.deploy.deployed import DEPLOY, free_port, read, tool
from tests.deploy.receivers import Received, answers, ours, wait_for


@pytest.fixture
def received() -> Iterator[Received]:
    """Receivers for one test."""
    found = Received()
    yield found
    found.close()


@pytest.fixture
def alertmanager(received: Received, tmp_path: Path) -> Iterator[str]:
    """The address of a real Alertmanager with the shipped configuration, but test receivers and shorter waits."""
    program = tool("alertmanager", "prometheus-alertmanager")
    config = ours(read(DEPLOY / "alertmanager" / "alertmanager.yml"), received, tmp_path)
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    port = free_port()
    with (tmp_path / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={path}",
                f"--storage.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{address}/-/ready"), tmp_path / "alertmanager.log")
        yield address
    finally:
        process.terminate()
        process.wait(20)
