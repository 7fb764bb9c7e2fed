"""The worker: a Faust app with three agents on one frame, their state, a pulse and an endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from time import monotonic, time
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.types import TP
from prometheus_client import CollectorRegistry

from detector.adapters import Adapter
from detector.decision_index import DecisionIndex
from detector.detectors import with_plugins
from detector.directory import NOBODY, Directory, directory_of
from detector.identity.detectors.registry import DETECTORS
from detector.identity.profile import ProfileModel
from detector.mute import cut, mutes
from detector.response.clock import deadlines
from streams.config import Config
from streams.directory import DirectoryFiles
from streams.kafka.connection import arguments, credentials
from streams.kafka.signing import signatures
from streams.plugins import NO_PLUGINS, Plugins, StateSetError, state_set
from streams.worker.agents import DetectAgent, IngestAgent, TriageAgent
from streams.worker.changelog import SavedValueError, restore
from streams.worker.consumer import BatchedApp
from streams.worker.directory_watch import watch_directory
from streams.worker.health_endpoint import Endpoint
from streams.worker.input_activity import InputActivity
from streams.worker.input_topics import InputTopics
from streams.worker.metrics import Metrics
from streams.worker.operator_inputs import OperatorInputs
from streams.worker.producer import MAX_MESSAGE_BYTES, Producer
from streams.worker.stage import Stage
from streams.worker.state_writer import StateWriter
from streams.worker.topic_watch import TopicWatch
from streams.worker.turn import StageWork
from streams.worker.watchdog import PartitionProgress, Pulse, Watchdog, end_process

__all__ = ["Worker"]

log = logging.getLogger(__name__)

METADATA_MS = 10_000
"""How often the consumer looks for new partitions."""
GARBAGE_THRESHOLDS = 10_000, 5, 20_000
"""Nearly all objects live long and have no cycles: cycles are looked for seldom, among few new objects, and hardly ever
among all of them, which would hold the event loop for a second."""
STOP_SECONDS = 8.0
"""A stop that takes longer exits at once: a supervisor would kill the process soon, and durable state stays safe."""
COMMIT_SECONDS = 3.0
REFUSED = 2
"""The exit code of a worker that cannot read the saved state, or whose detectors and plug-ins are not those of it."""


class _App(BatchedApp):
    """The Faust app; starts and stops the worker's own parts around its own."""

    logger = logging.getLogger("faust.app")  # keeps Faust's messages apart from ours
    worker: Worker

    def _create_directories(self) -> None:
        """Create nothing: there are no tables, and a worker may run where it must not write."""

    async def on_start(self) -> None:
        await super().on_start()
        await self.worker.start()

    def starts(self) -> Mapping[TP, int]:
        return self.worker.topics.starts(self.consumer.assignment())

    async def gap(self, tp: TP, first: int, then: int) -> None:
        await self.worker.topics.gap(tp, first, then)

    def topic_id(self, topic: str) -> str:
        return self.worker.topics.id_of(topic)

    async def on_stop(self) -> None:
        try:
            await self.worker.finish()
            await super().on_stop()
            await self.worker.close()
        except Exception as error:  # noqa: BLE001 - otherwise Faust waits forever
            self.worker.fatal("stopping failed", error)


class Worker:
    """The parts of one worker process; `run` runs it until it is stopped."""

    def __init__(
        self,
        config: Config,
        partitions: Mapping[str, int],
        registry: CollectorRegistry,
        plugins: Plugins = NO_PLUGINS,
    ) -> None:
        """`partitions` is the number of partitions of each topic.

        Raises `DirectoryFileError` and `SigningError`.
        """
        self.directory_files = DirectoryFiles(config.directory)
        self._detector = config.detector_with(self.directory_files.entries)
        self.config = config
        self.partitions = partitions
        self.plugins = plugins
        self.metrics = Metrics(registry)
        settings = config.worker
        self.pulse = Pulse(settings.patience_seconds, settings.hold_seconds, settings.session_seconds)
        self.watchdog = Watchdog(self.pulse)
        self.endpoint = Endpoint(
            settings.metrics_host,
            settings.metrics_port,
            registry,
            live=self.pulse.trouble,
            ready=self.pulse.unready,
            plugins=plugins.versions,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self.directory = NOBODY
        self._stopping_at: float | None = None
        self._assigned_at: float | None = None
        self._revoked_since = False
        self._restored_keys = 0
        self._finished = False
        self._connection = arguments(settings.bootstrap, config.kafka)
        names = config.topics
        self._watch = TopicWatch(
            (*config.access_topics, names.events, names.signals), names.app_id, **self._connection
        )
        self.topics = InputTopics(
            tuple(config.access_topics), (names.events, names.signals), self._watch, self.metrics
        )
        self.producer = Producer(**self._connection)
        self.inputs = OperatorInputs(
            config.topics,
            keep_days=max(config.retention.access_days, config.retention.internal_days),
            on_change=self._apply_inputs,
            on_error=self.metrics.dead_letter,
            fatal=self.fatal,
            connection=self._connection,
            most_entries=config.directory.most_entries,
            signatures=signatures(config.signing),
            longest_mute_days=config.triage.longest_mute_days,
        )
        self.app = self._new_app()
        self.stages = self._new_stages()
        self._connect()

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, then finish records in flight. Exits the process."""
        self.endpoint.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        worker = faust.Worker(self.app, override_logging=False, redirect_stdouts=False, quiet=True)
        worker.spinner = None  # it would move the cursor
        worker.execute_from_commandline()

    def _new_app(self) -> Any:
        config = self.config
        settings = config.worker
        session = settings.session_seconds
        app = _App(
            config.topics.app_id,
            broker=[f"kafka://{address}" for address in settings.bootstrap.split(",")],
            broker_credentials=credentials(config.kafka),
            store="memory://",
            topic_allow_declare=False,
            topic_disable_leader=True,
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=MAX_MESSAGE_BYTES,
            consumer_metadata_max_age_ms=METADATA_MS,
            consumer_group_instance_id=settings.instance,
            broker_max_poll_records=8000,
            broker_session_timeout=session,
            broker_heartbeat_interval=session / 5,
            broker_request_timeout=max(40.0, session * 2),
            broker_commit_interval=0.5,
            stream_buffer_maxsize=16,
            stream_recovery_delay=0.0,
            stream_wait_empty=False,
            table_standby_replicas=0,  # there are no tables; with standbys, Faust leaves some workers without work
            web_enabled=False,
            reply_create_topic=False,
        )
        app.worker = self
        app.batched_topics = frozenset(self.topics.names)
        return app

    def _new_stages(self) -> list[Stage]:
        config, topics = self.config, self.config.topics
        settings = config.worker
        shards, desks = self.partitions[topics.events], self.partitions[topics.signals]
        activity = InputActivity()
        detectors = with_plugins(self.plugins.detectors)
        profiles = ProfileModel(detectors.identity, directory_of(self._detector.directory))

        def ingest(
            topic: str, adapters: Sequence[Adapter], partition: int, store: dict[bytes, bytes]
        ) -> StageWork:
            source = self.topics.sources[topic, partition]
            return IngestAgent(
                source, shards, topics, self.metrics, settings.idle_seconds, adapters, activity=activity
            )

        def detect(partition: int, store: dict[bytes, bytes]) -> StageWork:
            work = DetectAgent(
                partition,
                shards,
                desks,
                self._detector,
                store,
                topics,
                self.metrics,
                keyed=settings.keyed,
                merge_events=settings.merge_events,
                state_set=state_set(self.plugins, DETECTORS),
                accept_plugins=settings.accept_plugins,
                profiles=profiles,
                activity=activity,
                sources=tuple(self.topics.sources.values()),
            )
            work.watch_for(self.inputs.indicators)
            return work

        def triage(partition: int, store: dict[bytes, bytes]) -> StageWork:
            work = TriageAgent(
                partition,
                self._detector,
                store,
                topics,
                self.metrics,
                settings.hold_seconds,
                detectors.explanations,
            )
            work.apply_decisions(self.inputs.decisions)
            work.name_by(self.directory)
            return work

        detecting = self._stage("detect", topics.events, detect, topics.profiles_changelog)
        triaging = self._stage("triage", topics.signals, triage, topics.incidents_changelog)
        stages = []
        for topic, form in config.access_topics.items():
            name = "ingest" if topic == topics.access else f"ingest_{topic}"
            adapters = config.adapters(form, self.plugins.adapters)
            # A worker that detection refuses, for want of a plug-in, must not have called its records unreadable.
            stages.append(self._stage(name, topic, partial(ingest, topic, adapters), None, after=detecting))
        return [*stages, detecting, triaging]

    def _stage(
        self, name: str, topic: str, work: Any, changelog: str | None, after: Stage | None = None
    ) -> Stage:
        return Stage(
            name,
            topic,
            app=self.app,
            producer=self.producer,
            work=work,
            restore=self._restore,
            state_writer=partial(StateWriter, self.config.topics.app_id, **self._connection),
            tp=lambda partition: TP(topic, partition),
            fatal=self.fatal,
            metrics=self.metrics,
            changelog=changelog,
            after=after,
            save_seconds=self.config.worker.save_seconds,
        )

    async def _restore(self, topic: str, partition: int) -> dict[bytes, bytes]:
        store = await restore(topic, partition, **self._connection)
        self._restored_keys += len(store)
        return store

    def _connect(self) -> None:
        app = self.app
        for stage in self.stages:
            channel = app.topic(stage.topic, key_type=bytes, value_type=bytes, value_serializer="raw")
            app.agent(channel, name=stage.name, concurrency=1)(self._body(stage))

        async def revoked(app: Any, revoked: Any, **_: Any) -> None:
            if self._stopping_at is None:
                self.pulse.not_ready = "partitions are being reassigned"
            if any(stage.shards for stage in self.stages):
                log.info("revoked", extra={"partitions": _listed(revoked)})
            self._assigned_at = None
            self._revoked_since = True
            for stage in self.stages:
                stage.drop()
            self.metrics.watch_none()

        async def recovered(app: Any, **_: Any) -> None:
            if self._stopping_at is not None:
                return
            self._revoked_since = False
            await self.topics.look()
            if self._revoked_since or self._stopping_at is not None:
                return
            assigned = app.consumer.assignment()
            self.metrics.rebalanced()
            log.info("assigned", extra={"partitions": _listed(assigned)})
            self.pulse.not_ready = "state is being recovered"
            self._restored_keys = 0
            for stage in self.stages:
                stage.open(
                    sorted(tp.partition for tp in assigned if tp.topic == stage.topic and self._knows(tp))
                )
            self._assigned_at = monotonic()

        self._handlers = (revoked, recovered)  # Faust's signals hold them weakly
        app.on_partitions_revoked.connect(revoked)
        app.on_rebalance_complete.connect(recovered)

    def _apply_inputs(self) -> None:
        """Apply the operators' current decisions and names from now on; indicators are followed as they change."""
        self._count_down()
        self.directory = self._whole_directory()
        for stage in self.stages:
            for work in stage.works:
                if isinstance(work, TriageAgent):
                    work.apply_decisions(self.inputs.decisions)
                    work.name_by(self.directory)

    def _whole_directory(self) -> Directory:
        """The topic's entries and the files', which hold where both have one; its index is built when it is used."""
        entries = self.directory_files.entries
        if not self.inputs.directory:
            return directory_of(entries)
        return Directory((*self.inputs.directory.values(), *entries))

    def _count_down(self) -> None:
        """Export the deadlines to notify authorities, the mutes, and the number of dropped decisions."""
        longest = self.config.triage.longest_mute_days
        of_settings = (cut(decision, longest) for decision in self.config.triage.decisions)
        decisions = DecisionIndex((*of_settings, *self.inputs.decisions))
        self.metrics.deadlines = deadlines(decisions)
        self.metrics.mutes = mutes(decisions)
        self.metrics.dropped_decisions(self.inputs.dropped)

    async def start(self) -> None:
        """Start before anything is consumed; without brokers the process exits, to be restarted."""
        try:
            await self.producer.start()
            await self.inputs.start()
        except KafkaError as error:  # the brokers answered a moment ago
            self.fatal("starting failed", error)
        self._count_down()
        self.directory = self._whole_directory()
        if self.config.directory.files:
            watching = watch_directory(
                self.directory_files,
                self.config.directory.reload_seconds,
                on_change=self._apply_inputs,
                on_error=self.metrics.dead_letter,
                fatal=self.fatal,
            )
            self._tasks.append(asyncio.create_task(watching, name="directory"))
        self.watchdog.start()
        self._tasks.append(asyncio.create_task(self._beat(), name="pulse"))
        self._tasks.append(asyncio.create_task(self._follow_topics(), name="topics"))

    async def finish(self) -> None:
        """Make records in flight durable before the consumer's last commit."""
        log.info("stopping")
        self._stopping_at = monotonic()
        self.pulse.not_ready = "stopping"
        self.watchdog.stop()
        deadline = threading.Timer(STOP_SECONDS, self._overdue)
        deadline.daemon = True
        deadline.start()
        await asyncio.gather(*(stage.finish() for stage in self.stages))
        self._finished = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.app.consumer.commit(), COMMIT_SECONDS)

    def _overdue(self) -> None:
        if self._finished:  # the Kafka client sometimes waits for its group when others leave as well
            end_process("state is saved, but leaving the group took too long", 0)
        end_process("records in flight could not be saved in time")

    async def close(self) -> None:
        """Disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.to_thread(self._watch.close)
        await self.inputs.stop()
        await self.producer.stop()
        self.endpoint.stop()
        log.info("stopped", extra={"seconds": round(monotonic() - (self._stopping_at or monotonic()), 3)})

    def _knows(self, tp: TP) -> bool:
        """Whether a partition is a source or a shard: not one newer than what the brokers said, or without state."""
        if tp.topic in self.config.access_topics:
            return (tp.topic, tp.partition) in self.topics.sources
        return tp.partition < self.partitions[tp.topic]

    async def _follow_topics(self) -> None:
        try:
            await self.topics.follow(lambda: self.pulse.not_ready is None, self.app.consumer.rejoin)
        except Exception as error:  # noqa: BLE001 - what nobody watches is silently not read
            self.fatal("watching the topics failed", error)

    def _body(self, stage: Stage) -> Any:
        async def body(stream: Any) -> None:
            await stage.run(stream)

        body.__name__ = body.__qualname__ = stage.name  # the agent's name in Faust's log
        return body

    async def _beat(self) -> None:
        session = self.config.worker.session_seconds
        try:
            while True:
                gap = monotonic() - self.pulse.beat_at
                if gap > session and self.pulse.not_ready is None:
                    end_process(
                        f"the process was suspended for {gap:.0f} s, longer than its session with the brokers"
                    )
                self._see_to_recovery()
                places = self._places() if self.pulse.not_ready is None else {}
                self.pulse.beat({f"{topic}/{number}": place for (topic, number), place in places.items()})
                self.metrics.lag = {tp: place.lag for tp, place in places.items() if place.lag is not None}
                self.pulse.unread = self.topics.unread
                self.metrics.committed_at = time() - (monotonic() - self.pulse.slowest_at)
                await asyncio.sleep(0.5)
        except Exception as error:  # noqa: BLE001 - without a pulse failures stay unnoticed
            self.fatal("monitoring the partitions failed", error)

    def _see_to_recovery(self) -> None:
        if self.pulse.not_ready is None or self._assigned_at is None or self._stopping_at is not None:
            return
        shards = [shard for stage in self.stages for shard in stage.shards.values()]
        restored = sum(shard.restored for shard in shards)
        if restored < len(shards):
            self.pulse.not_ready = f"state is being recovered: {restored} of {len(shards)} partitions are"
            return
        self.pulse.not_ready = None
        seconds = round(monotonic() - self._assigned_at, 3)
        log.info(
            "recovered", extra={"partitions": len(shards), "keys": self._restored_keys, "seconds": seconds}
        )

    def _places(self) -> dict[tuple[str, int], PartitionProgress]:
        consumer = self.app.consumer
        stages = {stage.topic: stage for stage in self.stages}
        patience = self.config.worker.patience_seconds
        places = {}
        for tp in consumer.assignment():
            if tp.topic not in stages:
                continue
            shard = stages[tp.topic].shards.get(tp.partition)
            committed = consumer.committed(tp)
            at_work = shard is not None and monotonic() - shard.saved_at < patience
            places[tp.topic, tp.partition] = PartitionProgress(
                committed=committed,
                lag=consumer.backlog(tp),
                read=committed if shard is None or shard.next_offset is None else shard.next_offset,
                held=shard is not None and at_work and bool(shard.unacked),
                turn=(0, 0) if shard is None else (shard.turns, shard.turn_steps),
                reported=consumer.last_report_ms(tp),
            )
        return places

    def fatal(self, what: str, error: BaseException) -> None:
        """End the process after an unexpected error."""
        if isinstance(error, (StateSetError, SavedValueError)):  # a restart would not help
            end_process(str(error), REFUSED)
        log.error("%s: %r", what, error, exc_info=error)
        end_process(f"{what}: {type(error).__name__}: {error}")


def _listed(partitions: Iterable[TP]) -> str:
    """Partitions in short form: ``crm.access/0,1 crmwatch.events/0``."""
    numbers = defaultdict(list)
    for tp in partitions:
        numbers[tp.topic].append(tp.partition)
    return " ".join(f"{topic}/{','.join(map(str, sorted(numbers[topic])))}" for topic in sorted(numbers))
