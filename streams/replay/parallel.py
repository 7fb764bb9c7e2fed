"""A replay on several cores: files decoded by several processes, each identity's events applied by one of them.

Each process decodes a part of the files and sorts what it finds by shard: by identity, as the worker's internal
topics are partitioned. When all have done so, each is given its own shard's events, in the order in which a single
process would have them, and hands what follows from them to this one as messages, which are merged by their time.
What comes out does not depend on how many processes there are, nor on the order of the files.

Between processes there are but bytes: events in runs in temporary files that have no name, all else in pipes.
"""

from __future__ import annotations

import selectors
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from typing import IO

from detector.adapters import Adapter, RecordError
from streams.files.decode import FilePart
from streams.files.external_sort import blocks_of
from streams.files.reader import FileRecord, files_of
from streams.replay.shard_process import Applied, Messages, Read, ShardError, ShardProcess, StartDetection
from streams.replay.shard_work import (
    EVENTS,
    UNREAD,
    DecodedRuns,
    Decoding,
    Message,
    ShardContext,
    ShardWork,
    Task,
    every_adapter,
    reference,
    run_work,
)

__all__ = ["Message", "ShardContext", "ShardError", "ShardWork", "run"]

SPLIT_BYTES = 1_000_000
"""A smaller file is read by one process."""
HELD_BYTES = 64_000_000
"""How much of what one shard says is held while another is behind."""

OnUnread = Callable[[FileRecord, RecordError], None]
OnProgress = Callable[[int, int], None]


def run(
    paths: Sequence[str],
    shards: int,
    work: ShardWork,
    options: bytes = b"",
    *,
    adapters: Callable[[bytes], Sequence[Adapter]] = every_adapter,
    arrived_ms: int | None = None,
    on_unread: OnUnread,
    on_progress: OnProgress = lambda records, events: None,
) -> Iterator[Message]:
    """What `work` says of the events in files, in the order of its messages' times, and of their keys within one.

    `work` and `adapters` are functions of a module, which other processes can import; both are given `options`.
    `on_unread` is told of each record that has no event before the first message comes, in the order of files'
    names and lines; `on_progress` now and then of how many records have been read and how many events applied.
    `arrived_ms` is as for `streams.files.decode.decoded`. One shard needs no other process.

    Raises `ReadError`, at once for a path that names nothing and in its turn for a file that cannot be opened, and
    `ShardError` for what else goes wrong in another process. However it ends, no process is left.
    """
    files = [file for path in paths for file in files_of(path)]
    task = Task(0, shards, [], arrived_ms, options, reference(work), reference(adapters))
    return (_alone if shards == 1 else _together)(files, task, on_unread, on_progress)


def _alone(files: list[str], task: Task, on_unread: OnUnread, on_progress: OnProgress) -> Iterator[Message]:
    with tempfile.TemporaryFile() as file:
        decoding = Decoding(task, file)
        decoding.read([FilePart(path) for path in files], lambda records: on_progress(records, 0))
        found, kept = decoding.found(keep=0)
        del decoding
        _tell([(file, found)], on_unread)
        runs = [EVENTS.blocks(file.fileno(), one) for one in found.events[0]]
        shard = ShardContext(0, 1, found.first_ms, found.last_ms, task.options)
        waiting: list[Message] = []
        for message in run_work(
            task.work,
            shard,
            EVENTS.merged([*runs, blocks_of(kept)]),
            lambda applied: on_progress(found.records, applied),
        ):
            if waiting and message.time_ms > waiting[0].time_ms:
                yield from _in_order(waiting)
                waiting = []
            waiting.append(message)
        yield from _in_order(waiting)


def _together(
    files: list[str], task: Task, on_unread: OnUnread, on_progress: OnProgress
) -> Iterator[Message]:
    shared, own = _shares(files, task.shards)
    with ExitStack() as stack:
        # One a process, and one for what only this process can read.
        spills = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(task.shards + 1)]
        processes: list[ShardProcess] = []
        for number, parts in enumerate(shared):
            process = ShardProcess(number, spills)
            stack.callback(process.close)
            process.send(_of_shard(task, number, parts))
            processes.append(process)
        decoding = Decoding(task, spills[-1])
        decoding.read(own, lambda records: on_progress(records, 0))
        mine, _ = decoding.found(keep=None)
        found = [*_read(processes, lambda records: on_progress(mine.records + records, 0)), mine]
        _tell(list(zip(spills, found, strict=True)), on_unread)
        first_ms = min((one.first_ms for one in found if one.first_ms is not None), default=None)
        last_ms = max((one.last_ms for one in found if one.last_ms is not None), default=None)
        for number, process in enumerate(processes):
            runs = [(file, run) for file, one in enumerate(found) for run in one.events[number]]
            process.send(StartDetection(runs, first_ms, last_ms))
        records = sum(one.records for one in found)
        yield from _merged(processes, lambda events: on_progress(records, events))


def _of_shard(task: Task, number: int, parts: list[FilePart]) -> Task:
    return Task(number, task.shards, parts, task.arrived_ms, task.options, task.work, task.adapters)


def _shares(files: list[str], shards: int) -> tuple[list[list[FilePart]], list[FilePart]]:
    """Which process reads what: about as many bytes each. What is no ordinary file is left to this process."""
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


def _tell(found: list[tuple[IO[bytes], DecodedRuns]], on_unread: OnUnread) -> None:
    runs = [UNREAD.blocks(file.fileno(), one) for file, some in found for one in some.unread]
    for block in UNREAD.merged(runs):
        for unread in block:
            error = RecordError(unread.adapter, unread.raw.position, unread.reason, unread.detail)
            on_unread(unread.raw, error)


def _read(processes: list[ShardProcess], on_records: Callable[[int], None]) -> list[DecodedRuns]:
    """Wait until all files have been decoded."""
    found: dict[int, DecodedRuns] = {}
    records = [0] * len(processes)
    with selectors.DefaultSelector() as selector:
        for number, process in enumerate(processes):
            selector.register(process, selectors.EVENT_READ, number)
        while len(found) < len(processes):
            for key, _ in selector.select():
                number = key.data
                for reply in processes[number].receive():
                    if isinstance(reply, Read):
                        records[number] = reply.records
                        if reply.found is not None:
                            found[number] = reply.found
                on_records(sum(records))
    return [found[number] for number in range(len(processes))]


# --- merging what they say


class _PendingMessages:
    """What one process has said and what has not been handed on."""

    def __init__(self) -> None:
        self.messages: deque[Message] = deque()
        self.held_bytes = 0
        self.known_ms: float = -inf
        """No message of an earlier time will come."""
        self.applied = 0

    def add(self, messages: list[Message]) -> None:
        self.messages += messages
        self.held_bytes += sum(len(message.body) for message in messages)
        self.known_ms = messages[-1].time_ms

    def before(self, time_ms: float) -> Iterator[Message]:
        """Take out what was said of earlier times."""
        messages = self.messages
        while messages and messages[0].time_ms < time_ms:
            message = messages.popleft()
            self.held_bytes -= len(message.body)
            yield message


def _merged(processes: list[ShardProcess], on_events: Callable[[int], None]) -> Iterator[Message]:
    said = [_PendingMessages() for _ in processes]
    with selectors.DefaultSelector() as selector:
        listening: set[int] = set()
        while True:
            known_ms = min(one.known_ms for one in said)
            yield from _in_order([message for one in said for message in one.before(known_ms)])
            if known_ms == inf:
                return
            # Who is far ahead is not listened to until the others have caught up; its pipe makes it wait.
            for number, one in enumerate(said):
                wanted = one.known_ms == known_ms or (one.held_bytes < HELD_BYTES and one.known_ms < inf)
                if wanted and number not in listening:
                    selector.register(processes[number], selectors.EVENT_READ, number)
                    listening.add(number)
                elif not wanted and number in listening:
                    selector.unregister(processes[number])
                    listening.discard(number)
            for key, _ in selector.select():
                one = said[key.data]
                for reply in processes[key.data].receive():
                    if isinstance(reply, Messages):
                        one.add(reply.messages)
                    elif isinstance(reply, Applied) and reply.all:
                        one.known_ms = inf
                    elif isinstance(reply, Applied):
                        one.applied = reply.events
            on_events(sum(one.applied for one in said))


def _in_order(messages: list[Message]) -> list[Message]:
    """Messages by time and key; one without a body is not handed on."""
    return sorted(
        (message for message in messages if message.body), key=lambda said: (said.time_ms, said.key)
    )
