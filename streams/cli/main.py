"""``crmwatch``: the command line with all commands."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from streams.cli.bench import PASS_ON, bench
from streams.cli.broker import broker
from streams.cli.check import check
from streams.cli.console import console
from streams.cli.demo import demo
from streams.cli.evaluate import evaluate
from streams.cli.indicators import indicators
from streams.cli.publish import publish
from streams.cli.replay import replay
from streams.cli.simulate import simulate
from streams.cli.tail import tail
from streams.cli.topics import topics
from streams.cli.worker import worker

__all__ = ["app", "main"]

app = typer.Typer(
    name="crmwatch",
    help="Detects data exfiltration from your CRM: early, explained alerts from its access logs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    demo,
    replay,
    simulate,
    evaluate,
    check,
    worker,
    console,
    tail,
    publish,
    indicators,
    topics,
    broker,
):
    app.command()(command)
app.command(context_settings=PASS_ON)(bench)


def _version(value: bool) -> None:
    if value:
        typer.echo(version("crmwatch"))
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
