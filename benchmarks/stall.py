"""How long a worker holds its event loop, and how much memory it takes, at the most that it may have to do with.

    python benchmarks/stall.py [--only day newcomers addresses tenants worker] [--identities 100000]
                               [--newcomers 150000] [--addresses 1000000] [--tenants 1000]

A worker that holds its loop for longer than its session with the brokers loses its partitions. So each call into an
agent is a step, and the loop breathes between two of them. For each part, the longest step of detection and of triage,
by processor time:

- *day*: a partition knows as many identities as it may, of one tenant, and all of their days end; twice, as what triage
  has learned of a day counts two days later.
- *newcomers*: so many identities that nobody knows come in an hour, a record each, to a full partition.
- *addresses*: those known come from so many networks in a day.
- *tenants*: as *day*, with the identities spread over as many tenants as a partition may know.
- *worker*: as *day*, but by a worker with one partition on a real broker, with its default session of 10 s: how often
  it was assigned its partitions, and its longest step by the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import re
import resource
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.feed import START_MS, fill, key_of
from benchmarks.peers.job import usage
from benchmarks.recovery import save_profiles
from benchmarks.stream import LIMIT_SECONDS, address_of, is_ready, names_of, settle
from detector.adapters import decode
from detector.engine import Engine
from detector.event import AccessEvent
from detector.identity.profile import PROFILES
from detector.settings import Settings
from detector.signal import SignalKind
from detector.simulation import World, records
from detector.units import DAY_MS, HOUR_MS
from streams.cli.child_process import Child
from streams.kafka import messages as wire
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import TopicNames
from streams.worker.agents import DetectAgent, TriageAgent
from streams.worker.input_activity import InputActivity
from streams.worker.metrics import Metrics
from streams.worker.producer import Output
from streams.worker.turn import Save, Send, ShardTurn, StageWork
from streams.worker.worker import GARBAGE_THRESHOLDS
from tests.chaos.pipeline import Pipeline

PARTS = ("day", "newcomers", "addresses", "tenants", "worker")
DAYS = 8
"""So many days of a small company are learned; the last one is not over."""
PEOPLE = 30
OVER_MS = START_MS + DAYS * DAY_MS + 3 * HOUR_MS
"""An event time at which it is."""
BATCH_EVENTS = 2_000
TOPICS = TopicNames()
State = dict[bytes, bytes]


def main() -> None:
    """Measure each part."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--only", choices=PARTS, nargs="+", default=PARTS)
    options.add_argument("--identities", type=int, default=100_000)
    options.add_argument("--newcomers", type=int, default=150_000)
    options.add_argument("--addresses", type=int, default=1_000_000)
    options.add_argument("--tenants", type=int, default=1_000)
    chosen = options.parse_args()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    past = company()
    count = chosen.identities
    if "day" in chosen.only:
        show("day", lambda: day(profiles(past, count)))
    if "newcomers" in chosen.only:
        show("newcomers", lambda: events(profiles(past, count), newcomers(past[-1], chosen.newcomers)))
    if "addresses" in chosen.only:
        show(
            "addresses", lambda: events(profiles(past, count), travellers(past[-1], count, chosen.addresses))
        )
    if "tenants" in chosen.only:
        show("tenants", lambda: day(profiles(past, count, chosen.tenants)))
    if "worker" in chosen.only:
        logging.getLogger("aiokafka").setLevel(
            logging.CRITICAL
        )  # it retries on topics that have just been made
        with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "kafka", heap_mb=1024) as broker:
            settle(broker.bootstrap)
            print("worker:", lived(broker.bootstrap, Path(name), "stall", profiles(past, count)))


def show(part: str, measure: Callable[[], Sequence[Shard]]) -> None:
    """Print the figures of a part."""
    began = time.process_time()
    shards = measure()
    seconds = time.process_time() - began
    for shard in shards:
        print(f"{part}, {shard.name}: longest {shard.longest()}")
    most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{part}: {seconds:.0f} s of processor time, at most {most_mb:.0f} MB so far", flush=True)


class Shard:
    """An agent with its state, and the longest of its steps by kind."""

    def __init__(self, name: str, new: Callable[[State], StageWork], state: State) -> None:
        self.name = name
        self.sent: list[Output] = []
        self._seconds: Counter[str] = Counter()
        self._work = new(state)
        gc.collect()
        gc.freeze()
        self._all("restore", self._work.restore())

    def longest(self) -> str:
        """By kind, in processor time."""
        return ", ".join(f"{kind} {seconds * 1000:.0f} ms" for kind, seconds in self._seconds.items())

    def take(self, batch: Sequence[Any]) -> None:
        """A turn for a batch: take it, send, save."""
        batches = iter((batch, None))
        turn = ShardTurn(self._work, lambda: next(batches), stateful=True, save_seconds=0.0)
        steps = turn.steps(lambda: None)
        answer: Any = None
        kind = "take"
        while (effect := self._time(kind, partial(_sent, steps, answer))) is not None:
            answer = None
            match effect:
                case Send(outputs):
                    self.sent += outputs
                    answer = [-1] * len(outputs)
                    kind = "send"
                case Save(changes):
                    answer = self._all("save", changes)
                    kind = "saved"

    def _all(self, kind: str, steps: Iterator[Any]) -> list[Any]:
        done = []
        while step := self._time(kind, lambda: list(islice(steps, 1))):
            done += step
        return done

    def _time(self, kind: str, step: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = step()
        self._seconds[kind] = max(self._seconds[kind], time.process_time() - began)
        return result


def _sent(steps: Any, answer: Any) -> Any:
    try:
        return steps.send(answer)
    except StopIteration:
        return None


# --- what comes


def company() -> list[tuple[bytes, AccessEvent]]:
    """Some days of a small company, and the last moment before the night."""
    made = World(seed=7, start_ms=START_MS, hours=24 * DAYS - 1, people=PEOPLE, integrations=6)
    return [(record, decode(record, "")) for _, record in records(made)]


def profiles(past: Iterable[tuple[bytes, AccessEvent]], count: int, tenants: int = 1) -> State:
    """The profiles that a replay of a company ends with, under so many names: by identity, as a shard saves them."""
    engine = Engine(Settings())
    for _, event in past:
        engine.observe(event)
    models = [profile for profile in map(PROFILES.decode, engine.profiles().values()) if profile.open_days]
    state = {}
    for number in range(count):
        profile = models[number % len(models)]
        profile.tenant, profile.actor = f"org-{number % tenants}", f"user-{number}"
        state[f"{profile.tenant}/{profile.actor}".encode()] = PROFILES.encode(profile)
    return state


def newcomers(model: tuple[bytes, AccessEvent], count: int) -> Iterator[AccessEvent]:
    """So many identities that nobody knows, within an hour."""
    for number in range(count):
        yield msgspec.structs.replace(
            model[1],
            event_id=f"new-{number}",
            actor=f"new-{number}",
            tenant="org-0",
            time_ms=OVER_MS + number * HOUR_MS // count,
        )


def travellers(model: tuple[bytes, AccessEvent], identities: int, count: int) -> Iterator[AccessEvent]:
    """So many events within a day of those who are known, each from another network."""
    for number in range(count):
        yield msgspec.structs.replace(
            model[1],
            event_id=f"far-{number}",
            actor=f"user-{number % identities}",
            tenant="org-0",
            ip=f"{1 + number // 65_536}.{number // 256 % 256}.{number % 256}.7",
            time_ms=OVER_MS + number * DAY_MS // count,
        )


# --- in this process


def day(state: State) -> list[Shard]:
    """The days of all identities end, and what triage has learned of that becomes known."""
    detection = Shard("detection", _detection, state)
    detection.take([_events([], 0, OVER_MS)])
    triage = Shard("triage", _triage, {})
    signals = [output for output in detection.sent if output.topic == TOPICS.signals]
    for number in range(3):
        for output in signals:
            triage.take([_signals(output, number)])
    return [detection, triage]


def events(state: State, coming: Iterable[AccessEvent]) -> list[Shard]:
    """Events come, and after them a day ends."""
    detection = Shard("detection", _detection, state)
    triage = Shard("triage", _triage, {})
    offset = 0
    rest = iter(coming)
    while batch := list(islice(rest, BATCH_EVENTS)):
        detection.take([_events(batch, offset, batch[-1].time_ms)])
        offset += len(batch)
        _pass_on(detection, triage)
    detection.take([_events([], offset, OVER_MS + 2 * DAY_MS)])
    _pass_on(detection, triage)
    return [detection, triage]


def _pass_on(detection: Shard, triage: Shard) -> None:
    sent, detection.sent = detection.sent, []
    for output in sent:
        if output.topic == TOPICS.signals:
            triage.take([_record(output.value)])


def _detection(state: State) -> DetectAgent:
    metrics = Metrics(CollectorRegistry())
    return DetectAgent(
        0,
        1,
        1,
        Settings(),
        state,
        TOPICS,
        metrics,
        keyed=True,
        merge_events=0,
        sources=[0],
        activity=InputActivity(),
    )


def _triage(state: State) -> TriageAgent:
    return TriageAgent(0, Settings(), state, TOPICS, Metrics(CollectorRegistry()), hold_seconds=1e9)


def _events(batch: Sequence[AccessEvent], offset: int, watermark_ms: int) -> Any:
    raw = [(number, msgspec.Raw(wire.encode_event(event))) for number, event in enumerate(batch, offset)]
    return _record(wire.encode(wire.EventsMessage(source=0, watermark_ms=watermark_ms, events=raw)))


def _signals(output: Output, days: int) -> Any:
    """A message's signals as they come so many days later."""
    message, signals = wire.decode_signals(output.value or b"")
    later_ms = days * DAY_MS
    for signal in signals:
        signal.time_ms += later_ms
        signal.day += days
        signal.sequence += days * 1_000
    if message.watermark_ms != wire.NOTHING_KNOWN:
        message.watermark_ms += later_ms
    message.signals = [msgspec.Raw(wire.encode_signal(signal)) for signal in signals]
    return _record(wire.encode(message))


def _record(value: bytes | None) -> Any:
    return SimpleNamespace(value=value, headers=(), timestamp=OVER_MS, offset=0)


# --- a worker


class Survival(msgspec.Struct, frozen=True):
    """How a worker got over the end of a day."""

    identities: int
    """Whose day it has closed."""
    assignments: int
    """How often partitions were assigned to it: once, if it lost none."""
    longest_seconds: float
    """No step took longer: the limit of the highest bucket that is not empty."""
    peak_mb: float
    """The most memory that it took."""
    seconds: float
    """From the record that ends the day until all that follows is committed."""

    def __str__(self) -> str:
        return (
            f"{self.identities:,} days closed in {self.seconds:.0f} s, partitions assigned {self.assignments} times, "
            f"each step within {self.longest_seconds * 1000:.0f} ms, at most {self.peak_mb:.0f} MB"
        )


def lived(bootstrap: str, folder: Path, prefix: str, state: State) -> Survival:
    """Start a worker with this state of one partition, and let all of its days end."""
    names = names_of(prefix, f"{prefix}.access")
    (folder / prefix).mkdir()
    settings = {"keyed": True, "session_seconds": 10}
    last = _last_record()
    with Pipeline(bootstrap, names, folder / prefix, 1, settings) as pipeline:
        asyncio.run(save_profiles(bootstrap, names, 0, state.items()))
        worker = pipeline.start_worker()
        pipeline.wait(lambda: is_ready(worker), LIMIT_SECONDS)
        began = time.monotonic()
        fill(bootstrap, names.access, 1, [(key_of(last), last)])
        pipeline.wait(lambda: pipeline.end(names.signals) > 1, LIMIT_SECONDS)
        pipeline.wait(lambda: not any(pipeline.lag().values()), LIMIT_SECONDS)
        seconds = time.monotonic() - began
        closed = {
            signal.identity
            for message in pipeline.read(names.signals)
            for signal in wire.decode_signals(message.value)[1]
            if signal.kind is SignalKind.CLOSED
        }
        metrics = _metrics(worker)
        peak_mb = usage(worker.pid).peak_mb
        worker.stop()
    return Survival(
        len(closed),
        round(metrics["crmwatch_rebalances_total"]),
        _highest(metrics),
        peak_mb,
        seconds,
    )


def _last_record() -> bytes:
    """A record of the company's next day."""
    made = World(seed=7, start_ms=OVER_MS + 2 * HOUR_MS, hours=24, people=1, integrations=1)
    return next(iter(records(made)))[1]


def _metrics(worker: Child) -> dict[str, float]:
    """A worker's metrics by name and labels."""
    with urllib.request.urlopen(address_of(worker) + "/metrics", timeout=30) as answer:  # noqa: S310 - our own
        lines = answer.read().decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def _highest(metrics: dict[str, float]) -> float:
    """The limit of the highest bucket of steps that is not empty, of any stage."""
    buckets: dict[str, list[tuple[float, float]]] = {}
    for name, count in metrics.items():
        if found := re.fullmatch(r'crmwatch_batch_seconds_bucket{le="([^"]+)",stage="(\w+)"}', name):
            buckets.setdefault(found[2], []).append((float(found[1]), count))
    return max(min(limit for limit, count in stage if count == max(stage)[1]) for stage in buckets.values())


if __name__ == "__main__":
    main()
