"""``crmwatch verify``: verifies a case file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.case_file.bag import verify as wrong_in
from streams.cli.screen import fail, out, plain

__all__ = ["verify"]


def verify(folder: Annotated[Path, typer.Argument(help="The case file.")]) -> None:
    """Verify a case file: every file, the manifests and the custody log.

    Exit code: 0 whole, 1 something has changed, 2 unreadable.
    """
    if not folder.is_dir():
        fail(f"{folder}: is no folder")
    try:
        wrong = wrong_in(folder)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    for line in wrong:
        out().print(plain(line), markup=False, soft_wrap=True)
    if wrong:
        raise typer.Exit(1)
    out().print("whole: every file is as it was when the case file was made")
