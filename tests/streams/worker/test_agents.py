from __future__ import annotations

import functools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from detector.adapters import decode
from detector.alert.finding import read
from detector.directory import Directory, directory_of
from detector.engine import Engine
from detector.event import AccessEvent
from detector.identity import detect as identities
from detector.identity.detect import Detection
from detector.identity.detectors.registry import DETECTORS
from detector.identity.profile import PROFILES, ProfileModel
from detector.identity.summary import summary
from detector.published import decode_activity, encode
from detector.settings import DetectionSettings, Settings, TriageSettings
from detector.signal import SignalKind
from detector.simulation import Theft, World, records
from detector.simulation.directory import world_directory
from detector.triage.triage import Triage
from streams.kafka import messages as wire
from streams.kafka.messages import NOTHING_KNOWN, POSITION_HEADER, partition_of
from streams.kafka.topics import TopicNames
from streams.worker.agents import DetectAgent, IngestAgent, TriageAgent
from streams.worker.agents import triage as judging
from streams.worker.agents.detect import STEP_EVENTS
from streams.worker.agents.ingest import OUTAGE_SECONDS, UNTOLD_BATCHES, WAKING_SECONDS
from streams.worker.identity_queue import REFRESH_SECONDS
from streams.worker.input_activity import InputActivity
from streams.worker.metrics import Metrics
from streams.worker.partition_end import PartitionEnd
from streams.worker.producer import Output
from tests.detector.make import all_of, exhaust

pytestmark = pytest.mark.slow

HOUR_MS = 3_600_000
START_MS = 1_772_409_600_000  # 2026-03-02, a Monday
ARRIVED_MS = START_MS + 365 * 24 * HOUR_MS
TOPICS = TopicNames()
PARTITIONS = 4
# Quick to speak, so that a small world says much.
TALKATIVE = Settings(
    detection=DetectionSettings(bound_deviations=0.3),
    triage=TriageSettings(
        alert_risk=0, least_risk=0, certain_risk=0, support_surprise=0.2, quiet_seconds=26 * 3600
    ),
)


def save(agent: Any) -> dict[bytes, bytes | None]:
    """What an agent saves, as durable."""
    saved: dict[bytes, bytes | None] = {}
    for changes in list(agent.changes()):
        agent.saved(changes)
        saved |= changes
    return saved


class Clock:
    """A monotonic clock that goes only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The agents' clock."""
    clock = Clock()
    for agent in (IngestAgent, DetectAgent, TriageAgent):
        monkeypatch.setitem(agent.__init__.__kwdefaults__, "clock", clock)
    return clock


# --- a pipeline in memory


class Shard:
    """One partition of a stage: its work, what is durable of its state, and where its input is committed."""

    def __init__(self, pipeline: Pipeline, stage: str, partition: int) -> None:
        self.pipeline = pipeline
        self.stage = stage
        self.partition = partition
        self.durable: dict[bytes, bytes] = {}
        self.acked = 0
        self.committed = 0
        self.open()

    @property
    def log(self) -> list[Any]:
        """What there is to read."""
        topic = {"ingest": TOPICS.access, "detect": TOPICS.events, "triage": TOPICS.signals}[self.stage]
        return self.pipeline.logs[topic, self.partition]

    def open(self) -> None:
        """Begin, or begin anew, with what is durable, behind what is committed."""
        self.work = self.pipeline.new_work(self.stage, self.partition, dict(self.durable))
        exhaust(self.work.restore())
        self.end = PartitionEnd()
        self.reports = 0
        self.position = self.acked = self.committed
        self.unacked: list[int] = []
        self.taken = self.settled = 0

    def turn(self, batches: Sequence[int], send: float = 1.0) -> bool:
        """Take batches and send what follows; with `send` below 1, only that part of it, and ``False``."""
        for size in batches:
            batch = self.log[self.position : self.position + size]
            if batch:
                exhaust(self.work.take(batch))
                self.position += len(batch)
                self.taken += 1
                self.unacked.append(self.position)
        self.reports += 1
        read = self.position == len(self.log)
        at = self.end.look(self.pipeline.clock.now, self.reports, read=read)
        exhaust(self.work.tick(read_to_end_at=at))
        outputs = all_of(self.work.outputs())
        if send < 1:
            self.pipeline.send(outputs[: int(len(outputs) * send)])
            return False
        self.work.sent(outputs, self.pipeline.send(outputs))
        return True

    def save(self, *, ack: bool = True) -> None:
        """Make state durable, then acknowledge what is settled."""
        settled = self.work.settled()
        for changes in list(self.work.changes()):
            for key, value in changes.items():
                if value is None:
                    self.durable.pop(key, None)
                else:
                    self.durable[key] = value
            self.work.saved(changes)
        if ack:
            for _ in range(settled - self.settled):
                self.acked = self.unacked.pop(0)
            self.settled = settled


class Pipeline:
    """All shards over logs in memory, in the frame's order: outputs, state, acknowledgement."""

    def __init__(
        self, clock: Clock, *, keyed: bool, partitions: int = PARTITIONS, config: Settings = TALKATIVE
    ) -> None:
        self.clock = clock
        self.activity = InputActivity()
        self.keyed = keyed
        self.partitions = partitions
        self.config = config
        self.logs: dict[tuple[str, int], list[Any]] = defaultdict(list)
        self.alerts: list[bytes] = []
        self.letters: list[dict[str, Any]] = []
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.shards = [
            Shard(self, stage, partition)
            for stage in ("ingest", "detect", "triage")
            for partition in range(partitions)
        ]

    def new_work(self, stage: str, partition: int, store: dict[bytes, bytes]) -> Any:
        """What the worker builds for a partition that it is given."""
        count = self.partitions
        if stage == "ingest":
            return IngestAgent(partition, count, TOPICS, self.metrics, 2.0, activity=self.activity)
        if stage == "detect":
            return DetectAgent(
                partition, count, count, self.config, store, TOPICS, self.metrics,
                keyed=self.keyed, merge_events=1_000_000, sources=range(count), activity=self.activity,
                profiles=ProfileModel(DETECTORS, directory_of(self.config.directory)),
            )  # fmt: skip
        return TriageAgent(partition, self.config, store, TOPICS, self.metrics, hold_seconds=1e9)

    def publish(self, stream: Sequence[tuple[bytes, AccessEvent]], random: Random) -> None:
        """Records onto the access topic: by identity, or each anywhere."""
        for record, event in stream:
            where = (
                partition_of(event.identity, self.partitions)
                if self.keyed
                else random.randrange(self.partitions)
            )
            self.append(TOPICS.access, where, record)

    def append(self, topic: str, partition: int, value: bytes | None, **columns: Any) -> int:
        """One record onto a log; its offset."""
        log = self.logs[topic, partition]
        offset = log[-1].offset + 1 if log else 0
        if topic != TOPICS.access:
            columns["timestamp"] = round(self.clock.now * 1000)
        log.append(fake(value, topic=topic, partition=partition, offset=offset, **columns))
        return offset

    def send(self, outputs: Sequence[Output]) -> list[int]:
        """What a stage says, to where it is for; the offsets."""
        offsets = []
        for output in outputs:
            at = -1
            if output.topic == TOPICS.alerts:
                self.alerts.append(output.value)
            elif output.topic == TOPICS.deadletters:
                self.letters.append(json.loads(output.value))
            else:
                assert output.partition is not None
                columns = {} if output.key is None else {"key": output.key}
                at = self.append(
                    output.topic, output.partition, output.value, headers=output.headers, **columns
                )
            offsets.append(at)
        return offsets

    def stir(self, random: Random, turns: int, crash: float) -> None:
        """Shards take turns at random; some are lost in the middle of one and begin anew."""
        for _ in range(turns):
            self.clock.now += random.random() * 0.06
            shard = random.choice(self.shards)
            dies = random.random() < crash
            most = random.choice((3, 40, 400))
            batches = [random.randint(1, most) for _ in range(random.randint(0, 4))]
            sent = shard.turn(batches, send=random.random() if dies and random.random() < 0.5 else 1.0)
            if sent and random.random() < 0.4:
                shard.save(ack=not dies or random.random() < 0.5)
            if random.random() < 0.5:
                shard.committed = shard.acked
            if dies:  # alone, or with others of its process
                for other in self.shards:
                    if other is shard or random.random() < 0.3:
                        other.open()

    def drain(self, seconds: float = 14.0) -> None:
        """Let everybody work until nothing is left and every partition has been told to be idle."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now += 0.3
            for shard in self.shards:
                shard.turn([1_000_000])
                shard.save()
                shard.committed = shard.acked


def fake(
    value: bytes | None,
    *,
    topic: str = TOPICS.access,
    partition: int = 0,
    offset: int = 0,
    timestamp: int = ARRIVED_MS,
    headers: Sequence[tuple[str, bytes | None]] = (),
    key: bytes | None = None,
) -> Any:
    """A Kafka record as the consumer hands it over."""
    return SimpleNamespace(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=timestamp,
        headers=headers,
        key=key,
        value=value,
    )


# --- worlds


@functools.cache
def world(seed: int, days: int = 6, coarse: bool = True) -> tuple[tuple[bytes, AccessEvent], ...]:
    """A world's records in order; with `coarse` times, so that many are equal, and some delivered twice."""
    random = Random(seed)
    theft = Theft(start_ms=START_MS + (3 * 24 + 3) * HOUR_MS)
    small = World(seed=seed, start_ms=START_MS, hours=24 * days, people=6, integrations=2)
    found = []
    for _, record in records(small, theft):
        if coarse:
            row = json.loads(record)
            row["TIMESTAMP"] = row["TIMESTAMP"][:-5] + "0.000"
            row["TIMESTAMP_DERIVED"] = row["TIMESTAMP_DERIVED"][:-6] + "0.000Z"
            record = json.dumps(row).encode()
        pair = record, decode(record, "world")
        found += [pair] * (2 if random.random() < 0.01 else 1)
    found.sort(key=lambda pair: (pair[1].time_ms, pair[1].event_id, pair[0]))
    return tuple(found)


@functools.cache
def replayed(seed: int, days: int = 6) -> tuple[tuple[bytes, ...], dict[bytes, bytes]]:
    """What the engine says of that world: alerts, and the profiles in the end."""
    stream = world(seed, days)
    engine = Engine(TALKATIVE)
    alerts = [alert.body for _, event in stream for alert in engine.observe(event)]
    alerts += [alert.body for alert in engine.finish(stream[-1][1].time_ms)]
    return tuple(sorted(alerts)), engine.profiles()


def streamed_profiles(pipeline: Pipeline) -> dict[bytes, bytes]:
    """All shards' profiles, without the positions of what was applied."""
    found = {}
    for shard in pipeline.shards:
        if shard.stage == "detect":
            for key, value in shard.durable.items():
                if not key.startswith(b"\x00"):
                    profile = PROFILES.decode(value)
                    profile.applied = {}
                    found[key] = PROFILES.encode(profile)
    return found


def check(pipeline: Pipeline, seed: int, days: int = 6) -> None:
    """All is done, and the stream has said what the replay says."""
    alerts, expected = replayed(seed, days)
    last_ms = world(seed, days)[-1][1].time_ms
    assert len(alerts) > 20
    assert not any(shard.unacked for shard in pipeline.shards)
    for shard in pipeline.shards:
        if shard.stage == "triage":
            assert shard.work._hold.held == 0
            assert shard.work._triage.watermark_ms == last_ms
    assert sorted(set(pipeline.alerts)) == sorted(set(alerts))
    assert streamed_profiles(pipeline) == expected


# --- the stream says what the replay says


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
@pytest.mark.parametrize("seed", [0, 1])
def test_whatever_order_shards_work_in_the_alerts_are_the_same(keyed: bool, seed: int, clock: Clock) -> None:
    """Over four partitions, stirred at random: every alert of the replay, byte for byte, each once."""
    random = Random(seed)
    pipeline = Pipeline(clock, keyed=keyed)
    pipeline.publish(world(seed), random)
    pipeline.stir(random, 300, crash=0.0)
    pipeline.drain()
    check(pipeline, seed)
    assert sorted(pipeline.alerts) == list(replayed(seed)[0])


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a smaller seed is not a simpler example
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10_000), crash=st.sampled_from([0.02, 0.1, 0.3]), bursts=st.integers(1, 4))
def test_shards_that_are_lost_change_nothing(
    keyed: bool, seed: int, crash: float, bursts: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost anywhere between taking and acknowledging, with records coming in bursts: nothing changes."""
    random = Random(seed)
    limit = random.choice((500, 20_000, wire.PACKED_BYTES))
    stream = world(seed % 3)
    ends = [*sorted(random.sample(range(len(stream)), bursts - 1)), len(stream)]
    pipeline = Pipeline(clock, keyed=keyed)
    with monkeypatch.context() as patch:
        patch.setattr(wire, "Pack", functools.partial(wire.Pack, limit=limit))
        begin = 0
        for end in ends:
            pipeline.publish(stream[begin:end], random)
            pipeline.stir(random, random.choice((50, 200, 600)), crash)
            if end < len(stream) and random.random() < 0.7:
                pipeline.drain(random.choice((1, 6, 14)))
            begin = end
        pipeline.drain()
    check(pipeline, seed % 3)


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
def test_one_that_wakes_up_first_does_not_pass_the_others_by(keyed: bool, clock: Clock) -> None:
    """A day's records at once after a silence: partitions that are read a second later lose nothing by it."""
    random = Random(1)
    pipeline = Pipeline(clock, keyed=keyed)
    stream = world(1)
    begin = 0
    for end in range(len(stream) // 6, len(stream), len(stream) // 6):
        pipeline.publish(stream[begin:end], random)
        first, *others = pipeline.shards[:PARTITIONS]
        for late in ([first], [first], others[:1], others):
            clock.now += 0.4
            for shard in (*late, *pipeline.shards[PARTITIONS:]):
                shard.turn([1_000_000])
        pipeline.drain()
        begin = end
    pipeline.publish(stream[begin:], random)
    pipeline.drain()
    check(pipeline, 1)


def test_a_watermark_told_to_some_shards_only_is_not_acknowledged(clock: Clock) -> None:
    """An ingest lost before it has told every shard how far it is reads the same records again."""
    pipeline = Pipeline(clock, keyed=True)
    record, event = world(0)[0]
    pipeline.publish([(record, event)], Random(0))
    owner = partition_of(event.identity, PARTITIONS)
    ingest = pipeline.shards[owner]
    ingest.work._told = [(clock.now, NOTHING_KNOWN, False)] * PARTITIONS  # all have been told just now
    ingest.turn([10])
    assert [len(pipeline.logs[TOPICS.events, shard]) for shard in range(PARTITIONS)].count(1) == 1
    assert ingest.work.settled() == 0
    clock.now += 1.0
    ingest.turn([10])
    assert all(pipeline.logs[TOPICS.events, shard] for shard in range(PARTITIONS))
    assert ingest.work.settled() == 1


def test_a_shard_is_told_early_when_many_batches_wait_for_it(clock: Clock) -> None:
    """However fast records come, not more than some batches wait for a heartbeat to be acknowledged."""
    ingest = new_ingest()
    all_of(ingest.outputs())
    for batch in range(UNTOLD_BATCHES):
        assert ingest.settled() == 0
        exhaust(ingest.take([fake(world(0)[batch][0], offset=batch)]))
        told = [output.partition for output in all_of(ingest.outputs())]
    assert sorted(set(told)) == list(range(PARTITIONS))
    assert ingest.settled() == UNTOLD_BATCHES


def test_in_the_end_the_watermark_is_the_newest_event(clock: Clock) -> None:
    """One event on one of four partitions: once all are idle, every desk is as far as that event."""
    pipeline = Pipeline(clock, keyed=False)
    record, event = world(0)[0]
    pipeline.append(TOPICS.access, 2, record)
    pipeline.drain(1.5)
    assert {shard.work._triage.watermark_ms for shard in pipeline.shards[-PARTITIONS:]} == {NOTHING_KNOWN}
    pipeline.drain()
    assert {shard.work._triage.watermark_ms for shard in pipeline.shards[-PARTITIONS:]} == {event.time_ms}
    assert not any(shard.unacked for shard in pipeline.shards)


# --- what is published


def newest(pipeline: Pipeline, topic: str) -> dict[bytes, bytes]:
    """The newest value of each key of a topic."""
    values: dict[bytes, bytes] = {}
    for partition in range(PARTITIONS):
        for record in pipeline.logs[topic, partition]:
            if record.value is None:
                values.pop(record.key, None)
            else:
                values[record.key] = record.value
    return values


@pytest.mark.parametrize("seed", range(3))
def test_what_is_published_is_exact_over_shards_that_are_lost(seed: int, clock: Clock) -> None:
    """In the end every identity's newest record says what its profile says, and rows and events by tick, added up,
    are those of the replay, whatever was lost and sent again on the way."""
    random = Random(seed)
    pipeline = Pipeline(clock, keyed=False)
    pipeline.publish(world(seed), random)
    pipeline.stir(random, 400, crash=0.1)
    pipeline.drain()
    for _ in range(3):  # what was only active, or has been restored, follows later
        clock.now += REFRESH_SECONDS
        pipeline.drain(1.0)
    check(pipeline, seed)
    expected = {
        key: encode(summary(PROFILES.decode(value)))
        for shard in pipeline.shards
        if shard.stage == "detect"
        for key, value in shard.durable.items()
        if not key.startswith(b"\x00")
    }
    assert newest(pipeline, TOPICS.identities) == expected
    assert set(expected) == set(replayed(seed)[1])
    published: Counter[tuple[int, str]] = Counter()
    for value in newest(pipeline, TOPICS.activity).values():
        tick = decode_activity(value)
        published.update({(tick.start_ms, name): count for name, count in (tick.rows | tick.events).items()})
    replay = Detection(TALKATIVE, {})
    counted: Counter[tuple[int, str]] = Counter()
    for _, event in world(seed):
        replay.observe(event)
        for signal in all_of(replay.advance(event.time_ms)):
            if signal.kind is SignalKind.TALLY:
                counts = signal.objects | {name: int(count) for name, count in signal.facts.items()}
                counted.update({(signal.first_ms, name): count for name, count in counts.items()})
    assert len(counted) > 500
    assert published == counted


def test_a_restored_shard_publishes_what_it_knows(clock: Clock) -> None:
    """Though nothing new comes: whatever its predecessor had not got to, or the topic has lost, is there in the end."""
    store: dict[bytes, bytes] = {}
    first = new_detect(store)
    exhaust(first.take([packed(event for _, event in world(0)[:2000])]))
    sent = all_of(first.outputs())
    save(first)
    clock.now += 1
    sent += all_of(first.outputs())
    known = {key for key in store if key[0]}
    assert {output.key for output in sent if output.topic == TOPICS.identities} == known
    again = {
        output.key: output.value for output in all_of(new_detect(store).outputs()) if output.key is not None
    }
    assert again == {key: encode(summary(PROFILES.decode(store[key]))) for key in known}


def test_a_forgotten_identity_is_deleted_before_its_profile(clock: Clock) -> None:
    """The record without a value is among the outputs that precede the state in which the profile is gone."""
    store: dict[bytes, bytes] = {}
    detect = new_detect(store)
    first, last = world(0)[0][1], world(0)[-1][1]
    exhaust(detect.take([packed([first])]))
    all_of(detect.outputs())
    save(detect)
    years_later = msgspec.structs.replace(last, time_ms=first.time_ms + 1000 * 24 * HOUR_MS, actor="another")
    exhaust(detect.take([packed([years_later], first_offset=1)]))
    deleted = [
        output.key for output in all_of(detect.outputs()) if output.key is not None and output.value is None
    ]
    assert deleted == [first.identity.encode()]
    assert save(detect)[first.identity.encode()] is None


# --- what the shards say


def new_detect(store: dict[bytes, bytes]) -> DetectAgent:
    """The only shard of identities, with this state."""
    metrics = Metrics(CollectorRegistry())
    detect = DetectAgent(
        0,
        1,
        1,
        TALKATIVE,
        store,
        TOPICS,
        metrics,
        keyed=True,
        merge_events=0,
        sources=[0],
        activity=InputActivity(),
    )
    exhaust(detect.restore())
    return detect


def packed(events: Iterable[AccessEvent], first_offset: int = 0) -> Any:
    """A record with these events of the only input partition."""
    numbered = list(enumerate(events, first_offset))
    raw = [(offset, msgspec.Raw(wire.encode_event(event))) for offset, event in numbered]
    newest_ms = max(event.time_ms for _, event in numbered)
    return fake(wire.encode(wire.EventsMessage(source=0, watermark_ms=newest_ms, events=raw)))


def signals_of(detect: DetectAgent) -> list[Output]:
    """What a shard sends to triage."""
    return [output for output in all_of(detect.outputs()) if output.topic == TOPICS.signals]


def new_ingest(
    registry: CollectorRegistry | None = None, activity: InputActivity | None = None
) -> IngestAgent:
    """The ingest of partition 0 of four."""
    return IngestAgent(
        0,
        PARTITIONS,
        TOPICS,
        Metrics(registry or CollectorRegistry()),
        2.0,
        activity=activity or InputActivity(),
    )


def test_events_go_to_their_identities_shard_with_their_offset(clock: Clock) -> None:
    """Each event is in one message, to its identity's shard, with its offset, beside the watermark."""
    ingest = new_ingest()
    stream = world(0)[:50]
    exhaust(ingest.take([fake(record, offset=100 + index) for index, (record, _) in enumerate(stream)]))
    outputs = all_of(ingest.outputs())
    found = {}
    for output in outputs:
        assert (output.topic, output.key) == (TOPICS.events, None)
        message, events = wire.decode_events(output.value)
        assert (message.source, message.idle) == (0, False)
        assert message.watermark_ms == stream[-1][1].time_ms
        for offset, event in events:
            assert output.partition == partition_of(event.identity, PARTITIONS)
            found[offset] = event.event_id
    assert found == {100 + index: event.event_id for index, (_, event) in enumerate(stream)}
    assert all_of(ingest.outputs()) == []
    assert list(ingest.changes()) == []


def test_of_several_messages_only_the_last_has_the_watermark(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still to come in a further message must not be passed by."""
    monkeypatch.setattr(wire, "Pack", functools.partial(wire.Pack, limit=2000))
    ingest = new_ingest()
    exhaust(ingest.take([fake(record, offset=index) for index, (record, _) in enumerate(world(0)[:200])]))
    watermarks: dict[int | None, list[int]] = defaultdict(list)
    for output in all_of(ingest.outputs()):
        watermarks[output.partition].append(wire.decode_events(output.value)[0].watermark_ms)
    assert max(map(len, watermarks.values())) > 3
    last_ms = world(0)[199][1].time_ms
    assert all(marks == [NOTHING_KNOWN] * (len(marks) - 1) + [last_ms] for marks in watermarks.values())


def test_triage_is_told_how_far_detection_is_behind_all_signals(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many messages they take, only the last says it; and none says it before all that is due has been said."""
    monkeypatch.setattr(wire, "Pack", functools.partial(wire.Pack, limit=2000))
    monkeypatch.setattr(identities, "STEP_IDENTITIES", 1)
    store: dict[bytes, bytes] = {}
    detect = new_detect(store)
    first = world(0)[0][1]
    events = [
        msgspec.structs.replace(first, actor=f"u{number}", event_id=f"{number}", tenant="t")
        for number in range(30)
    ]
    exhaust(detect.take([packed(events)]))
    all_of(detect.outputs())
    save(detect)
    later = msgspec.structs.replace(events[-1], time_ms=events[-1].time_ms + 48 * HOUR_MS, event_id="later")
    for asked in (True, False):
        again = new_detect(dict(store))
        said: list[wire.SignalsMessage] = []
        for _ in again.take([packed([later], first_offset=len(events))]):
            clock.now += 1
            if asked:
                said += [wire.decode_signals(output.value)[0] for output in signals_of(again)]
        clock.now += 1
        said += [wire.decode_signals(output.value)[0] for output in signals_of(again)]
        assert sum(len(message.signals) for message in said) > len(events)
        assert len([message for message in said if message.signals]) > 3
        *before, last = (message.watermark_ms for message in said)
        while asked and before[-1] == last:
            before.pop()
        assert set(before) == ({events[-1].time_ms} if asked else {NOTHING_KNOWN})
        assert last == later.time_ms


def test_no_step_of_a_batch_is_long(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two steps so many events at most are applied, and so many signals judged, in however large a message."""
    done: Counter[str] = Counter()

    def counted(where: Any, name: str) -> None:
        function = getattr(where, name)

        def count(*given: Any, **more: Any) -> Any:
            done[name] += 1
            return function(*given, **more)

        monkeypatch.setattr(where, name, count)

    counted(Detection, "observe")
    counted(Triage, "assess")
    detect = new_detect({})
    sent: list[Output] = []
    for _ in detect.take([packed(event for _, event in world(0)[:3000])]):
        assert done["observe"] <= STEP_EVENTS
        done.clear()
    sent += signals_of(detect)
    triage = TriageAgent(0, TALKATIVE, {}, TOPICS, Metrics(CollectorRegistry()), hold_seconds=120)
    judged = 0
    for _ in triage.take([fake(output.value, timestamp=0) for output in sent]):
        assert done["assess"] <= judging.STEP_SIGNALS
        judged += done["assess"]
        done.clear()
    assert judged > 5 * judging.STEP_SIGNALS


def test_a_partition_is_idle_only_at_its_end_and_after_some_time(clock: Clock) -> None:
    """Idle is said at once to all shards, and so is waking up; that it still is, often only while others are active."""
    activity = InputActivity()
    activity.heard_at = clock.now
    ingest = new_ingest(activity=activity)

    def said(*, read: bool = True) -> list[bool]:
        exhaust(ingest.tick(read_to_end_at=clock.now if read else None))
        return [wire.decode_events(output.value)[0].idle for output in all_of(ingest.outputs())]

    def said_after(seconds: float) -> list[bool]:
        clock.now += seconds
        return said()

    exhaust(ingest.take([fake(world(0)[0][0])]))
    assert True not in (*said(), *said_after(1.0), *said_after(0.9))
    assert said_after(0.2) == [True] * PARTITIONS
    assert said_after(0.9) == []
    assert said_after(0.2) == [True] * PARTITIONS
    while activity.active(clock.now):
        said_after(1.0)
    later = [said_after(1.0) for _ in range(2 * int(wire.REPEAT_SECONDS))]
    assert sorted(later) == [[]] * (len(later) - 2) + [[True] * PARTITIONS] * 2
    exhaust(ingest.take([fake(world(0)[1][0], offset=1)]))
    assert said() == [False] * PARTITIONS
    assert True not in (*said_after(1.0), *said_after(0.9), *said(read=False), *said_after(1.0))


def test_a_partition_that_was_out_of_reach_is_not_idle(clock: Clock) -> None:
    """What came to it meanwhile may be late: it must be quiet for long once more, with news of it all the time."""
    ingest = new_ingest()
    said = [False]

    def idle_after(*gaps: float) -> bool:
        for gap in gaps:
            clock.now += gap
            exhaust(ingest.tick(read_to_end_at=clock.now))
        said.extend(wire.decode_events(output.value)[0].idle for output in all_of(ingest.outputs()))
        return said[-1]

    assert idle_after(0.0, 1.0, 1.0)
    assert not idle_after(OUTAGE_SECONDS + 0.1)
    assert not idle_after(1.0)
    assert idle_after(1.0)


def test_a_quiet_partition_says_up_to_where_others_need_not_wait(clock: Clock) -> None:
    """Up to the newest message that lies there long enough for a late record to have been read."""
    activity = InputActivity()
    activity.heard_at = clock.now
    ingest = new_ingest(activity=activity)

    def complete(seconds: float, place: int) -> list[int]:
        clock.now += seconds
        exhaust(ingest.tick(read_to_end_at=clock.now))
        outputs = all_of(ingest.outputs())
        ingest.sent(outputs, [place] * len(outputs))
        return [wire.decode_events(output.value)[0].complete for output in outputs]

    assert complete(0.0, 3) == [-1] * PARTITIONS
    assert complete(1.0, 4) == []
    assert complete(1.0, 5) == [3] * PARTITIONS
    assert complete(1.0, 6) == [3] * PARTITIONS
    assert complete(WAKING_SECONDS - 1.0, 7) == [5] * PARTITIONS
    clock.now += 10
    exhaust(ingest.tick(read_to_end_at=clock.now - 9.5))
    assert {wire.decode_events(output.value)[0].complete for output in all_of(ingest.outputs())} == {5}


def test_signals_held_too_long_are_judged_provisionally(clock: Clock) -> None:
    """When one shard says nothing, the others' signals wait so long and no longer, and are settled."""
    detect = DetectAgent(
        0,
        2,
        1,
        TALKATIVE,
        {},
        TOPICS,
        Metrics(CollectorRegistry()),
        keyed=True,
        merge_events=10,
        sources=[0],
        activity=InputActivity(),
    )
    triage_registry = CollectorRegistry()
    triage = TriageAgent(0, TALKATIVE, {}, TOPICS, Metrics(triage_registry), hold_seconds=120)

    def figures() -> tuple[float | None, float | None]:
        names = ("buffered_signals", "provisional_signals_total")
        held, provisional = (triage_registry.get_sample_value(f"crmwatch_{name}") for name in names)
        return held, provisional

    events = [(offset, event) for offset, (_, event) in enumerate(world(0)[:3000])]
    raw = [(offset, msgspec.Raw(wire.encode_event(event))) for offset, event in events]
    message = wire.EventsMessage(source=0, watermark_ms=events[-1][1].time_ms, events=raw)
    exhaust(detect.take([fake(wire.encode(message))]))
    exhaust(triage.take([fake(output.value, timestamp=0) for output in signals_of(detect)]))
    exhaust(triage.tick(read_to_end_at=clock.now))
    assert triage.settled() == 0
    assert all_of(triage.outputs()) == []
    held, provisional = figures()
    assert held
    assert provisional == 0
    clock.now += 121
    exhaust(triage.tick(read_to_end_at=clock.now))
    assert triage.settled() == 1
    assert figures() == (0, held)
    bodies = [json.loads(output.value) for output in all_of(triage.outputs())]
    assert bodies
    assert {body["unmapped"]["crmwatch"]["provisional"] for body in bodies} == {True}


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "unkeyed"])
def test_an_alert_is_timed_from_when_its_record_came(
    keyed: bool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that came at one moment make alerts now: the part of each delay from that moment on is our own. An update
    that is due by time alone, with no record behind it, is not timed."""
    came_ms = START_MS + 30 * 24 * HOUR_MS
    monkeypatch.setattr(judging, "time", lambda: came_ms / 1000 + 7)
    pipeline = Pipeline(clock, keyed=keyed)
    for record, event in world(0):
        where = partition_of(event.identity, PARTITIONS)
        pipeline.append(TOPICS.access, where, record, timestamp=came_ms)
    pipeline.drain()
    told = [json.loads(body) for body in pipeline.alerts]
    timed = [came_ms - body["time"] for body in told if body["activity_id"] != 3]
    assert len(timed) >= 3
    source, own = (
        pipeline.registry.get_sample_value("crmwatch_detection_delay_seconds_sum", {"part": part})
        for part in ("source", "pipeline")
    )
    assert own is not None
    assert own % 7 == 0
    missing = len(timed) - round(own / 7)
    assert 0 <= missing <= len(timed) // 20
    assert source == pytest.approx(sum(timed) / 1000, rel=0.05 if missing else 1e-9)


def test_shards_say_what_they_hold_and_what_their_state_takes(clock: Clock) -> None:
    """In the end nothing is held, and the bytes are those of what is durable; held and early are seen as they are."""
    pipeline = Pipeline(clock, keyed=False)
    random = Random(3)
    pipeline.publish(world(0), random)
    pipeline.stir(random, 300, crash=0.05)
    pipeline.drain()
    durable = {"detect": 0, "triage": 0}
    for shard in pipeline.shards[PARTITIONS:]:
        durable[shard.stage] += sum(len(key) + len(value) for key, value in shard.durable.items())
    value = pipeline.registry.get_sample_value
    for stage, size_bytes in durable.items():
        assert value("crmwatch_state_bytes", {"stage": stage}) == size_bytes > 0
    assert sum(durable.values()) > 10_000
    for name in (
        "buffered_events",
        "buffered_signals",
        "out_of_order_events_total",
        "provisional_signals_total",
    ):
        assert value(f"crmwatch_{name}") == 0


@pytest.mark.slow
def test_with_a_directory_the_alerts_are_those_of_a_replay(clock: Clock) -> None:
    """With peers, kinds, networks and settings by name from it, byte for byte; a change of names on the way changes
    what alerts say of whom, and neither which there are nor their risk."""
    entries = world_directory(World(seed=0, start_ms=START_MS, hours=1, people=6, integrations=2))
    first, *others = entries
    people = (msgspec.structs.replace(first, peer_group="night"), *others)
    triage = msgspec.structs.replace(TALKATIVE.triage, expected_rows={first.name: 500.0})
    config = msgspec.structs.replace(TALKATIVE, triage=triage, directory=people)
    engine = Engine(config)
    stream = world(0, 4)
    replay = [alert.body for _, event in stream for alert in engine.observe(event)]
    replay += [alert.body for alert in engine.finish(stream[-1][1].time_ms)]
    streams = []
    for renamed in (False, True):
        pipeline = Pipeline(clock, keyed=True, config=config)
        pipeline.publish(stream, Random(0))
        if renamed:
            for shard in pipeline.shards:
                if shard.stage == "triage":
                    shard.work.name_by(Directory())
        pipeline.drain()
        streams.append(sorted(pipeline.alerts))
    assert streams[0] == sorted(replay)
    assert any(json.loads(body)["unmapped"]["crmwatch"].get("names") for body in replay)
    assert streams[1] != streams[0]
    judged = [
        sorted((read(body).uid, read(body).time_ms, read(body).risk) for body in one) for one in streams
    ]
    assert judged[0] == judged[1]


def test_alerts_are_keyed_by_finding_and_say_where_the_records_lie(clock: Clock) -> None:
    """An alert's key is its finding's uid; where its evidence lies is in a header, not in its body."""
    pipeline = Pipeline(clock, keyed=True)
    sent: list[Output] = []
    keep = pipeline.send
    pipeline.send = lambda outputs: (sent.extend(outputs), keep(outputs))[1]  # type: ignore[method-assign]
    for record, event in world(0):
        where = partition_of(event.identity, PARTITIONS)
        header = (POSITION_HEADER, f"{event.event_id}.csv:1".encode())
        pipeline.append(TOPICS.access, where, record, headers=[header])
    pipeline.drain()
    alerts = [output for output in sent if output.topic == TOPICS.alerts]
    assert len(alerts) == len(replayed(0)[0])
    for output in alerts:
        body = json.loads(output.value)
        assert output.key == body["finding_info"]["uid"].encode()
        [(name, positions)] = output.headers
        assert name == "crmwatch-positions"
        expected = {event["uid"]: f"salesforce_elf {event['uid']}.csv:1" for event in body["evidences"]}
        assert json.loads(positions) == expected


def test_a_shard_that_was_taken_over_skips_what_it_has_applied(clock: Clock) -> None:
    """The same messages again, before and after a restart, change neither state nor signals."""
    store: dict[bytes, bytes] = {}
    ingest = new_ingest()
    exhaust(ingest.take([fake(record, offset=offset) for offset, (record, _) in enumerate(world(0)[:400])]))
    message = next(output.value for output in all_of(ingest.outputs()) if output.partition == 0)
    detect = new_detect(store)
    exhaust(detect.take([fake(message)]))
    signals = [wire.decode_signals(output.value)[1] for output in signals_of(detect)]
    assert signals
    assert any(signals)
    save(detect)
    before = dict(store)
    for again in (detect, new_detect(store)):
        exhaust(again.take([fake(message)]))
        assert not any(wire.decode_signals(output.value)[1] for output in signals_of(again))
        save(again)
        assert {key: value for key, value in store.items() if key[0]} == {
            key: value for key, value in before.items() if key[0]
        }


# --- dead letters


def elf(**columns: str) -> bytes:
    """An event log row."""
    row = {"EVENT_TYPE": "API", "TIMESTAMP": "20260302120000.000", "REQUEST_ID": "r1"}
    return json.dumps(
        row | {"ORGANIZATION_ID": "00D4R000001kSky", "USER_ID": "0054R0000000001"} | columns
    ).encode()


@pytest.mark.parametrize(
    ("value", "timestamp", "headers", "adapter", "reason"),
    [
        (b"\xff\x00\x1b[31m", ARRIVED_MS, [], "", "unknown_format"),
        (b"", ARRIVED_MS, [], "", "unknown_format"),
        (None, ARRIVED_MS, [], "", "unknown_format"),
        (b"{" * 100_000, ARRIVED_MS, [], "", "malformed"),
        (b'{"EVENT_TYPE":"API"' + b" " * 2_000_000 + b"}", ARRIVED_MS, [], "", "too_large"),
        (elf(TIMESTAMP="20260302121000.001"), START_MS + 12 * HOUR_MS, [], "salesforce_elf", "future"),
        (elf(TIMESTAMP="19700101000000.000"), ARRIVED_MS, [], "salesforce_elf", "bad_time"),
        (elf(), 0, [], "salesforce_elf", "future"),
        (elf(), ARRIVED_MS, [("crmwatch-fault", b"a quote is never closed")], "", "malformed"),
    ],
)
def test_what_cannot_be_read_becomes_a_dead_letter(
    value: bytes | None,
    timestamp: int,
    headers: list[tuple[str, bytes]],
    adapter: str,
    reason: str,
    clock: Clock,
) -> None:
    """It says where it lay and why, is counted, moves no clock and holds up nothing."""
    registry = CollectorRegistry()
    ingest = new_ingest(registry)
    exhaust(ingest.take([fake(value, partition=3, offset=77, timestamp=timestamp, headers=headers)]))
    outputs = all_of(ingest.outputs())
    [letter] = [output for output in outputs if output.topic == TOPICS.deadletters]
    body = json.loads(letter.value)
    position = f"{TOPICS.access}/3/77"
    assert letter.key == position.encode()
    assert (body["position"], body["origin"]) == (position, position)
    assert (body["adapter"], body["reason"], body["record_bytes"]) == (adapter, reason, len(value or b""))
    assert len(body["record"]) <= 4 * 1_000_000 / 3 + 4
    assert body["detail"]
    messages = [wire.decode_events(output.value) for output in outputs if output.topic == TOPICS.events]
    assert {(message.watermark_ms, len(events)) for message, events in messages} <= {(NOTHING_KNOWN, 0)}
    assert ingest.settled() == 1
    labels = {"source": adapter or "none", "reason": reason}
    assert registry.get_sample_value("crmwatch_dead_letters_total", labels) == 1


def test_a_record_ten_minutes_ahead_is_believed(clock: Clock) -> None:
    """Clocks differ: what is ten minutes ahead of its arrival is an event, not a dead letter."""
    ingest = new_ingest()
    exhaust(ingest.take([fake(elf(TIMESTAMP="20260302121000.000"), timestamp=START_MS + 12 * HOUR_MS)]))
    assert {output.topic for output in all_of(ingest.outputs())} == {TOPICS.events}


@pytest.mark.parametrize(
    ("header", "origin"),
    [
        (b"logs/day.csv:7", "logs/day.csv:7"),
        (b"\xff.csv:1", "\N{REPLACEMENT CHARACTER}.csv:1"),
        (None, ""),
        (b"x" * 5000, "x" * 1024),
    ],
)
def test_the_header_says_where_a_record_lay_in_a_file(
    header: bytes | None, origin: str, clock: Clock
) -> None:
    """It is taken up to a length, whatever its bytes; other headers are ignored."""
    ingest = new_ingest()
    exhaust(ingest.take([fake(b"?", headers=[("other", None), (POSITION_HEADER, header)])]))
    body = json.loads(all_of(ingest.outputs())[0].value)
    assert body["origin"] == origin
    assert body["position"] == f"{TOPICS.access}/0/0"


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.none() | st.binary(max_size=60), min_size=1, max_size=20))
def test_no_bytes_stop_ingest(values: list[bytes | None]) -> None:
    """Whatever is on the topic, each record comes out once, as an event or as a dead letter."""
    ingest = new_ingest()
    exhaust(ingest.take([fake(value, offset=offset) for offset, value in enumerate(values)]))
    positions = Counter(
        output.key for output in all_of(ingest.outputs()) if output.topic == TOPICS.deadletters
    )
    assert positions == {f"{TOPICS.access}/0/{offset}".encode(): 1 for offset in range(len(values))}
