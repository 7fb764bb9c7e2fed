"""How long an alert takes, from the append of the record that causes it to the append of the alert.

    python benchmarks/latency.py [--rate 30000] [--seconds 30] [--thefts 100] [--people 100] [--days 8]

One worker learns some days of a company; then its traffic comes at a steady rate, which should be about half of what
`stream.py` measures, with thefts of tokens in it. Both times are the brokers' own (`LogAppendTime`, in ms): that of the
newest of a thief's records in an incident's evidence, and that of the first alert about the incident. Updates are left
out: an update is published when the risk has grown enough, whichever record is its newest evidence. The lag is looked
at each second: where it grows, the rate was more than the worker can do, and the figures are of its queue.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import threading
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.feed import THIEVES_NETWORK, Keyed, fill, steadily, traffic
from benchmarks.stream import LIMIT_SECONDS, PARTITIONS, names_of, settle
from streams.kafka.embedded.broker import Broker
from streams.kafka.messages import POSITIONS_HEADER
from streams.kafka.topics import TopicNames, ensure, plan
from tests.chaos.pipeline import Pipeline

APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}


class Latencies(msgspec.Struct, frozen=True):
    """What was seen."""

    thefts_ms: list[int]
    """From a thief's record to the first alert of its incident."""
    most_lag: int
    """The most records that were published and not committed while traffic came."""

    def quantile_ms(self, share: float) -> float:
        """So many of them took at most so long."""
        ordered = sorted(self.thefts_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    """Measure once."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rate", type=float, default=30_000.0)
    options.add_argument("--seconds", type=float, default=30.0)
    options.add_argument("--thefts", type=int, default=100)
    options.add_argument("--people", type=int, default=100)
    options.add_argument("--days", type=int, default=8, help="so many are learned from before")
    chosen = options.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it retries on topics that have just been made
    past, present = traffic(chosen.days, int(chosen.rate * chosen.seconds), chosen.thefts, chosen.people)
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "kafka", heap_mb=1024) as broker:
        settle(broker.bootstrap)
        found = measure(broker.bootstrap, Path(name), past, present, chosen.rate)
    show(found, chosen.rate)


def show(found: Latencies, rate: float) -> None:
    """Say it."""
    if not found.thefts_ms:
        print("no alert of a theft was published")
        return
    print(
        f"{len(found.thefts_ms)} incidents at {rate:,.0f} records a second: "
        f"p50 {statistics.median(found.thefts_ms):,.0f} ms, p99 {found.quantile_ms(0.99):,.0f} ms, "
        f"most {max(found.thefts_ms):,} ms; most lag {found.most_lag:,} records"
    )
    if found.most_lag > 5 * rate:
        print("the worker did not keep up: these are figures of its queue")


def measure(
    bootstrap: str, folder: Path, past: Sequence[Keyed], present: Sequence[Keyed], rate: float
) -> Latencies:
    """One worker through all of it."""
    names = names_of("latency", "latency-access")
    stamp(bootstrap, names)
    (folder / names.app_id).mkdir()
    with Pipeline(bootstrap, names, folder / names.app_id, PARTITIONS, {"keyed": True}) as pipeline:
        worker = pipeline.start_worker()
        fill(bootstrap, names.access, PARTITIONS, past)
        pipeline.wait(lambda: pipeline.committed(names.access) >= len(past), LIMIT_SECONDS)
        pipeline.wait(lambda: not any(pipeline.lag().values()), LIMIT_SECONDS)
        feeding = threading.Thread(target=steadily, args=(bootstrap, names.access, PARTITIONS, present, rate))
        feeding.start()
        most_lag = 0
        while feeding.is_alive():
            feeding.join(1.0)
            most_lag = max(most_lag, pipeline.lag()[names.access])
        total = len(past) + len(present)
        pipeline.wait(lambda: pipeline.committed(names.access) >= total, LIMIT_SECONDS)
        pipeline.wait(lambda: not any(pipeline.lag().values()), LIMIT_SECONDS)
        worker.stop()
        appended, thieves = _access(pipeline.read(names.access))
        return Latencies(latencies(pipeline.read(names.alerts), appended, thieves), most_lag)


def stamp(bootstrap: str, names: TopicNames) -> None:
    """Make a pipeline's topics, with the brokers' own times in the records that come in and the alerts that go out."""
    topics = plan(PARTITIONS, 1, names)
    stamped = [
        msgspec.structs.replace(topic, config={**topic.config, **APPEND_TIME})
        for topic in topics
        if topic.name in (names.access, names.alerts)
    ]
    ensure(bootstrap, [*stamped, *topics])


def latencies(
    alerts: Sequence[Any], appended: Mapping[int, Sequence[int]], thieves: set[tuple[int, int]]
) -> list[int]:
    """From the newest thief's record to the alert, in ms, for each incident that has one in its first alert."""
    first: dict[bytes, Any] = {}
    for alert in sorted(alerts, key=lambda alert: (alert.timestamp, alert.offset)):
        first.setdefault(alert.key, alert)
    found = []
    for alert in first.values():
        stolen = _positions(dict(alert.headers)[POSITIONS_HEADER]) & thieves
        if stolen:
            found.append(alert.timestamp - max(appended[partition][offset] for partition, offset in stolen))
    return found


def _positions(header: bytes) -> set[tuple[int, int]]:
    """The partition and offset of each record that an alert names, being ``ADAPTER TOPIC/PARTITION/OFFSET``."""
    found = set()
    for position in msgspec.json.decode(header, type=dict[str, str]).values():
        _, partition, offset = position.rsplit("/", 2)
        found.add((int(partition), int(offset)))
    return found


def _access(records: Sequence[Any]) -> tuple[dict[int, array[int]], set[tuple[int, int]]]:
    """When each record was appended, by partition and offset, and where the thieves' are."""
    appended: dict[int, array[int]] = {}
    thieves = set()
    for record in records:
        times = appended.setdefault(record.partition, array("q"))
        assert record.offset == len(times), "records are missing"
        times.append(record.timestamp)
        if THIEVES_NETWORK in record.value:
            thieves.add((record.partition, record.offset))
    return appended, thieves


if __name__ == "__main__":
    main()
