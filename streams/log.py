"""The service's log: one line per event, as JSON or as text.

Logged text may come from somebody else; it can neither start a line of its own nor move a terminal's cursor. At info
and above, nothing from a record is logged.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import traceback
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, TextIO

__all__ = ["FIELDS", "LineFormatter", "LogFormat", "instance_name", "last_words", "set_up"]

FIELDS = ("partition", "partitions", "keys", "seconds")
"""Fields allowed beside the message, through logging's `extra`."""
MAX_MESSAGE = 8_000
"""How many characters of a message are kept."""
MAX_ERROR = 32_000
"""How many of an error with its traceback: the last ones, which name the error."""


class LogFormat(StrEnum):
    """The form of the log."""

    AUTO = "auto"
    """Text to a terminal, JSON to anything else."""
    JSON = "json"
    TEXT = "text"


class LineFormatter(logging.Formatter):
    """Makes a record one line of JSON or, with a traceback indented below it, of text.

    >>> record = logging.makeLogRecord({"msg": "read\\n{}", "levelname": "INFO", "name": "x", "created": 0.0})
    >>> LineFormatter("w1", as_json=False).format(record)
    '1970-01-01T00:00:00.000Z INFO x read\\\\n{}'
    >>> LineFormatter("w1", as_json=True).format(record)
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","logger":"x","message":"read\\\\n{}","instance":"w1"}'
    """

    def __init__(self, instance: str, *, as_json: bool) -> None:
        super().__init__()
        self._instance = instance
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:23] + "Z"
        message = _message(record)[:MAX_MESSAGE]
        error = _error(record)[-MAX_ERROR:]
        fields = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if self._as_json:
            values = {"time": time, "level": record.levelname.lower(), "logger": record.name}
            values |= {"message": message, "instance": self._instance, **fields}
            if error:
                values["error"] = error
            return json.dumps(_encodable(values), separators=(",", ":"), default=str)
        more = "".join(f" {name}={value}" for name, value in fields.items())
        lines = [f"{time} {record.levelname} {record.name} {message}{more}", *error.splitlines()]
        return "\n    ".join(_visible(line) for line in lines)


def set_up(form: LogFormat, instance: str | None, stream: TextIO | None = None) -> None:
    """Log everything to standard error through one formatter: our own from info on, libraries' from warning on.

    Uncaught errors are logged as well.
    """
    global _lines
    stream = stream or sys.__stderr__ or sys.stderr
    as_json = form is LogFormat.JSON or (form is LogFormat.AUTO and not stream.isatty())
    _lines = LineFormatter(instance or instance_name(), as_json=as_json)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_lines)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("streams").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def instance_name() -> str:
    """The name of a worker without one: its machine and its process id."""
    return f"{socket.gethostname()}-{os.getpid()}"


def last_words(message: str, logger: str, stack: str = "") -> bytes:
    """A final line, made without logging's locks: the thread that holds them may be the one that hangs."""
    if _lines is None:  # a process that keeps no log
        return f"crmwatch: {_visible(message)}\n".encode()
    values: dict[str, Any] = {"msg": message, "levelname": "CRITICAL", "name": logger}
    if stack:
        values["exc_text"] = stack
    return f"{_lines.format(logging.makeLogRecord(values))}\n".encode()


_lines: LineFormatter | None = None


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a library's mistake in a message must not cost us the message
        return f"{record.msg!r} {record.args!r}"


def _error(record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[1] is not None:
        return "".join(traceback.format_exception(*record.exc_info)).rstrip()
    return "\n".join(part for part in (record.exc_text, record.stack_info) if part)


def _encodable(value: Any) -> Any:
    """Escape lone surrogates, which are not valid JSON."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return value


def _visible(text: str) -> str:
    """Escape whatever a terminal or a line reader would obey."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def _uncaught(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger(__name__).critical("an unexpected error", exc_info=(kind, error, where))


def _uncaught_in_thread(hook: threading.ExceptHookArgs) -> None:
    name = hook.thread.name if hook.thread is not None else "?"
    logging.getLogger(__name__).critical(
        "the thread %s ended",
        name,
        exc_info=(hook.exc_type, hook.exc_value or hook.exc_type(), hook.exc_traceback),
    )
