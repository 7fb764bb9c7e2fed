"""What a million indicators cost a worker: its start, its memory, a look-up, and one more indicator.

    python benchmarks/indicators.py [--indicators 1000000] [--signed]

They are sent to a real Kafka, and a worker's reader reads them as it starts: nine of ten are addresses, the others
networks, of the prefix lengths that feeds hold. Then a shard looks events up, of which one in a hundred matches.
Seconds, MiB and microseconds, of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
import uuid
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
from kafka import KafkaProducer

from detector.identity.detect import Detection
from detector.settings import Settings
from streams.kafka.embedded.broker import Broker
from streams.kafka.signing import UNSIGNED, Signatures, Unsigned
from streams.kafka.topics import TopicNames, ensure, plan
from streams.worker.operator_inputs import OperatorInputs
from tests.detector.make import event

PARTITIONS = 8
LENGTHS = (24, 24, 24, 28, 22, 20, 16)
"""Prefix lengths of the networks, by how often they come."""
LOOKED_UP = 100_000


def main() -> None:
    """Measure."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--indicators", type=int, default=1_000_000)
    options.add_argument("--signed", action="store_true", help="with a signature each")
    given = options.parse_args()
    ours = Signatures([b"k" * 32], Unsigned.REFUSE) if given.signed else UNSIGNED
    names = _names()
    with Broker() as broker:
        ensure(broker.bootstrap, plan(PARTITIONS, 1, names))
        _fill(broker.bootstrap, names, given.indicators, ours)
        asyncio.run(_measure(broker.bootstrap, names, ours))


def values(count: int) -> Iterator[str]:
    """What is looked up by, the same in each run."""
    random = Random(7)  # noqa: S311 - the same in each run
    for number in range(count):
        high, low = number >> 16, number & 0xFFFF
        if number % 10:
            yield f"{11 + (high >> 8)}.{high & 255}.{low >> 8}.{low & 255}"
        elif number % 20:
            yield f"2001:db8:{high:x}:{low:x}::/64"
        else:
            bits = random.choice(LENGTHS)
            yield str(ip_network(((60 << 24) + random.getrandbits(24), bits), strict=False))


def _fill(bootstrap: str, names: TopicNames, count: int, ours: Signatures) -> None:
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, linger_ms=50, batch_size=512 * 1024)
    body = msgspec.json.encode({"name": "the sector's list", "score": 3.5})
    for value in values(count):
        key = value.encode()
        producer.send(
            names.indicators, key=key, value=body, headers=ours.headers(names.indicators, key, body)
        )
    producer.flush()
    producer.close()


async def _measure(bootstrap: str, names: TopicNames, ours: Signatures) -> None:
    def fatal(what: str, error: BaseException) -> None:
        raise SystemExit(f"{what}: {error}")

    inputs = OperatorInputs(
        names,
        keep_days=7,
        on_change=lambda: None,
        fatal=fatal,
        connection={"bootstrap_servers": bootstrap},
        signatures=ours,
    )
    before = _mebibytes()
    began, worked = time.monotonic(), time.process_time()
    await inputs.start()
    seconds, processor = time.monotonic() - began, time.process_time() - worked
    print(
        f"{len(inputs.indicators):,} indicators: start {seconds:.1f} s, {processor:.1f} s of processor time"
    )
    print(f"memory: {_mebibytes() - before:.0f} MiB more at its peak")
    detection = Detection(Settings(), {})
    began = time.monotonic()
    detection.watch_for(inputs.indicators)
    print(f"handing them to a shard, which each change does: {(time.monotonic() - began) * 1000:.1f} ms")
    for known, many in ((False, 200), (False, LOOKED_UP), (True, LOOKED_UP)):
        shard = detection if known else Detection(Settings(), {})
        ips = [
            f"{11 if number % 100 == 0 else 198}.0.{number >> 8 & 255}.{number & 255}"
            for number in range(many)
        ]
        events = [event(number, rows=1, ip=ip) for number, ip in enumerate(ips)]
        began = time.process_time()
        for one in events:
            shard.observe(one)
        spent = (time.process_time() - began) / many * 1e6
        if many == LOOKED_UP:
            print(f"an event {'with' if known else 'without'} them: {spent:.1f} µs")
    await inputs.stop()


def _mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _names() -> TopicNames:
    prefix = f"b{uuid.uuid4().hex[:8]}"
    return TopicNames(
        **{key: f"{prefix}.{name}" for key, name in msgspec.structs.asdict(TopicNames()).items()}
    )


if __name__ == "__main__":
    main()
