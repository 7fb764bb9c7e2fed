from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.log import FIELDS, MAX_ERROR, MAX_MESSAGE, LineFormatter, LogFormat

JSON = LineFormatter("w1", as_json=True)
TEXT = LineFormatter("w1", as_json=False)


def made(message: str, *arguments: object, **more: Any) -> logging.LogRecord:
    """A record, made at the beginning of 1970."""
    values = {
        "msg": message,
        "args": arguments,
        "levelname": "INFO",
        "name": "streams.worker.worker",
        "created": 0.0,
    }
    return logging.makeLogRecord(values | more)


def lines(formatter: LineFormatter, record: logging.LogRecord) -> list[str]:
    """The lines that anybody would take it for, whatever they take for a line's end."""
    return formatter.format(record).splitlines()


def test_a_record_is_an_object_with_known_fields() -> None:
    """Time, level, logger, message, instance, and of what else is said only what is allowed to be."""
    record = made("read %s", "x", levelname="WARNING", partition="crm.access/3", seconds=1.5, user="eve")
    assert json.loads(JSON.format(record)) == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "warning",
        "logger": "streams.worker.worker",
        "message": "read x",
        "instance": "w1",
        "partition": "crm.access/3",
        "seconds": 1.5,
    }
    assert TEXT.format(record) == (
        "1970-01-01T00:00:00.000Z WARNING streams.worker.worker read x partition=crm.access/3 seconds=1.5"
    )


def test_an_error_is_one_string_with_its_traceback() -> None:
    """In JSON a field of the same line; in text indented below it."""
    try:
        raise ValueError("no\n2026-01-01T00:00:00.000Z INFO streams.worker.worker all is well")
    except ValueError:
        record = made("it failed", exc_info=sys.exc_info())
    [line] = lines(JSON, record)
    error = json.loads(line)["error"]
    assert error.startswith("Traceback (most recent call last):\n")
    assert error.endswith("ValueError: no\n2026-01-01T00:00:00.000Z INFO streams.worker.worker all is well")
    first, *others = lines(TEXT, record)
    assert first.endswith("it failed")
    assert len(others) >= 4
    assert all(line.startswith("    ") for line in others)


@given(text=st.text(), field=st.sampled_from(FIELDS), value=st.text() | st.floats() | st.none())
def test_nothing_that_is_logged_makes_a_line(text: str, field: str, value: object) -> None:
    """Whatever is logged is one line, of JSON that can be read and in ASCII, or of text that can all be seen."""
    record = made("%s", text, **{field: value})
    [line] = lines(JSON, record)
    assert line.isascii()
    found = json.loads(line)
    if not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert found["message"] == text[:MAX_MESSAGE]
    [line] = lines(TEXT, record)
    assert line.isprintable()


def test_lines_are_bounded() -> None:
    """A message keeps its beginning, an error its end."""
    record = made("m" * 100_000 + "!", exc_text="?" + "e" * 100_000 + "!")
    found = json.loads(JSON.format(record))
    assert found["message"] == "m" * MAX_MESSAGE
    assert len(found["error"]) == MAX_ERROR
    assert found["error"].endswith("e!")


def test_a_message_that_does_not_fit_its_arguments_is_logged_all_the_same() -> None:
    """A mistake in a library's log line is no reason to lose it."""
    assert json.loads(JSON.format(made("%d of %d", "x")))["message"] == "'%d of %d' ('x',)"


PROGRAM = """
import logging, sys, threading, warnings
from streams.log import LogFormat, last_words, set_up
set_up(LogFormat(sys.argv[1]), None if sys.argv[2] == "-" else sys.argv[2])
logging.getLogger("streams.worker.worker").info("started")
logging.getLogger("streams.worker.worker").debug("a record")
for name in ("faust.app", "mode.service", "aiokafka.consumer", "asyncio"):
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("trouble")
warnings.warn("old")
thread = threading.Thread(target=lambda: 1 / 0, name="t1")
thread.start()
thread.join()
sys.stderr.buffer.write(last_words("the end", "streams.worker.watchdog", "a stack"))
raise RuntimeError("unexpected")
"""


def run(form: LogFormat, instance: str) -> list[str]:
    """What a process logs to a file that is no terminal."""
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, form, instance],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 1
    assert found.stdout == ""
    return found.stderr.splitlines()


@pytest.fixture(scope="module")
def logged() -> list[dict[str, Any]]:
    """As JSON, which is what a file gets."""
    return [json.loads(line) for line in run(LogFormat.AUTO, "w7")]


def test_everything_of_a_process_goes_through_one_formatter(logged: list[dict[str, Any]]) -> None:
    """Our own from info on, libraries' from warning on, warnings, errors nobody caught, and the last words."""
    assert [(line["level"], line["logger"]) for line in logged] == [
        ("info", "streams.worker.worker"),
        ("warning", "faust.app"),
        ("warning", "mode.service"),
        ("warning", "aiokafka.consumer"),
        ("warning", "asyncio"),
        ("warning", "py.warnings"),
        ("critical", "streams.log"),
        ("critical", "streams.worker.watchdog"),
        ("critical", "streams.log"),
    ]
    assert {line["instance"] for line in logged} == {"w7"}
    assert logged[6]["message"] == "the thread t1 ended"
    assert logged[6]["error"].endswith("ZeroDivisionError: division by zero")
    assert (logged[7]["message"], logged[7]["error"]) == ("the end", "a stack")
    assert logged[8]["error"].endswith("RuntimeError: unexpected")


def test_text_is_for_who_asks_for_it() -> None:
    """The same as lines that begin with their time, and what belongs to one of them indented."""
    found = run(LogFormat.TEXT, "-")
    assert found[0].endswith("Z INFO streams.worker.worker started")
    assert any(line.endswith("Z CRITICAL streams.worker.watchdog the end") for line in found)
    assert all(line.startswith(("2", "    ")) for line in found)


def test_an_instance_without_a_name_is_told_by_its_machine_and_process() -> None:
    """So that two workers' lines can be told apart."""
    names = {json.loads(run(LogFormat.JSON, "-")[0])["instance"] for _ in range(2)}
    assert len(names) == 2
    assert all(name.rpartition("-")[2].isdigit() for name in names)
