"""A cluster in one thread: workers, brokers, a publisher and what befalls them, each step chosen by a seeded scheduler.

The three agents are the worker's own, and so are their turns (`streams.worker.turn`). Time is virtual. Everything that
happens follows from the seed, so that whatever goes wrong can be looked at again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random

import msgspec
from prometheus_client import CollectorRegistry

from detector.event import AccessEvent
from detector.settings import Settings
from streams.kafka.messages import partition_of
from streams.kafka.topics import TopicNames
from streams.worker.agents import DetectAgent, IngestAgent, TriageAgent
from streams.worker.input_activity import InputActivity
from streams.worker.metrics import Metrics
from streams.worker.turn import StageWork
from tests.schedules.log import Brokers, FencedError, Partition
from tests.schedules.worker import Shard, Worker

__all__ = ["FAULTS", "Cluster", "Plan"]

TOPICS = TopicNames()
SESSION_SECONDS = 6.0
IDLE_SECONDS = 2.0
STAGES = (TOPICS.access, TOPICS.events, TOPICS.signals)
FAULTS = ("kill", "freeze", "join", "leave", "outage", "lost leader", "slow shard")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to befall a cluster, but for the order of its steps."""

    seed: int
    keyed: bool = True
    partitions: int = 2
    workers: int = 2
    seconds: float = 30.0
    """How long the records are published for."""
    faults: int = 4
    kinds: Sequence[str] = FAULTS
    fencing: bool = True


class Cluster:
    """One run of a plan."""

    def __init__(self, plan: Plan, settings: Settings, world: Sequence[tuple[bytes, AccessEvent]]) -> None:
        self.plan = plan
        self.now = 1000.0
        self.story: list[str] = []
        """What befell it, a line each."""
        self._settings = settings
        self._random = Random(plan.seed)
        self.brokers = Brokers(fencing=plan.fencing)
        self._metrics = Metrics(CollectorRegistry())
        self._workers: list[Worker] = []
        self._generation = 0
        self._names = 0
        self._slow: dict[Partition, float] = {}
        begin = self.now
        self._unpublished: dict[Partition, deque[tuple[float, bytes]]] = {
            (TOPICS.access, number): deque() for number in range(plan.partitions)
        }
        for number, (record, event) in enumerate(world):
            where = (
                partition_of(event.identity, plan.partitions)
                if plan.keyed
                else self._random.randrange(plan.partitions)
            )
            due = begin + plan.seconds * number / len(world)
            self._unpublished[TOPICS.access, where].append((due, record))
        self._retry_at: dict[Partition, float] = {}
        end = begin + plan.seconds
        self._faults = sorted(
            (self._random.uniform(begin + 1, end), self._random.choice(plan.kinds))
            for _ in range(plan.faults)
        )
        for _ in range(plan.workers):
            self._start()
        self._rebalance("start")

    def run(self, patience: float = 120.0) -> bool:
        """Go on until everything is worked through and quiet; whether that came to pass in so many seconds more."""
        deadline = self.now + self.plan.seconds + patience
        quiet_from: float | None = None
        while self.now < deadline:
            self._advance()
            if self._busy():
                quiet_from = None
            elif quiet_from is None:
                quiet_from = self.now
            elif self.now - quiet_from > 40.0:  # long enough for all to be idle, and to be told so
                return True
        return False

    def alerts(self) -> set[bytes]:
        """Every version of every alert that was published."""
        return {record.value for record in self.brokers.logs[TOPICS.alerts, 0]}

    def profiles(self) -> dict[bytes, bytes]:
        """The profiles as they are saved."""
        saved: dict[bytes, bytes] = {}
        for number in range(self.plan.partitions):
            saved |= self.brokers.state[TOPICS.events, number]
        return {name: value for name, value in saved.items() if not name.startswith(b"\x00")}

    def _advance(self) -> None:
        random = self._random
        self.now += random.expovariate(1 / 0.008)
        self._publish()
        while self._faults and self._faults[0][0] <= self.now:
            self._befall(self._faults.pop(0)[1])
        self._look_after_group()
        for worker in self._workers:
            if worker.frozen_until > self.now:
                continue
            self._work(worker)

    def _work(self, worker: Worker) -> None:
        random = self._random
        if self.brokers.reachable(self.now):
            worker.heard_at = self.now
        if random.random() < 0.1:
            for shard in worker.shards.values():
                if random.random() < 0.7:
                    shard.fetch(self.now, random)
        if random.random() < 0.02:
            worker.commit()
        able = [
            shard
            for place, shard in worker.shards.items()
            if shard.runnable(self.now) and self._slow.get(place, 0.0) <= self.now
        ]
        for shard in random.sample(able, min(len(able), random.randint(1, 4))):
            try:
                shard.step(self.now)
            except FencedError:
                self.story.append(f"{self.now:.2f} worker {worker.name} is fenced at {shard.partition}")
                self._kill(worker)
                return
        if worker.expired and random.random() < 0.05:  # it sees that it slept
            self.story.append(f"{self.now:.2f} worker {worker.name} sees that it was asleep")
            self._kill(worker)

    def _publish(self) -> None:
        for partition, waiting in self._unpublished.items():
            if not waiting or waiting[0][0] > self.now:
                continue
            if not self.brokers.reachable(self.now, partition):
                self._retry_at[partition] = self.now + self._random.uniform(0.05, 1.5)
                continue
            if self._retry_at.get(partition, 0.0) > self.now:
                continue
            while waiting and waiting[0][0] <= self.now:
                self.brokers.append(self.now, partition, waiting.popleft()[1])

    def _befall(self, kind: str) -> None:
        random = self._random
        able = [worker for worker in self._workers if worker.frozen_until <= self.now and not worker.expired]
        seconds = random.choice((random.uniform(0.1, 4.0), random.uniform(4.0, 14.0)))
        told = f"{kind}"
        if kind == "kill" and able:
            worker = random.choice(able)
            told += f" worker {worker.name}"
            self._kill(worker)
        elif kind == "freeze" and able:
            worker = random.choice(able)
            worker.frozen_until = self.now + seconds
            told += f" worker {worker.name} for {seconds:.2f} s"
        elif kind == "join" and len(self._workers) < 5:
            self._start()
            self._rebalance("join")
        elif kind == "leave" and len(able) > 1:
            worker = random.choice(able)
            worker.commit()
            self._workers.remove(worker)
            self._rebalance("leave")
        elif kind == "outage":
            self.brokers.fail(self.now + seconds)
            told += f" for {seconds:.2f} s"
        elif kind == "lost leader":
            place = random.choice(STAGES), random.randrange(self.plan.partitions)
            self.brokers.fail(self.now + seconds, place)
            told += f" of {place} for {seconds:.2f} s"
        elif kind == "slow shard":
            place = random.choice(STAGES), random.randrange(self.plan.partitions)
            self._slow[place] = self.now + seconds
            told += f" {place} for {seconds:.2f} s"
        self.story.append(f"{self.now:.2f} {told}")

    def _kill(self, worker: Worker) -> None:
        """It is restarted at once; the group notices by its silence, or when the new one joins."""
        self._workers.remove(worker)
        self._start()
        self._rebalance("restart")

    def _start(self) -> None:
        self._names += 1
        self._workers.append(Worker(self._names, self.brokers, lambda: self.now))

    def _look_after_group(self) -> None:
        if not self.brokers.reachable(self.now):
            for worker in self._workers:
                worker.heard_at = self.now  # sessions begin anew with the brokers
            return
        silent = [
            worker
            for worker in self._workers
            if not worker.expired and self.now - worker.heard_at > SESSION_SECONDS
        ]
        for worker in silent:
            worker.expired = True
        if silent:
            self._rebalance("expired")

    def _rebalance(self, why: str) -> None:
        """Members that answer give up their shards and get new ones; one that is frozen is not waited for."""
        members = []
        for worker in self._workers:
            if worker.frozen_until > self.now:
                worker.expired = True
            if not worker.expired:
                worker.commit()
                worker.shards = {}
                members.append(worker)
        self.story.append(f"{self.now:.2f} rebalance: {why}, {[worker.name for worker in members]}")
        if not members:
            self._start()
            members = self._workers[-1:]
        places = [(topic, number) for topic in STAGES for number in range(self.plan.partitions)]
        self._random.shuffle(places)
        for index, place in enumerate(places):
            worker = members[index % len(members)]
            opens_at = self.now + self._random.choice((0.05, 0.3, 2.0)) * self._random.random()
            worker.shards[place] = Shard(
                worker, place, self._new_work, stateful=place[0] != TOPICS.access, opens_at=opens_at
            )

    def _busy(self) -> bool:
        if any(self._unpublished.values()) or self._faults:
            return True
        brokers = self.brokers
        return any(
            brokers.committed[topic, number] < len(brokers.logs[topic, number])
            for topic in (TOPICS.access,)
            for number in range(self.plan.partitions)
        ) or any(worker.expired or worker.frozen_until > self.now for worker in self._workers)

    def _new_work(
        self, partition: Partition, store: dict[bytes, bytes], activity: InputActivity
    ) -> StageWork:
        def clock() -> float:
            return self.now

        topic, number = partition
        count = self.plan.partitions
        if topic == TOPICS.access:
            return IngestAgent(
                number, count, TOPICS, self._metrics, IDLE_SECONDS, activity=activity, clock=clock
            )
        if topic == TOPICS.events:
            return DetectAgent(
                number,
                count,
                count,
                self._settings,
                store,
                TOPICS,
                self._metrics,
                keyed=self.plan.keyed,
                merge_events=1_000_000,
                sources=range(count),
                activity=activity,
                clock=clock,
            )
        return TriageAgent(
            number, self._settings, store, TOPICS, self._metrics, hold_seconds=1e9, clock=clock
        )
