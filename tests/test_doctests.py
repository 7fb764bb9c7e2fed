"""The examples in docstrings are run, so that they stay true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import detector
import streams

# Faust reads the command line and may change the event loop when it is imported; what imports it has no examples.
SIDE_EFFECTS = {"streams.worker.worker", "streams.worker.consumer"}
MODULES = sorted(
    module.name
    for package in (detector, streams)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if module.name not in SIDE_EFFECTS and not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    """Each example in a module's docstrings gives what it says."""
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_there_are_examples() -> None:
    """They are found where they are, in both halves."""
    finder = doctest.DocTestFinder()
    examples = {
        name: sum(len(test.examples) for test in finder.find(importlib.import_module(name)))
        for name in MODULES
    }
    assert examples["detector.identity.ledger"] >= 5
    assert examples["streams.kafka.messages"] >= 1
