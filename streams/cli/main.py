"""``crmwatch``: the command line; each command is imported when it is called."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from streams import __version__

__all__ = ["COMMANDS", "app", "load_command", "main"]

COMMANDS = {
    "demo": "Run everything here: a real Kafka, two workers, the console, three weeks of history, "
    "live traffic, and a theft.",
    "replay": "Read a CRM's access logs from files and report who exported more than they should.",
    "scope": "Bound what an intruder read, for each object, and say what was not touched.",
    "simulate": "Generate weeks of a company's CRM logs, with attacks and benign look-alikes, all labelled.",
    "evaluate": "Score alerts: rows saved, attacks missed, and false positives.",
    "train": "Make the evidence model anew from simulated worlds whose thefts are known.",
    "check": "Check the settings, logs if paths are given, and Kafka on request: what is wrong and "
    "how to fix it.",
    "worker": "Read the access topic continuously and publish alerts. Start several: they share the "
    "partitions.",
    "console": "Serve the web console: open incidents, data taken, silent sources, and operators' decisions.",
    "tail": "Show the open incidents live: a table in a terminal, one line per alert elsewhere.",
    "publish": "Publish a CRM's access logs from files, in event-time order and keyed by identity.",
    "indicators": "Send indicators to the topic that workers read; they apply from the next event on.",
    "directory": "Send the directory's entries to the topic that workers and consoles read; names and owners show "
    "from then on.",
    "notify": "Draft the notification of a breach, the letters and the register; show the clocks. People decide and "
    "send.",
    "case": "Make a case file of evidence and drafts, which a stranger verifies with stock tools.",
    "verify": "Verify a case file: every file, the manifests and the custody log.",
    "suppliers": "List every app that reads the CRM: what it takes, from where, since when, and what is a weak link.",
    "sign": "Sign again what operators have sent: after the first key, or with a new one.",
    "topics": "Create missing topics and report what differs from the plan; never change existing topics.",
    "backup": "Copy what stopped workers know, decisions and alerts to one file.",
    "restore": "Put a backup into a cluster, so that workers continue from it.",
    "broker": "Run a real Apache Kafka on this machine until Ctrl-C: no Docker and no Java needed.",
    "bench": "Run a benchmark of this checkout and print its figures; further options go to the benchmark.",
}
"""Command → the first paragraph of its docstring, so that help and completion import none of them."""
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""The context of ``bench``: options it does not know are the benchmark's."""


def load_command(name: str) -> Any:
    """Import a command by its name."""
    program = typer.Typer(add_completion=False)
    function = getattr(importlib.import_module(f"streams.cli.{name}"), name)
    program.command(name, context_settings=PASS_ON if name == "bench" else None)(function)
    return get_command(program)


class _Commands(TyperGroup):
    """Lists the commands by `COMMANDS` and imports the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, None if listed is None else load_command(str(listed.name)), rest


app = typer.Typer(
    name="crmwatch",
    cls=_Commands,
    help="Detects data exfiltration from your CRM: early, explained alerts from its access logs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _listed() -> None:
    """Stand for a command that has not been imported."""


for _name, _sentence in COMMANDS.items():
    app.command(_name, help=_sentence)(_listed)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})


def main() -> None:
    """Entry point of the console script; a full or failing disk ends it with a sentence and exit code 2."""
    try:
        try:
            app()
        finally:
            with suppress(BrokenPipeError):
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in _DISK:
            raise
        from streams.cli.screen import plain  # which the help can do without

        what = error.filename or "the output"
        with suppress(OSError):
            sys.stderr.write(f"{plain(str(what))}: cannot be written: {error.strerror}\n")
            sys.stderr.flush()
        os._exit(2)  # what is left in the buffers cannot be written either


if __name__ == "__main__":
    main()
