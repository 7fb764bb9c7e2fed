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

from detector.adapters import Adapter, RecordError, Rejection
from detector.event import AccessEvent
from streams.cli.check_directory import check_names
from streams.cli.mapping_proposal import propose_mapping
from streams.cli.screen import counted_records, out, plain, printable
from streams.config import Config, ConfigError, load
from streams.files.description import FileDescription, describe
from streams.files.paths import ReadError, files_of, skipped_files
from streams.files.reader import FileRecord, decode_raw, read
from streams.files.skipped import SkippedFile
from streams.kafka.topics import TopicsError, compare, plan
from streams.plugins import NO_PLUGINS, PluginError, adapter_names, discover

__all__ = ["check"]

SAMPLE_RECORDS = 20_000
"""How many records of each path are checked."""
SHOWN_REASONS = 3
DESCRIBED_FILES = 200
"""How many files of each path are described."""
PROPOSAL_RECORDS = 200
"""How many records a mapping is proposed from."""


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
    mapping: str = ""
    """A block for the settings file that reads the records, as far as one can be guessed."""


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
        typer.echo(printable(msgspec.json.encode({"findings": findings})))
    else:
        out().print(_table(findings))
        for finding in findings:
            if finding.mapping:
                lines = [plain(line) for line in finding.mapping.splitlines()]
                out().print(Text("\n" + "\n".join(lines)), soft_wrap=True)
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
    sample = _Sample()
    try:
        files = list(files_of(path))
        skipped = list(skipped_files([path]))
        for raw in islice(read([path], adapters), SAMPLE_RECORDS):
            sample.add(raw, decode_raw(raw, adapters))
        kinds = _Kinds([describe(file, adapters) for file in files[:DESCRIBED_FILES] if file != "-"])
    except ReadError as error:
        return CheckResult(path, CheckState.BAD, str(error), _advice(str(error)))
    passed_over = _passed_over(skipped)
    what = f"{kinds.text}; " if kinds.text else ""
    if not sample.total:
        return _no_records(path, kinds, passed_over)
    if not sample.by_adapter:
        mapping = propose_mapping(sample.unknown, path)
        detail = f"{what}none of {counted_records(sample.total)} can be read ({sample.example}){passed_over}"
        return CheckResult(path, CheckState.BAD, detail, sample.mend(mapping), mapping)
    read_as = ", ".join(f"{count:,} {name}" for name, count in sample.by_adapter.most_common())
    if sample.reasons:
        shown = ", ".join(
            f"{count:,} {reason}" for reason, count in sample.reasons.most_common(SHOWN_REASONS)
        )
        return CheckResult(
            path, CheckState.ODD, f"{what}{read_as}; unreadable: {shown} ({sample.example}){passed_over}",
            "These become dead letters; check whether they matter.",
        )  # fmt: skip
    return CheckResult(
        path, CheckState.GOOD, f"{what}{sample.total:,} records checked: {read_as}{passed_over}"
    )


class _Sample:
    """The first records of a path, and what came of them."""

    def __init__(self) -> None:
        self.by_adapter: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.example = ""
        self.unknown: list[bytes] = []
        """Some records that no adapter recognises."""
        self.faults = 0
        """Files and pieces that are no records at all; each says what it is."""

    @property
    def total(self) -> int:
        """How many records there are."""
        return self.by_adapter.total() + self.reasons.total()

    def add(self, raw: FileRecord, result: AccessEvent | RecordError) -> None:
        """Count a record."""
        if not isinstance(result, RecordError):
            self.by_adapter[result.origin.adapter] += 1
            return
        self.reasons[f"{result.adapter or 'no adapter'}: {result.reason}"] += 1
        self.example = self.example or f"{result.position}: {result.detail}"
        self.faults += bool(raw.fault)
        if result.reason is Rejection.UNKNOWN_FORMAT and len(self.unknown) < PROPOSAL_RECORDS:
            self.unknown.append(raw.record)

    def mend(self, mapping: str) -> str:
        """What helps if none can be read."""
        if mapping:
            return (
                "Paste the mapping below into the settings, correct it as docs/formats.md says, and check again"
                " with --settings."
            )
        if self.faults == self.total:
            return "Follow what is said above, then check again."
        return "Describe the format with a mapping: docs/formats.md says how."


class _Kinds:
    """What the files of a path are."""

    def __init__(self, found: list[FileDescription]) -> None:
        kinds = Counter(description.kind for description in found)
        parts = [
            f"{count:,} × {kind}" if count > 1 else kind for kind, count in kinds.most_common(SHOWN_REASONS)
        ]
        self.text = ", ".join(parts) + (" and others" if len(kinds) > SHOWN_REASONS else "")
        self.rowless = bool(found) and all(description.rowless for description in found)


def _no_records(path: str, kinds: _Kinds, passed_over: str) -> CheckResult:
    if kinds.rowless:
        return CheckResult(path, CheckState.GOOD, f"{kinds.text}; no rows{passed_over}")
    return CheckResult(
        path, CheckState.ODD, f"{kinds.text or 'no file to read'}; there are no records{passed_over}",
        "Check whether the export has been finished, and whether this is where the logs are.",
    )  # fmt: skip


def _passed_over(skipped: list[SkippedFile]) -> str:
    """The files that are no logs, in a few words."""
    if not skipped:
        return ""
    named = ", ".join(f"{file.path} ({file.reason})" for file in skipped[:SHOWN_REASONS])
    more = f" and {len(skipped) - SHOWN_REASONS:,} more" if len(skipped) > SHOWN_REASONS else ""
    return f"; passed over: {named}{more}"


def _advice(error: str) -> str:
    """What helps against a path that cannot be opened."""
    if "needs the extra" in error:
        return "Install it, then check again."
    return "Name a file, a folder or a glob that exists and may be read."


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
            detail.append(f"\n{plain(finding.mend)}", style="bold")
        table.add_row(
            Text(plain(finding.what)), Text(finding.state.value, style=_COLOURS[finding.state]), detail
        )
    return table
