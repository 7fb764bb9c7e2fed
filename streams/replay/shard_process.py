"""A process that works on one shard, and the pipes to it: how it begins, what is said, and that it ends.

It is a new interpreter that imports only what the work needs. The terminal's Ctrl-C does not reach it, and it ends
when the process that began it does, however that ends, because a pipe from there closes.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import IO, Any

import msgspec

from detector.errors import CrmwatchError
from streams.files.external_sort import SortedRun, blocks_of
from streams.files.reader import ReadError
from streams.replay.shard_work import EVENTS, DecodedRuns, Decoding, Message, ShardContext, Task, run_work

__all__ = ["Applied", "Messages", "Read", "Reply", "ShardError", "ShardProcess", "StartDetection", "main"]

MESSAGES_BYTES = 32_768
PIPE_BYTES = 1_048_576


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
    found: DecodedRuns | None = None
    """Where all that was found lies, after the last."""


class Messages(msgspec.Struct, frozen=True, tag=True):
    """What the work said."""

    messages: list[Message]


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
_gos = msgspec.msgpack.Decoder(StartDetection)
_encode = msgspec.msgpack.Encoder().encode


def _framed(message: object) -> bytes:
    data = _encode(message)
    return len(data).to_bytes(4, "big") + data


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


# --- on this side


class ShardProcess:
    """A process that works on a shard. It ends when `close` is called, if not before."""

    def __init__(self, number: int, files: Sequence[IO[bytes]]) -> None:
        """`files` are those that will hold runs, the process's own at the place of its number.

        Raises `ShardError` if it cannot be started. It is idle until it is sent a task.
        """
        self._shard = f"shard {number + 1}"
        self._buffer = bytearray()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        theirs, self._commands = os.pipe()
        self._replies, ours = os.pipe()
        descriptors = [theirs, ours, *(file.fileno() for file in files)]
        # What is blocked here stays blocked there: Ctrl-C is this process's affair.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-c", _PROGRAM, *map(str, descriptors)],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=descriptors,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except OSError as error:
            self._let_go()
            raise ShardError(f"{self._shard}: its process cannot be started: {error.strerror}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(theirs)
            os.close(ours)

    def fileno(self) -> int:
        """What can be read when the process has said something, or has ended."""
        return self._replies

    def send(self, message: Task | StartDetection) -> None:
        """Say something to the process: its task, later where its events lie. Raises `ShardError` if it has ended."""
        try:
            _write(self._commands, _framed(message))
        except BrokenPipeError:
            raise self._gone() from None

    def receive(self) -> list[Reply]:
        """What the process has said, at least a part of it; it waits for that.

        Raises `ShardError`, or `ReadError` if it cannot read its files.
        """
        data = os.read(self._replies, PIPE_BYTES)
        if not data:
            raise self._gone()
        buffer = self._buffer
        buffer += data
        replies: list[Reply] = []
        at = 0
        while len(buffer) - at >= 4:
            end = at + 4 + int.from_bytes(buffer[at : at + 4], "big")
            if end > len(buffer):
                break
            reply = _replies.decode(memoryview(buffer)[at + 4 : end])
            if isinstance(reply, Failed):
                if reply.unreadable:
                    raise ReadError(reply.reason)
                raise ShardError(f"{self._shard}: {reply.reason}")
            replies.append(reply)
            at = end
        del buffer[:at]
        return replies

    def close(self) -> None:
        """End it, at once."""
        self._process.kill()
        self._process.wait()
        self._let_go()

    def _let_go(self) -> None:
        os.close(self._commands)
        os.close(self._replies)
        self._errors.close()

    def _gone(self) -> ShardError:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        said = next((f": {line.strip()[:500]}" for line in reversed(lines) if line.strip()), "")
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return ShardError(f"{self._shard}: its process {how}{said}")


_PROGRAM = "from streams.replay.shard_process import main; main()"


# --- on the other side


def main() -> None:
    """The process's own program; its arguments are file descriptors."""
    commands, replies, *files = map(int, sys.argv[1:])
    task: Task = _tasks.decode(_received(commands))
    going: queue.SimpleQueue[StartDetection] = queue.SimpleQueue()
    threading.Thread(target=_follow, args=(commands, going), daemon=True).start()

    def reply(message: Reply | Failed) -> None:
        try:
            _write(replies, _framed(message))
        except BrokenPipeError:
            os._exit(1)  # nobody is there any more

    try:
        _work(task, files, going, reply)
    except ReadError as error:
        reply(Failed(str(error), unreadable=True))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told on the other side
        text = " ".join(f"{type(error).__name__}: {error}".split())
        reply(Failed(text[:500], unreadable=False))
    sys.stdout.flush()
    os._exit(0)  # without waiting for the thread


def _work(
    task: Task, files: list[int], going: queue.SimpleQueue[StartDetection], reply: Callable[[Any], None]
) -> None:
    with open(files[task.number], "r+b", closefd=False) as file:
        decoding = Decoding(task, file)
        decoding.read(task.parts, lambda records: reply(Read(records)))
        found, kept = decoding.found(keep=task.number)
    del decoding
    reply(Read(found.records, found))
    go = going.get()
    shard = ShardContext(task.number, task.shards, go.first_ms, go.last_ms, task.options)
    runs = [EVENTS.blocks(files[file], run) for file, run in go.runs]
    said: list[Message] = []
    size = 0

    def flush() -> None:
        nonlocal said, size
        if said:
            reply(Messages(said))
            said = []
            size = 0

    def applied(events: int) -> None:
        flush()
        reply(Applied(events))

    for message in run_work(task.work, shard, EVENTS.merged([*runs, blocks_of(kept)]), applied):
        said.append(message)
        size += len(message.body)
        if size >= MESSAGES_BYTES:
            flush()
    flush()
    reply(Applied(0, all=True))


def _received(descriptor: int) -> bytes:
    """The next message from the other side; the process ends if there is none any more."""
    size = int.from_bytes(_exactly(descriptor, 4), "big")
    return _exactly(descriptor, size)


def _exactly(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        block = os.read(descriptor, size - len(data))
        if not block:
            os._exit(1)
        data += block
    return data


def _follow(commands: int, going: queue.SimpleQueue[StartDetection]) -> None:
    going.put(_gos.decode(_received(commands)))
    _received(commands)  # nothing more is said: this ends when the other side does
