"""``crmwatch case``: makes a case file of evidence and drafts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from streams import __version__
from streams.case_file.bag import CaseError, make
from streams.cli.screen import fail, out, plain

__all__ = ["case"]


def case(
    folder: Annotated[Path, typer.Argument(help="The case file: a new folder.")],
    paths: Annotated[
        list[Path], typer.Argument(help="What goes into it: files and folders, copied as they are.")
    ],
    by: Annotated[str, typer.Option("--by", help="Who makes it.")],
    incident: Annotated[str, typer.Option(help="The incident's name, the alert's finding_info.uid.")] = "",
    keep_until: Annotated[str, typer.Option(help="When it is to be deleted: a date.")] = "",
) -> None:
    """Make a case file of evidence and drafts, which a stranger verifies with stock tools.

    Exit code: 0 made, 2 something that cannot go into it.
    """
    now = datetime.now(UTC)
    info = {
        "Bagging-Date": now.date().isoformat(),
        "Bag-Software-Agent": f"crmwatch {__version__}",
        "Contact-Name": by,
        **({"External-Identifier": incident} if incident else {}),
        **({"Keep-Until": keep_until} if keep_until else {}),
    }
    try:
        count = make(folder, paths, info, now.isoformat(timespec="seconds"), by)
    except CaseError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    out().print(plain(f"{folder}: {count} file{'' if count == 1 else 's'}"), markup=False)
