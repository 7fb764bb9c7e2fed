from __future__ import annotations

from typing import Any

import pytest

from detector.response.selection import Selection
from tests.detector.make import START_MS, event

INTRUDER = event(0, ip="192.0.2.7", app="loader", session="s")


@pytest.mark.parametrize(
    ("criteria", "met"),
    [
        ({}, True),
        ({"identities": frozenset({"t/u"})}, True),
        ({"identities": frozenset({"t/other"})}, False),
        ({"addresses": frozenset({"192.0.2.7"})}, True),
        ({"addresses": frozenset({"192.0.2.8"})}, False),
        ({"apps": frozenset({"loader"}), "sessions": frozenset({"s"})}, True),
        ({"apps": frozenset({"loader"}), "sessions": frozenset({"r"})}, False),
        ({"since_ms": START_MS, "until_ms": START_MS + 1}, True),
        ({"since_ms": START_MS + 1}, False),
        ({"until_ms": START_MS}, False),
    ],
)
def test_an_event_is_the_intruders_if_it_meets_every_criterion(criteria: dict[str, Any], met: bool) -> None:
    """An event is selected exactly if it meets every criterion given."""
    assert Selection(**criteria).matches(INTRUDER) is met
