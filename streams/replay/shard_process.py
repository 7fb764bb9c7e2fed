"""A process that works on one shard: its start, its messages and its end.

It is a new interpreter that imports only what the work needs. The terminal's Ctrl-C does not reach it, and it ends
when the process that started it does, however that ends. Messages are msgpack; only our own functions are pickled.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle, send_handle
from typing import IO, Any

import msgspec

from detector.errors import CrmwatchError
from streams.files.external_sort import SortedRun, blocks_of
from streams.files.reader import ReadError
from streams.replay.shard_work import (
    EVENTS,
    AdapterChoice,
    DecodedRuns,
    Decoding,
    ShardContext,
    ShardMessage,
    ShardWork,
    Task,
    run_work,
)

__all__ = ["Applied", "Messages", "Read", "Reply", "ShardError", "ShardProcess", "StartDetection", "ready"]

MESSAGES_BYTES = 32_768


class ShardError(CrmwatchError):
    """Why another process could not do its part; one line for a person."""


class StartDetection(msgspec.Struct, frozen=True, array_like=True):
    """All files have been decoded: what the shard's events are."""

    runs: list[tuple[int, SortedRun]]
    """In which of the files each run lies."""
    first_ms: int | None
    last_ms: int | None


class Read(msgspec.Struct, frozen=True, tag=True):
    """So many records have been decoded."""

    records: int
    runs: DecodedRuns | None = None
    """Where all of them lie, after the last."""


class Messages(msgspec.Struct, frozen=True, tag=True):
    """Messages of the work."""

    messages: list[ShardMessage]


class Applied(msgspec.Struct, frozen=True, tag=True):
    """So many events have been applied."""

    events: int
    all: bool = False


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The process cannot go on."""

    reason: str
    unreadable: bool
    """Whether it is the input's fault: a `ReadError`."""


Reply = Read | Messages | Applied
_replies: msgspec.msgpack.Decoder[Reply | Failed] = msgspec.msgpack.Decoder(Reply | Failed)
_tasks = msgspec.msgpack.Decoder(Task)
_starts = msgspec.msgpack.Decoder(StartDetection)
_encode = msgspec.msgpack.Encoder().encode
_spawn = get_context("spawn")


class ShardProcess:
    """A process that works on a shard. It ends when `close` is called, if not before."""

    def __init__(
        self, task: Task, files: Sequence[IO[bytes]], work: ShardWork, adapters: AdapterChoice
    ) -> None:
        """`files` are those that will hold runs, the process's own at the place of its number.

        Raises `ShardError` if it cannot be started.
        """
        self.number = task.number
        self._shard = f"shard {task.number + 1}"
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self.connection, theirs = _spawn.Pipe()
        self._process = _spawn.Process(target=_main, args=(theirs, len(files), work, adapters), daemon=True)
        resource_tracker.ensure_running()  # it would unblock signals later
        # What is blocked here stays blocked there: Ctrl-C is this process's affair.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        except OSError as error:
            self.connection.close()
            self._output.close()
            raise ShardError(f"{self._shard}: its process cannot be started: {error.strerror}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            theirs.close()
        try:
            for file in (self._output, *files):
                send_handle(self.connection, file.fileno(), self._process.pid)
            self.connection.send_bytes(_encode(task))
        except OSError:
            ended = self._end()
            self.close()
            raise ended from None

    def start_detection(self, start: StartDetection) -> None:
        """Have the process apply its events. Raises `ShardError` if it has ended."""
        try:
            self.connection.send_bytes(_encode(start))
        except OSError:
            raise self._end() from None

    def receive(self) -> Reply:
        """The next reply of the process; waits for it.

        Raises `ShardError`, or `ReadError` if it cannot read its files.
        """
        try:
            reply = _replies.decode(self.connection.recv_bytes())
        except (EOFError, OSError):
            raise self._end() from None
        if isinstance(reply, Failed):
            raise (
                ReadError(reply.reason) if reply.unreadable else ShardError(f"{self._shard}: {reply.reason}")
            )
        return reply

    def close(self) -> None:
        """End it, at once."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self.connection.close()
        self._output.close()

    def _end(self) -> ShardError:
        self._process.join()
        code = self._process.exitcode or 0
        self._output.seek(0)
        lines = self._output.read().decode("utf-8", "replace").split("\n")
        last = next((f": {line.strip()[:500]}" for line in reversed(lines) if line.strip()), "")
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return ShardError(f"{self._shard}: its process {how}{last}")


def ready(processes: Sequence[ShardProcess]) -> list[ShardProcess]:
    """Wait until a process has replied or ended; those that have."""
    waiting = set(wait([process.connection for process in processes]))
    return [process for process in processes if process.connection in waiting]


# --- in the other process


def _main(connection: Connection, files: int, work: ShardWork, adapters: AdapterChoice) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    output, *handles = (recv_handle(connection) for _ in range(files + 1))
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    task: Task = _tasks.decode(connection.recv_bytes())

    def reply(message: Reply | Failed) -> None:
        connection.send_bytes(_encode(message))

    try:
        _work(task, handles, work, adapters, connection, reply)
    except ReadError as error:
        reply(Failed(str(error), unreadable=True))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other side tells it
        text = " ".join(f"{type(error).__name__}: {error}".split())
        reply(Failed(text[:500], unreadable=False))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(
    task: Task,
    files: list[int],
    work: ShardWork,
    adapters: AdapterChoice,
    connection: Connection,
    reply: Callable[[Any], None],
) -> None:
    with open(files[task.number], "r+b", closefd=False) as file:
        decoding = Decoding(task, adapters(task.options), file)
        decoding.read(task.parts, lambda records: reply(Read(records)))
        runs, kept = decoding.runs(keep=task.number)
    del decoding
    reply(Read(runs.records, runs))
    start: StartDetection = _starts.decode(connection.recv_bytes())
    shard = ShardContext(task.number, task.shards, start.first_ms, start.last_ms, task.options)
    blocks = [EVENTS.blocks(files[file], run) for file, run in start.runs]
    pending: list[ShardMessage] = []
    size = 0

    def flush() -> None:
        nonlocal pending, size
        if pending:
            reply(Messages(pending))
            pending = []
            size = 0

    def applied(events: int) -> None:
        flush()
        reply(Applied(events))

    for message in run_work(work, shard, EVENTS.merged([*blocks, blocks_of(kept)]), applied):
        pending.append(message)
        size += len(message.body)
        if size >= MESSAGES_BYTES:
            flush()
    flush()
    reply(Applied(0, all=True))
