"""Says in a few words what a file is: its containers, its encoding and how records lie in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

import msgspec

from detector.adapters import Adapter
from streams.files.contents import Content, contents
from streams.files.framing import CsvTable, layout_of, text_window
from streams.files.pages import Pages
from streams.files.paths import ReadError

__all__ = ["FileDescription", "describe"]

MAX_MEMBERS = 1_000
"""How many files of an archive are looked at."""
_DELIMITERS = {",": "", "\t": " with tabs", " ": " with blanks"}


class FileDescription(msgspec.Struct, frozen=True):
    """What a file is."""

    kind: str
    """``zip of 3 files: CSV, 15 columns``; empty for a file that cannot be read."""
    names: tuple[str, ...] = ()
    """The columns of the first table in it."""
    rowless: bool = False
    """Whether it has headers and nothing else."""


def describe(path: str, adapters: Sequence[Adapter]) -> FileDescription:
    """What a file is, by the beginning of each file in it. Raises `ReadError` as `contents` does."""
    pages = Pages(adapters)
    kinds: Counter[str] = Counter()
    names: tuple[str, ...] = ()
    rowless = True
    layers: tuple[str, ...] = ()
    try:
        for content in islice(contents(path), MAX_MEMBERS):
            layers = layers or content.layers
            kind, columns, has_rows = _text_kind(content, pages)
            kinds[kind] += 1
            names = names or columns
            rowless = rowless and not has_rows
    except ReadError as error:
        return FileDescription(str(error))
    archived = "zip" in layers or "tar" in layers
    count = sum(kinds.values())
    inside = ", ".join(f"{number} × {kind}" if number > 1 else kind for kind, number in kinds.most_common(4))
    outside = " in ".join(reversed(layers))
    if archived:
        kind = f"{outside} of {count:,} file{'s' if count != 1 else ''}: {inside or 'nothing'}"
    else:
        kind = f"{outside}: {inside}" if outside else inside
    return FileDescription(kind, names, rowless and count > 0)


def _text_kind(content: Content, pages: Pages) -> tuple[str, tuple[str, ...], bool]:
    """What a file within a file is, its columns, and whether anything follows its header."""
    if content.file is None:
        return content.fault.removeprefix("it is ").partition(":")[0], (), True
    window = text_window(content.file)
    layout = layout_of(window, pages)
    encoding = "" if window.encoding == "UTF-8" else f" in {window.encoding}"
    if isinstance(layout, CsvTable):
        signs = _DELIMITERS.get(layout.delimiter, f" with {layout.delimiter}")
        while not window.data[window.at :].strip() and window.more():
            pass
        has_rows = bool(window.data[window.at :].strip())
        return f"CSV{signs}, {len(layout.names)} columns{encoding}", tuple(layout.names), has_rows
    if not len(window):
        return "an empty file", (), False
    return f"{layout.value}{encoding}", (), True
