"""A replay on several cores: several processes decode files, and one of them applies each identity's events.

Each process decodes a part of the files and sorts the events by shard: by identity, as the worker's internal topics
are partitioned. Then each process applies the events of its own shard, in the order a single process would have them,
and sends the results to this process as messages, which are merged by time. The result depends neither on how many
processes there are nor on the order of the files.

Processes exchange only bytes: events as runs in temporary files without a name, everything else through pipes.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from math import inf
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import IO

from msgspec.structs import replace

from detector.adapters import RecordError
from streams.files.decode import FilePart
from streams.files.external_sort import blocks_of
from streams.files.reader import FileRecord, files_of
from streams.replay.shard_process import (
    Applied,
    Messages,
    Read,
    ShardError,
    ShardProcess,
    StartDetection,
    ready,
)
from streams.replay.shard_work import (
    EVENTS,
    UNREAD,
    AdapterChoice,
    DecodedRuns,
    Decoding,
    ShardContext,
    ShardMessage,
    ShardWork,
    Task,
    every_adapter,
    run_work,
)

__all__ = ["ShardContext", "ShardError", "ShardMessage", "ShardWork", "run"]

SPLIT_BYTES = 1_000_000
"""A smaller file is read by one process."""
HELD_BYTES = 64_000_000
"""How much of a shard's messages is held while another shard is behind."""

OnUnread = Callable[[FileRecord, RecordError], None]
OnProgress = Callable[[int, int], None]


def run(
    paths: Sequence[str],
    shards: int,
    work: ShardWork,
    options: bytes = b"",
    *,
    adapters: AdapterChoice = every_adapter,
    arrived_ms: int | None = None,
    on_unread: OnUnread,
    on_progress: OnProgress = lambda records, events: None,
) -> Iterator[ShardMessage]:
    """Apply `work` to the events in files and yield its messages, by time and within one time by key.

    `work` and `adapters` are functions that other processes can import; both get `options`. `on_unread` gets each
    record without an event before the first message, by file name and line; `on_progress` gets the numbers of records
    read and of events applied now and then. `arrived_ms` is as for `streams.files.decode.decoded`. One shard needs no
    other process.

    Raises `ReadError`, at once for a path that names nothing and in its turn for a file that cannot be opened, and
    `ShardError` for what else goes wrong in another process. However it ends, no process is left. Raises `ValueError`
    at once for a function that another process cannot import.
    """
    files = [file for path in paths for file in files_of(path)]
    for function in (work, adapters):
        _assert_passable(function)
    task = Task(0, shards, [], arrived_ms, options)
    return (_alone if shards == 1 else _together)(files, task, work, adapters, on_unread, on_progress)


def _assert_passable(function: Callable[..., object]) -> None:
    try:
        ForkingPickler.dumps(function)
    except Exception as error:
        raise ValueError(f"{function.__qualname__} cannot be passed to another process") from error


def _alone(
    files: list[str],
    task: Task,
    work: ShardWork,
    adapters: AdapterChoice,
    on_unread: OnUnread,
    on_progress: OnProgress,
) -> Iterator[ShardMessage]:
    with tempfile.TemporaryFile() as file:
        decoding = Decoding(task, adapters(task.options), file)
        decoding.read([FilePart(path) for path in files], lambda records: on_progress(records, 0))
        runs, kept = decoding.runs(keep=0)
        del decoding
        _hand_over([(file, runs)], on_unread)
        blocks = [EVENTS.blocks(file.fileno(), run) for run in runs.events[0]]
        shard = ShardContext(0, 1, runs.first_ms, runs.last_ms, task.options)
        waiting: list[ShardMessage] = []
        for message in run_work(
            work,
            shard,
            EVENTS.merged([*blocks, blocks_of(kept)]),
            lambda applied: on_progress(runs.records, applied),
        ):
            if waiting and message.time_ms > waiting[0].time_ms:
                yield from _in_order(waiting)
                waiting = []
            waiting.append(message)
        yield from _in_order(waiting)


def _together(
    files: list[str],
    task: Task,
    work: ShardWork,
    adapters: AdapterChoice,
    on_unread: OnUnread,
    on_progress: OnProgress,
) -> Iterator[ShardMessage]:
    shared, own = _shares(files, task.shards)
    with ExitStack() as stack:
        # One for each process, and one for what only this process can read.
        spills = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(task.shards + 1)]
        processes: list[ShardProcess] = []
        for number, parts in enumerate(shared):
            process = ShardProcess(replace(task, number=number, parts=parts), spills, work, adapters)
            stack.callback(process.close)
            processes.append(process)
        decoding = Decoding(task, adapters(task.options), spills[-1])
        decoding.read(own, lambda records: on_progress(records, 0))
        mine, _ = decoding.runs(keep=None)
        decoded = [*_read(processes, lambda records: on_progress(mine.records + records, 0)), mine]
        _hand_over(list(zip(spills, decoded, strict=True)), on_unread)
        first_ms = min((runs.first_ms for runs in decoded if runs.first_ms is not None), default=None)
        last_ms = max((runs.last_ms for runs in decoded if runs.last_ms is not None), default=None)
        for number, process in enumerate(processes):
            own_runs = [(file, run) for file, runs in enumerate(decoded) for run in runs.events[number]]
            process.start_detection(StartDetection(own_runs, first_ms, last_ms))
        records = sum(runs.records for runs in decoded)
        yield from _merged(processes, lambda events: on_progress(records, events))


def _shares(files: list[str], shards: int) -> tuple[list[list[FilePart]], list[FilePart]]:
    """Share out files by size; whatever is not an ordinary file stays with this process."""
    sizes: dict[str, int] = {}
    own = []
    shares: list[list[FilePart]] = [[] for _ in range(shards)]
    for path in files:
        if path == "-" or not Path(path).is_file():
            own.append(FilePart(path))
        else:
            sizes[path] = Path(path).stat().st_size
    each = sum(sizes[path] for path in files if path in sizes) // shards
    load = [0] * shards
    for path in sorted((path for path in files if path in sizes), key=lambda path: (-sizes[path], path)):
        if sizes[path] > max(SPLIT_BYTES, each // 2):
            for number, share in enumerate(shares):
                share.append(FilePart(path, number, shards))
        else:
            least = load.index(min(load))
            shares[least].append(FilePart(path))
            load[least] += sizes[path]
    return shares, own


def _hand_over(decoded: list[tuple[IO[bytes], DecodedRuns]], on_unread: OnUnread) -> None:
    blocks = [UNREAD.blocks(file.fileno(), run) for file, runs in decoded for run in runs.unread]
    for block in UNREAD.merged(blocks):
        for unread in block:
            error = RecordError(unread.adapter, unread.raw.position, unread.reason, unread.detail)
            on_unread(unread.raw, error)


def _read(processes: list[ShardProcess], on_records: Callable[[int], None]) -> list[DecodedRuns]:
    """Wait until all files have been decoded."""
    decoded: dict[int, DecodedRuns] = {}
    records = [0] * len(processes)
    while len(decoded) < len(processes):
        for process in ready(processes):
            reply = process.receive()
            if isinstance(reply, Read):
                records[process.number] = reply.records
                if reply.runs is not None:
                    decoded[process.number] = reply.runs
            on_records(sum(records))
    return [decoded[number] for number in range(len(processes))]


# --- merging messages


class _PendingMessages:
    """One process's messages that have not been handed on."""

    def __init__(self) -> None:
        self.messages: deque[ShardMessage] = deque()
        self.held_bytes = 0
        self.known_ms: float = -inf
        """No message of an earlier time will come."""
        self.applied = 0

    def add(self, messages: list[ShardMessage]) -> None:
        self.messages += messages
        self.held_bytes += sum(len(message.body) for message in messages)
        self.known_ms = messages[-1].time_ms

    def before(self, time_ms: float) -> Iterator[ShardMessage]:
        """Take out the messages of earlier times."""
        messages = self.messages
        while messages and messages[0].time_ms < time_ms:
            message = messages.popleft()
            self.held_bytes -= len(message.body)
            yield message


def _merged(processes: list[ShardProcess], on_events: Callable[[int], None]) -> Iterator[ShardMessage]:
    shards = [_PendingMessages() for _ in processes]
    while True:
        known_ms = min(shard.known_ms for shard in shards)
        yield from _in_order([message for shard in shards for message in shard.before(known_ms)])
        if known_ms == inf:
            return
        # Nobody listens to a shard that is far ahead until the others have caught up; its pipe makes it wait.
        behind = [
            process
            for process, shard in zip(processes, shards, strict=True)
            if shard.known_ms == known_ms or (shard.held_bytes < HELD_BYTES and shard.known_ms < inf)
        ]
        for process in ready(behind):
            shard = shards[process.number]
            reply = process.receive()
            if isinstance(reply, Messages):
                shard.add(reply.messages)
            elif isinstance(reply, Applied) and reply.all:
                shard.known_ms = inf
            elif isinstance(reply, Applied):
                shard.applied = reply.events
        on_events(sum(shard.applied for shard in shards))


def _in_order(messages: list[ShardMessage]) -> list[ShardMessage]:
    """Messages by time and key, without those that have no body."""
    return sorted(
        (message for message in messages if message.body), key=lambda message: (message.time_ms, message.key)
    )
