"""The rows of a Parquet file as JSON lines; needs the extra ``parquet``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from streams.files.paths import ReadError
from streams.files.window import ContentError

__all__ = ["parquet_lines"]

BATCH_ROWS = 256
"""How many rows are in memory at once."""


def parquet_lines(file: IO[bytes], name: str) -> _Lines:
    """A file of one JSON object per row, without its nulls; times are in ISO 8601.

    Raises `ReadError` without the extra, and `ContentError` for a file that is damaged.
    """
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ReadError(
            f"{name}: Parquet needs the extra 'parquet': pip install crmwatch[parquet]"
        ) from error
    try:
        return _Lines(_lines(parquet.ParquetFile(file)))
    except Exception as error:
        raise ContentError(
            f"it begins as a Parquet file and is damaged or cut off: {str(error)[:100]}"
        ) from error


class _Lines:
    """Lines as a file."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._left = b""

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        data = self._left or next(self._lines, b"")
        self._left = data[size:]
        return data[:size]


def _lines(parquet: Any) -> Iterator[bytes]:
    encode = msgspec.json.Encoder(enc_hook=str).encode
    for batch in parquet.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
        rows = _microseconds(batch).to_pylist(maps_as_pydicts="lossy")
        yield b"".join(encode(_plain(row)) + b"\n" for row in rows)


def _microseconds(batch: Any) -> Any:
    """A batch whose columns of nanoseconds, which Python's times do not have, are of microseconds."""
    pyarrow: Any = importlib.import_module("pyarrow")
    for number, field in enumerate(batch.schema):
        if pyarrow.types.is_timestamp(field.type) and field.type.unit == "ns":
            kind = pyarrow.timestamp("us", tz=field.type.tz)
            batch = batch.set_column(number, field.name, batch.column(number).cast(kind, safe=False))
    return batch


def _plain(value: object) -> object:
    """A value without nulls in its objects, and with the text of bytes that are text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value
    return value
