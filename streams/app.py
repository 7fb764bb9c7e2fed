"""The worker: a Faust app with the three agents on one frame, their state, its pulse and its endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from time import monotonic, time
from typing import Any

import faust
from faust.types import TP
from prometheus_client import CollectorRegistry

from detector.adapters import Adapter
from streams.agents import Detect, Ingest, Triage
from streams.config import Config
from streams.connection import arguments, credentials
from streams.consumer import BatchedApp
from streams.endpoint import Endpoint
from streams.metrics import Metrics
from streams.producer import MAX_MESSAGE_BYTES, Producer
from streams.reference import Reference
from streams.stage import Stage, Work
from streams.state import restore
from streams.watchdog import Pulse, Watchdog, end_process

__all__ = ["Worker"]

log = logging.getLogger(__name__)

STOP_SECONDS = 8.0
"""A stop that takes longer ends at once: a supervisor would insist soon, and what is durable stays so."""
COMMIT_SECONDS = 3.0


class _App(BatchedApp):
    """The Faust app; it starts and stops what is the worker's own around its own."""

    worker: Worker

    async def on_start(self) -> None:
        await super().on_start()
        await self.worker.start()

    async def on_stop(self) -> None:
        await self.worker.finish()
        await super().on_stop()
        await self.worker.close()


class Worker:
    """One worker process's parts; `run` runs it until it is told to stop."""

    def __init__(self, config: Config, partitions: Mapping[str, int], registry: CollectorRegistry) -> None:
        """`partitions` is how many each access topic has."""
        self.config = config
        self.partitions = partitions
        self.metrics = Metrics(registry)
        self.pulse = Pulse()
        settings = config.worker
        self.watchdog = Watchdog(self.pulse, settings.patience_seconds)
        self.endpoint = Endpoint(
            settings.metrics_host, settings.metrics_port, registry, live=self._live, ready=self._ready
        )
        self._stopping = False
        self._assigned = False
        self._finished = False
        self._connection = arguments(settings.bootstrap, config.kafka)
        self.producer = Producer(**self._connection)
        self.reference = Reference(
            config.topics,
            on_change=self._refer,
            on_error=self.metrics.dead_letter,
            fatal=self._fatal,
            connection=self._connection,
        )
        self.app = self._new_app()
        self.stages = self._new_stages()
        self._connect()

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, then finish what is in hand. Exits the process."""
        self.endpoint.start()
        # Nearly all that lives here lives long and has no cycles: look for garbage cycles seldom.
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 20)
        worker = faust.Worker(self.app, loglevel="WARN", redirect_stdouts=False, quiet=True)
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
        topics = config.topics
        app.batched_topics = frozenset((*self.partitions, topics.events, topics.signals))
        return app

    def _new_stages(self) -> list[Stage]:
        config, topics = self.config, self.config.topics
        settings = config.worker
        count = self.partitions[topics.access]
        sources = sum(self.partitions.values())

        def ingest(
            first: int, adapters: Sequence[Adapter], partition: int, store: dict[bytes, bytes]
        ) -> Work:
            source = first + partition
            return Ingest(source, sources, count, topics, self.metrics, settings.idle_seconds, adapters)

        def detect(partition: int, store: dict[bytes, bytes]) -> Work:
            work = Detect(
                partition,
                count,
                count,
                config.detector,
                store,
                topics,
                self.metrics,
                keyed=settings.keyed,
                merge_events=settings.merge_events,
            )
            work.watch_for(self.reference.indicators)
            return work

        def triage(partition: int, store: dict[bytes, bytes]) -> Work:
            work = Triage(partition, config.detector, store, topics, self.metrics, settings.hold_seconds)
            work.honour(self.reference.feedback)
            return work

        stages = []
        first = 0
        for topic, adapters in config.access_topics.items():
            name = "ingest" if topic == topics.access else f"ingest_{topic}"
            stages.append(self._stage(name, topic, partial(ingest, first, adapters), None))
            first += self.partitions[topic]
        return [
            *stages,
            self._stage("detect", topics.events, detect, topics.profiles_changelog),
            self._stage("triage", topics.signals, triage, topics.incidents_changelog),
        ]

    def _stage(self, name: str, topic: str, work: Any, changelog: str | None) -> Stage:
        return Stage(
            name,
            topic,
            app=self.app,
            producer=self.producer,
            work=work,
            restore=self._restore,
            tp=lambda partition: TP(topic, partition),
            fatal=self._fatal,
            changelog=changelog,
            save_seconds=self.config.worker.save_seconds,
        )

    async def _restore(self, topic: str, partition: int) -> dict[bytes, bytes]:
        return await restore(topic, partition, **self._connection)

    def _connect(self) -> None:
        app = self.app
        for stage in self.stages:
            channel = app.topic(stage.topic, key_type=bytes, value_type=bytes, value_serializer="raw")
            app.agent(channel, name=stage.name, concurrency=1)(self._body(stage))

        async def revoked(app: Any, revoked: Any, **_: Any) -> None:
            self._assigned = False
            self.pulse.ready = False
            self.pulse.recovering_since = monotonic()
            for stage in self.stages:
                stage.drop()
            self.metrics.watch_none()

        async def recovered(app: Any, **_: Any) -> None:
            if self._stopping:
                return
            assigned = app.consumer.assignment()
            for stage in self.stages:
                stage.open(sorted(tp.partition for tp in assigned if tp.topic == stage.topic))
            self._assigned = True

        self._handlers = (revoked, recovered)  # Faust's signals hold them weakly
        app.on_partitions_revoked.connect(revoked)
        app.on_rebalance_complete.connect(recovered)

    def _refer(self) -> None:
        """Decide from now on with what operators have said and what is known to be bad."""
        for stage in self.stages:
            for work in stage.works:
                if isinstance(work, Detect):
                    work.watch_for(self.reference.indicators)
                elif isinstance(work, Triage):
                    work.honour(self.reference.feedback)

    async def start(self) -> None:
        """Begin, before anything is consumed."""
        await self.producer.start()
        await self.reference.start()
        self.watchdog.start()
        self._beating = asyncio.create_task(self._beat(), name="pulse")

    async def finish(self) -> None:
        """Bring what is in hand to a durable end, before the consumer's last commit."""
        self._stopping = True
        self.watchdog.stop()
        deadline = threading.Timer(STOP_SECONDS, self._overdue)
        deadline.daemon = True
        deadline.start()
        self.pulse.ready = False
        for stage in self.stages:
            await stage.finish()
        self._finished = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.app.consumer.commit(), COMMIT_SECONDS)

    def _overdue(self) -> None:
        if self._finished:  # the Kafka client now and then waits for its group when others leave as well
            end_process("all is saved, but the group could not be left in time", 0)
        end_process("what is in hand could not be saved in time")

    async def close(self) -> None:
        """Disconnect."""
        self._beating.cancel()
        await self.reference.stop()
        await self.producer.stop()
        self.endpoint.stop()

    def _body(self, stage: Stage) -> Any:
        async def body(stream: Any) -> None:
            await stage.run(stream)

        body.__name__ = body.__qualname__ = stage.name  # what Faust calls the agent in its log
        return body

    async def _beat(self) -> None:
        session = self.config.worker.session_seconds
        while True:
            gap = monotonic() - self.pulse.beat_at
            if not self.pulse.ready and not self._stopping and self._restored():
                self.pulse.recovering_since = None
                self.pulse.moved_at = monotonic()
                self.pulse.ready = True
            if gap > session and self.pulse.ready:
                end_process(
                    f"the process stood still for {gap:.0f} s, longer than its session with the brokers"
                )
            committed, lag = self._position()
            self.metrics.lag = lag
            if self.pulse.beat(committed, sum(lag.values())):
                self.metrics.committed_at = time()
            await asyncio.sleep(0.5)

    def _restored(self) -> bool:
        return self._assigned and all(stage.restored for stage in self.stages)

    def _position(self) -> tuple[int, dict[tuple[str, int], int]]:
        if not self.pulse.ready:
            return 0, {}
        consumer = self.app.consumer
        topics = {stage.topic for stage in self.stages}
        owned = [tp for tp in consumer.assignment() if tp.topic in topics]
        lag = {(tp.topic, tp.partition): consumer.backlog(tp) or 0 for tp in owned}
        return sum(consumer.committed(tp) for tp in owned), lag

    def _live(self) -> str | None:
        return self.pulse.trouble(self.config.worker.patience_seconds)

    def _ready(self) -> str | None:
        return None if self.pulse.ready else "state is being recovered, or no partition is assigned yet"

    def _fatal(self, what: str, error: BaseException) -> None:
        log.error("%s: %r", what, error, exc_info=error)
        end_process(f"{what}: {type(error).__name__}: {error}")
