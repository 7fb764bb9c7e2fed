"""``crmwatch check``: checks settings, logs, broker and topics, and says how to fix what is wrong."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Column, Table
from rich.text import Text

from detector.adapters import Adapter, RecordError
from streams.cli.check_directory import check_names
from streams.cli.screen import out, plain
from streams.config import Config, ConfigError, load
from streams.files.reader import ReadError, decode_raw, read
from streams.kafka.topics import TopicsError, compare, plan
from streams.plugins import NO_PLUGINS, PluginError, adapter_names, discover

__all__ = ["check"]

SAMPLE_RECORDS = 20_000
"""How many records of each path are checked."""
SHOWN_REASONS = 3


class CheckState(StrEnum):
    """Whether something is in order."""

    GOOD = "good"
    ODD = "odd"
    BAD = "bad"


class CheckResult(msgspec.Struct, frozen=True):
    """The result of one check."""

    what: str
    state: CheckState
    detail: str
    mend: str = ""


def check(
    paths: Annotated[list[str] | None, typer.Argument(help="Logs to check: files, folders, globs.")] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="A TOML file.")] = None,
    kafka: Annotated[bool, typer.Option("--kafka", help="Check Kafka, too.")] = False,
    partitions: Annotated[int, typer.Option(min=1, help="Partitions that the topics should have.")] = 8,
    replication: Annotated[int, typer.Option(min=1, help="Copies that the topics should have.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Check the settings, logs if paths are given, and Kafka on request: what is wrong and how to fix it.

    Exit code: 0 everything is good, 1 something is odd, 2 something is bad.
    """
    findings: list[CheckResult] = []
    config = Config()
    try:
        config = load(settings_file, dict(os.environ), {}, adapter_names())
        findings.append(CheckResult("settings", CheckState.GOOD, _read_from(settings_file)))
    except ConfigError as error:
        findings.append(
            CheckResult(
                "settings", CheckState.BAD, str(error), "Correct this key; docs/settings.md lists them all."
            )
        )
    installed = NO_PLUGINS
    try:
        installed = discover()
    except PluginError as error:
        findings.append(CheckResult("plug-ins", CheckState.BAD, str(error), "Mend or uninstall it."))
    if installed.versions:
        detail = ", ".join(f"{name} of {version}" for name, version in installed.versions.items())
        findings.append(CheckResult("plug-ins", CheckState.GOOD, detail))
    findings += [_logs(path, config.adapters(plugins=installed.adapters)) for path in paths or []]
    adapters = config.adapters(plugins=installed.adapters)
    findings += [
        CheckResult(what, CheckState(state), detail, mend)
        for what, state, detail, mend in check_names(config, paths or [], adapters, SAMPLE_RECORDS)
    ]
    if kafka:
        findings.append(_kafka(config, partitions, replication))
    if as_json:
        typer.echo(msgspec.json.encode({"findings": findings}))
    else:
        out().print(_table(findings))
    if any(finding.state is CheckState.BAD for finding in findings):
        raise typer.Exit(2)
    if any(finding.state is CheckState.ODD for finding in findings):
        raise typer.Exit(1)


def _read_from(file: Path | None) -> str:
    names = sorted(name for name in os.environ if name.startswith("CRMWATCH_"))
    source = f"read from {file}" if file is not None else "the defaults"
    return f"{source}, with {', '.join(names)} from the environment" if names else source


def _logs(path: str, adapters: Sequence[Adapter]) -> CheckResult:
    """What the first records of a path are."""
    by_adapter: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    example = ""
    try:
        for raw in islice(read([path], adapters), SAMPLE_RECORDS):
            result = decode_raw(raw, adapters)
            if isinstance(result, RecordError):
                reasons[f"{result.adapter or 'no adapter'}: {result.reason}"] += 1
                example = example or f"{result.position}: {result.detail}"
            else:
                by_adapter[result.origin.adapter] += 1
    except ReadError as error:
        return CheckResult(path, CheckState.BAD, str(error), "Name a file, a folder or a glob that exists.")
    total = sum(by_adapter.values()) + sum(reasons.values())
    read_as = ", ".join(f"{count:,} {name}" for name, count in by_adapter.most_common())
    if not by_adapter:
        detail = f"none of {total:,} records can be read ({example})" if total else "there are no records"
        return CheckResult(
            path, CheckState.BAD, detail, "Describe the format with a mapping: docs/formats.md says how."
        )
    if reasons:
        shown = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common(SHOWN_REASONS))
        return CheckResult(
            path, CheckState.ODD, f"{read_as}; unreadable: {shown} ({example})",
            "These become dead letters; check whether they matter.",
        )  # fmt: skip
    return CheckResult(path, CheckState.GOOD, f"{total:,} records checked: {read_as}")


def _kafka(config: Config, partitions: int, replication: int) -> CheckResult:
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # its errors are reported once, below
    bootstrap = config.worker.bootstrap
    try:
        difference = compare(
            bootstrap, plan(partitions, replication, config.topics, config.retention), config.kafka
        )
    except TopicsError as error:
        return CheckResult(
            f"Kafka at {bootstrap}", CheckState.BAD, str(error),
            "Start it, or set worker.bootstrap; `crmwatch broker` starts one on this machine.",
        )  # fmt: skip
    what = f"topics at {bootstrap}"
    if difference.missing:
        names = ", ".join(topic.name for topic in difference.missing)
        return CheckResult(what, CheckState.BAD, f"missing: {names}", "`crmwatch topics` creates them.")
    if difference.differing:
        return CheckResult(
            what, CheckState.ODD, "; ".join(difference.differing), "`crmwatch topics` says what was planned."
        )
    return CheckResult(what, CheckState.GOOD, "all there, as planned")


_COLOURS = {CheckState.GOOD: "green", CheckState.ODD: "yellow", CheckState.BAD: "red"}


def _table(findings: list[CheckResult]) -> Table:
    table = Table(
        Column("what", overflow="fold"), Column("", no_wrap=True), Column("found", overflow="fold"), box=None
    )
    for finding in findings:
        detail = Text(plain(finding.detail))
        if finding.mend:
            detail.append(f"\n{finding.mend}", style="bold")
        table.add_row(
            Text(plain(finding.what)), Text(finding.state.value, style=_COLOURS[finding.state]), detail
        )
    return table
