from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import detector

ROOT = Path(detector.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
FORBIDDEN = {
    "aiohttp",
    "aiokafka",
    "faust",
    "http.server",
    "kafka",
    "mode",
    "prometheus_client",
    "requests",
    "streams",
}
IMPORT_ALL = """
import importlib, pkgutil, sys
import detector
for module in pkgutil.walk_packages(detector.__path__, "detector."):
    importlib.import_module(module.name)
print("\\n".join(sys.modules))
"""


IMPURE_NAME = re.compile(
    r"time\.(time|monotonic|perf_counter|process_time)(_ns)?|time\.sleep|os\.(environ|getenv|urandom)"
    r"|(datetime\.)?(datetime|date)\.(now|utcnow|today)|random\.(?!Random$)\w+"
)
IMPURE_MODULE = re.compile(
    r"(logging|socket|subprocess|urllib\.request|http\.server"
    r"|aiohttp|aiokafka|faust|kafka|mode|prometheus_client|requests|streams)(\..*)?"
)


def impurities(tree: ast.AST) -> list[str]:
    """What a module's source does that a pure one must not."""
    modules: set[str] = set()
    sources: set[str] = set()
    names: set[str] = set()
    attributes: set[str] = set()
    unseeded: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            sources.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute):
            attributes.add(ast.unparse(node))
        elif isinstance(node, ast.Call) and not node.args and not node.keywords:
            called = ast.unparse(node.func)
            unseeded += [called] if called.endswith(("Random", "default_rng")) else []
    if "random" not in modules:
        attributes = {name for name in attributes if not name.startswith("random.")}  # a seeded generator's
    impure = [
        *filter(IMPURE_NAME.fullmatch, names | attributes),
        *filter(IMPURE_MODULE.fullmatch, modules | sources),
    ]
    return sorted(impure) + unseeded


def test_the_detector_imports_nothing_that_moves_data() -> None:
    """In a fresh interpreter all of the detector comes without Kafka, Faust, HTTP or the streams."""
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, timeout=120, check=True
    )
    loaded = set(ran.stdout.split())
    assert "detector.adapters.salesforce.elf" in loaded
    assert not loaded & FORBIDDEN


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_neither_clock_nor_environment(path: Path) -> None:
    """No module of the detector asks the clock, the environment, the network, a log or unseeded chance."""
    assert impurities(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\nx = time.time()",
        "from time import time",
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.datetime.now()",
        "import time\nx = time.monotonic_ns()",
        "from random import choice",
        "from random import Random\nx = Random()",
        "import os\nx = os.environ['A']",
        "from os import environ",
        "import socket",
        "import logging",
        "import random\nx = random.random()",
        "import random\nx = random.Random()",
        "import numpy\nx = numpy.random.default_rng()",
        "from streams.files.reader import read",
        "import faust",
    ],
)
def test_the_scan_sees_what_it_should(source: str) -> None:
    """Each kind of impurity is found where it is."""
    assert impurities(ast.parse(source))


def test_the_scan_lets_a_seed_pass() -> None:
    """Chance from a seed and times from events are pure."""
    source = "import random, datetime\nx = random.Random(7)\ny = datetime.datetime.fromtimestamp(0)"
    assert impurities(ast.parse(source)) == []
