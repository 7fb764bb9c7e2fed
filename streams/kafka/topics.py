"""Plans, creates and verifies crmwatch's Kafka topics.

A shard is a partition of the topic of events and of the profiles' changelog, or of the topic of signals and of the
incidents' changelog: these never get more partitions, so choose the number once, at least the number of workers you
will ever run. Access topics may get more at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec

from detector.errors import CrmwatchError
from detector.units import DAY_MS
from streams.kafka.connection import PLAIN, ConnectError, KafkaSettings, arguments, reach, refusal

__all__ = [
    "Comparison",
    "Retention",
    "Topic",
    "TopicIdentity",
    "TopicNames",
    "TopicsError",
    "compare",
    "connected_admin",
    "ensure",
    "existing",
    "identities",
    "partitions",
    "plan",
]

PACKED_BYTES = 8 * 1024 * 1024
"""The largest message of each topic: Kafka counts an entire record batch, and packing and publishing fill theirs."""
TIMEOUT_MS = 15_000
TOPIC_EXISTS = 36
"""Kafka's error code for an existing topic: another process created it first, which is fine."""


class TopicsError(CrmwatchError):
    """Why the topics could not be read or created; one sentence for a person."""


class TopicNames(msgspec.Struct, frozen=True, kw_only=True):
    """The topics' names; a different set of names is a separate pipeline on the same cluster."""

    app_id: str = "crmwatch"
    """Faust's application id, the prefix of the changelogs' names."""
    access: str = "crm.access"
    events: str = "crmwatch.events"
    signals: str = "crmwatch.signals"
    identities: str = "crmwatch.identities"
    activity: str = "crmwatch.activity"
    alerts: str = "crmwatch.alerts"
    feedback: str = "crmwatch.feedback"
    indicators: str = "crmwatch.indicators"
    directory: str = "crmwatch.directory"
    deadletters: str = "crmwatch.deadletters"

    @property
    def profiles_changelog(self) -> str:
        """The changelog of the profiles."""
        return f"{self.app_id}-profiles-changelog"

    @property
    def incidents_changelog(self) -> str:
        """The changelog of triage's state."""
        return f"{self.app_id}-incidents-changelog"


Days = Annotated[int, msgspec.Meta(ge=1, le=36_500)]


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many days each topic keeps its messages: all of them hold personal data.

    Internal messages must outlast the longest stop of all workers, and decisions the incidents they are about.
    """

    access_days: Days = 7
    """The vendors' records."""
    internal_days: Days = 7
    """Events and signals in transit."""
    activity_days: Days = 35
    """Rows and events by tick: the console compares four weeks."""
    alerts_days: Days = 365
    feedback_days: Days = 730
    deadletters_days: Days = 30


class Topic(msgspec.Struct, frozen=True):
    """The planned state of a topic; ``config`` holds Kafka's own names and values."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


class TopicIdentity(msgspec.Struct, frozen=True):
    """A topic that exists: another one of the same name, created after this one was deleted, has another id."""

    id: str
    partitions: int


class Comparison(msgspec.Struct, frozen=True):
    """How a cluster differs from a plan: missing topics, and a sentence about each that differs."""

    missing: tuple[Topic, ...]
    differing: tuple[str, ...]


def plan(
    partitions: int, replication: int, names: TopicNames | None = None, retention: Retention | None = None
) -> tuple[Topic, ...]:
    """All topics for a pipeline of up to ``partitions`` workers, each kept on ``replication`` brokers.

    From three replicas on, a write needs two of them, so that losing one broker neither loses data nor stops
    the pipeline.

    >>> [topic.config["cleanup.policy"] for topic in plan(4, 1) if topic.name == "crmwatch.alerts"]
    ['compact,delete']
    """
    if partitions < 1 or replication < 1:
        raise ValueError("a topic needs at least one partition and one replica")
    names = names or TopicNames()
    kept = retention or Retention()

    def topic(name: str, policy: str, days: int | None = None, **more: str) -> Topic:
        config = {"cleanup.policy": policy, "max.message.bytes": str(PACKED_BYTES)}
        if days is not None:
            config["retention.ms"] = str(days * DAY_MS)
        config["min.insync.replicas"] = "2" if replication >= 3 else "1"
        config |= {key.replace("_", "."): value for key, value in more.items()}
        return Topic(name, partitions, replication, config)

    def compacted(name: str) -> Topic:
        # A worker that takes over a partition, or a console that starts, reads everything uncompacted:
        # compact early, and roll segments, because the newest is never compacted.
        return topic(name, "compact", min_cleanable_dirty_ratio="0.2", segment_bytes=str(64 * 1024 * 1024))

    return (
        topic(names.access, "delete", days=kept.access_days),
        topic(names.events, "delete", days=kept.internal_days),
        topic(names.signals, "delete", days=kept.internal_days),
        compacted(names.identities),
        topic(names.activity, "delete", days=kept.activity_days),
        topic(names.alerts, "compact,delete", days=kept.alerts_days),
        topic(names.feedback, "delete", days=kept.feedback_days),
        topic(names.indicators, "compact"),
        topic(names.directory, "compact"),
        topic(names.deadletters, "delete", days=kept.deadletters_days),
        compacted(names.profiles_changelog),
        compacted(names.incidents_changelog),
    )


def compare(bootstrap: str, topics: Sequence[Topic], kafka: KafkaSettings = PLAIN) -> Comparison:
    """Compare the cluster with the plan, without changes. Raises `TopicsError` if it cannot be queried.

    ``bootstrap`` is ``host:port``, several separated by commas.
    """
    with connected_admin(bootstrap, kafka) as admin:
        return _compare(admin, topics)


def ensure(bootstrap: str, topics: Sequence[Topic], kafka: KafkaSettings = PLAIN) -> list[str]:
    """Create missing topics; returns a sentence about each existing one that differs.

    Existing topics are never changed: more partitions of internal ones would separate an identity's events from its
    profile, and a shorter retention would delete data. Raises `TopicsError` if the cluster cannot be queried or refuses
    a topic.
    """
    with connected_admin(bootstrap, kafka) as admin:
        found = _compare(admin, topics)
        if found.missing:
            _create(admin, found.missing)
        return list(found.differing)


def identities(admin: Any, names: Iterable[str]) -> dict[str, TopicIdentity]:
    """Those of the topics that exist, asked of an admin client of kafka-python's.

    Raises its `KafkaError`, and `TopicsError` for brokers that are too old to tell ids.
    """
    wanted = list(names)
    found = {}
    for one in admin.describe_topics(wanted):
        if one["error_code"]:
            continue
        if not one.get("topic_id"):
            raise TopicsError("the brokers do not tell the ids of topics: Kafka 2.8 or newer is needed")
        found[one["name"]] = TopicIdentity(str(one["topic_id"]), len(one["partitions"]))
    return found


def partitions(bootstrap: str, name: str, kafka: KafkaSettings = PLAIN) -> int:
    """The number of a topic's partitions. Raises `TopicsError` if it does not exist."""
    return existing(bootstrap, [name], kafka)[name].partitions


def existing(bootstrap: str, names: Iterable[str], kafka: KafkaSettings = PLAIN) -> dict[str, TopicIdentity]:
    """The topics of these names. Raises `TopicsError` if one does not exist."""
    wanted = list(names)
    with connected_admin(bootstrap, kafka) as admin:
        found = identities(admin, wanted)
    for name in wanted:
        if name not in found:
            raise TopicsError(f"there is no topic {name} at {bootstrap}; `crmwatch topics` creates it")
    return found


@contextmanager
def connected_admin(bootstrap: str, kafka: KafkaSettings) -> Iterator[Any]:
    """An admin client of kafka-python's for a while. Raises `TopicsError` for Kafka's errors."""
    try:
        connection = arguments(bootstrap, kafka)
        reach(bootstrap, kafka)
    except ConnectError as error:
        raise TopicsError(str(error)) from error
    from kafka.admin import KafkaAdminClient  # settings need the names above, and no client
    from kafka.errors import KafkaError

    try:
        admin = KafkaAdminClient(bootstrap_timeout_ms=TIMEOUT_MS, request_timeout_ms=TIMEOUT_MS, **connection)
        try:
            yield admin
        finally:
            admin.close()
    except KafkaError as error:
        told = refusal(error, bootstrap, kafka)
        raise TopicsError(told or f"the Kafka at {bootstrap} failed: {error}") from error


def _compare(admin: Any, topics: Sequence[Topic]) -> Comparison:
    from kafka.admin import ConfigResource

    existing = set(admin.list_topics())
    present = [topic for topic in topics if topic.name in existing]
    missing = tuple(topic for topic in topics if topic.name not in existing)
    if not present:
        return Comparison(missing, ())
    described = {one["name"]: one for one in admin.describe_topics([topic.name for topic in present])}
    wanted = [ConfigResource("TOPIC", topic.name, list(topic.config)) for topic in present]
    configs = admin.describe_configs(wanted, config_filter="all")["topic"]
    differing: list[str] = []
    for topic in present:
        partitions = described[topic.name]["partitions"]
        replication = min((len(one["replica_nodes"]) for one in partitions), default=0)
        actual = {key: str(value["value"]) for key, value in configs[topic.name].items()}
        actual |= {"partitions": str(len(partitions)), "replication": str(replication)}
        planned = {"partitions": str(topic.partitions), "replication": str(topic.replication), **topic.config}
        otherwise = [
            f"{key} is {actual.get(key, 'not set')} instead of {value}"
            for key, value in planned.items()
            if not _same(actual.get(key), value)
        ]
        if otherwise:
            differing.append(f"{topic.name}: " + ", ".join(otherwise))
    return Comparison(missing, tuple(differing))


def _same(actual: str | None, planned: str) -> bool:
    # The order in a list does not matter: compact,delete is delete,compact.
    return actual is not None and sorted(actual.split(",")) == sorted(planned.split(","))


def _create(admin: Any, topics: Sequence[Topic]) -> None:
    request = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": topic.replication,
            "configs": dict(topic.config),
        }
        for topic in topics
    }
    answer = admin.create_topics(request, timeout_ms=TIMEOUT_MS, raise_errors=False)
    for one in answer["topics"]:
        if one["error_code"] not in (0, TOPIC_EXISTS):
            raise TopicsError(
                f"Kafka refused to create {one['name']}: {one['error_message'] or one['error_code']}"
            )
    admin.wait_for_topics(list(request), timeout_ms=TIMEOUT_MS)
