"""What each peer of `stream.py` loses or counts twice when it is killed half-way and started again.

Records of known users arrive at a steady rate, from when every peer has had its first. Each, in a group of its own,
dies of SIGKILL with half of them taken, and is started again at once, with its defaults for committing and saving. In
the end each user's count in its state is held against the log: fewer are lost, more are counted twice. What is lost
and doubled of one user cancels out.
All peers run side by side, so that the log is the same and a peer's long wait costs no other one time.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from benchmarks.feed import Keyed, fill, steadily
from benchmarks.peers.job import Task
from benchmarks.peers.process import Peer, Running

__all__ = ["Damage", "damage", "held_against", "known_users"]

LIMIT_SECONDS = 150.0
USERS = 100


class Damage(msgspec.Struct, frozen=True):
    """What one kill did."""

    lost: int
    doubled: int
    away_seconds: float
    """From the kill to the first record that was taken after it."""


def known_users(records: int) -> list[Keyed]:
    """So many records of a hundred users in turn; none has reason for an alert."""
    return [
        (b"user-%03d" % (number % USERS), b'{"ROW_COUNT":"%d"}' % (20 + number % 7))
        for number in range(records)
    ]


def damage(
    peers: Sequence[Peer], task: Task, records: int, rate: float, limit_seconds: float = LIMIT_SECONDS
) -> dict[str, Damage | str]:
    """Each peer's damage by its name, or why there is none to tell.

    `task` says where and with which topic; its group and folder are the beginning of each peer's own.
    """
    keyed = known_users(records)
    fed, stopped = threading.Event(), threading.Event()
    begun = [threading.Event() for _ in peers]
    fill(task.bootstrap, task.topic, task.partitions, keyed[:USERS])
    with ThreadPoolExecutor(len(peers)) as pool:
        runs = {
            peer.name: pool.submit(
                _killed_once, peer, _own(task, number), records, limit_seconds, begun[number], fed
            )
            for number, peer in enumerate(peers)
        }
        for one in begun:
            one.wait()
        fed.set()
        feeding = threading.Thread(
            target=steadily,
            args=(task.bootstrap, task.topic, task.partitions, keyed[USERS:], rate, stopped.is_set),
        )
        feeding.start()
        found: dict[str, Damage | str] = {}
        for name, run in runs.items():
            try:
                found[name] = run.result()
            except RuntimeError as error:
                found[name] = str(error)
        stopped.set()
        feeding.join()
    return found


def _own(task: Task, number: int) -> Task:
    return msgspec.structs.replace(
        task, group=f"{task.group}{number}", folder=str(Path(task.folder) / str(number))
    )


def _killed_once(
    peer: Peer, task: Task, records: int, limit_seconds: float, begun: threading.Event, fed: threading.Event
) -> Damage:
    with Running(peer, msgspec.structs.replace(task, kill_at=records // 2)) as first:
        try:
            first.begin(limit_seconds)
        finally:
            begun.set()
        fed.wait()
        first.killed(limit_seconds)
    killed_at = time.time()
    with Running(peer, task) as second:
        report = second.report(limit_seconds)
    lost, doubled = held_against(report.counts, records)
    return Damage(lost, doubled, report.first_at - killed_at)


def held_against(counts: Mapping[str, int], records: int) -> tuple[int, int]:
    """How many of so many records of `known_users` the counts of a state lack, and how many they have too many.

    >>> held_against({f"user-{number:03d}": 3 + (number == 0) - 2 * (number == 1) for number in range(100)}, 300)
    (2, 1)
    """
    expected = Counter(user.decode() for user, _ in known_users(records))
    missing = [count - counts.get(user, 0) for user, count in expected.items()]
    return sum(max(0, one) for one in missing), sum(max(0, -one) for one in missing)
