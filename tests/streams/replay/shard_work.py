"""What shards do in the tests; other processes import it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from detector.adapters import ADAPTERS, Adapter
from detector.event import AccessEvent
from streams.replay.parallel import ShardContext, ShardMessage


def echo(shard: ShardContext, events: Iterator[AccessEvent]) -> Iterator[ShardMessage]:
    """Each event as a message, and in the end what the shard knows."""
    for event in events:
        yield ShardMessage(event.time_ms, event.identity, msgspec.msgpack.encode(event))
    if shard.last_ms is not None:
        body = msgspec.msgpack.encode((shard.first_ms, shard.last_ms, shard.options))
        yield ShardMessage(shard.last_ms, f"~{shard.number}", body)


def count(shard: ShardContext, events: Iterator[AccessEvent]) -> Iterator[ShardMessage]:
    """After each event of an identity how many there have been: order within an identity matters."""
    counts: dict[str, int] = {}
    for event in events:
        name = event.identity
        counts[name] = counts.get(name, 0) + 1
        yield ShardMessage(
            event.time_ms, name, f"{name} {counts[name]} {event.event_id} {event.origin.position}".encode()
        )


def loud_and_silent(shard: ShardContext, events: Iterator[AccessEvent]) -> Iterator[ShardMessage]:
    """One shard says a great deal, the others nothing until the end."""
    for number, event in enumerate(events):
        if shard.number == 0:
            yield ShardMessage(event.time_ms, "loud", b"%d" % number + b"." * 50_000)
        elif shard.options == b"watermarks":
            yield ShardMessage(event.time_ms, "", b"")
    if shard.last_ms is not None:
        yield ShardMessage(shard.last_ms, f"~{shard.number}", b"end")


def fail(shard: ShardContext, events: Iterator[AccessEvent]) -> Iterator[ShardMessage]:
    """Goes wrong in one of several ways."""
    event = next(events)
    yield ShardMessage(event.time_ms, "a", b"first")
    if shard.options == b"raise":
        raise ValueError("no\nsuch thing")
    if shard.options == b"back":
        yield ShardMessage(event.time_ms - 1, "a", b"second")
    if shard.options == b"exit":
        sys.exit("enough")
    if shard.options == b"kill":
        os.kill(os.getpid(), signal.SIGKILL)


def linger(shard: ShardContext, events: Iterator[AccessEvent]) -> Iterator[ShardMessage]:
    """Leaves its process id in a folder, and never ends by itself."""
    event = next(events)
    Path(shard.options.decode(), str(os.getpid())).touch()
    yield ShardMessage(event.time_ms, event.identity, b"here")
    while True:
        time.sleep(0.05)


def elf_alone(options: bytes) -> Sequence[Adapter]:
    """One adapter, if the options say so."""
    return (ADAPTERS["salesforce_elf"],) if options == b"elf" else tuple(ADAPTERS.values())


def no_adapters(options: bytes) -> Sequence[Adapter]:
    """Goes wrong before anything is read."""
    raise LookupError(options.decode())
