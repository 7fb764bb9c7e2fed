"""What lies in deploy/, read once for all tests."""

from __future__ import annotations

import functools
import re
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
import yaml  # type: ignore[import-untyped, unused-ignore]

from streams.cli.main import COMMANDS, load_command
from streams.config import Config, ConfigError, load
from streams.console.metrics import METRICS as CONSOLE
from streams.console.metrics import PATH
from streams.worker.metric_definitions import METRICS as WORKER

UsageError: Any = typer.BadParameter.__base__  # typer does not name it
ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
METRICS = (*WORKER, *CONSOLE)
"""Every metric, of workers and of the console."""
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
EXPORTED = {f"crmwatch_{metric.name}{suffix}" for metric in METRICS for suffix in SUFFIXES[metric.type]}


def read(path: Path) -> Any:
    """A YAML file's only document."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@functools.cache
def rules() -> tuple[dict[str, Any], ...]:
    """Every rule of Prometheus's, in the order of files and groups."""
    return tuple(
        rule
        for path in sorted(DEPLOY.glob("prometheus/rules/*.yml"))
        for group in read(path)["groups"]
        for rule in group["rules"]
    )


def alerts() -> dict[str, dict[str, Any]]:
    """Prometheus's alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> set[str]:
    """The series that recording rules make."""
    return {rule["record"] for rule in rules() if "record" in rule}


def unknown(expression: str) -> set[str]:
    """The metrics of crmwatch that a query names and that neither a worker nor a rule makes."""
    text = re.sub(r'"[^"]*"', "", expression)
    return {
        name
        for name in re.findall(r"\bcrmwatch[_:][a-zA-Z0-9_:]+", text)
        if name not in EXPORTED | recorded()
    }


def tool(*names: str) -> str:
    """A program by the first of its names that is on PATH; without any, the test is skipped."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"there is no {names[0]} on this machine")


def free_port() -> int:
    """A port of this machine's that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def anchors(page: Path) -> set[str]:
    """What a page's headings can be linked to by."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def variables() -> set[str]:
    """The environment variables that are settings."""
    return {
        f"CRMWATCH_{section.name}_{field.name}".upper()
        for section in msgspec.structs.fields(Config)
        for field in msgspec.structs.fields(section.type)
    }


def refused(arguments: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Why a command of ours with these arguments and this environment would not start, or ``None``."""
    name, *rest = arguments
    if name not in COMMANDS:
        return f"there is no command {name}"
    try:
        load_command(name).make_context(name, list(rest))
        load(None, {key: str(value) for key, value in environment.items() if key.startswith("CRMWATCH_")})
    except (UsageError, ConfigError) as error:
        return str(error)
    return None


def served() -> dict[str, set[str]]:
    """The paths that each command answers to by HTTP."""
    return {
        "worker": set(
            re.findall(
                r'"(/\w+)"', (ROOT / "streams" / "worker" / "health_endpoint.py").read_text(encoding="utf-8")
            )
        ),
        "console": {
            PATH,
            *re.findall(
                r'Route\("(/\w+)"',
                (ROOT / "streams" / "console" / "web" / "server.py").read_text(encoding="utf-8"),
            ),
        },
    }
