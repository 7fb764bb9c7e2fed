"""Every test in this folder needs a broker, most of them one of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this folder's tests ``kafka``."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("kafka")
