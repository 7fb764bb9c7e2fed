"""The configuration of an embedded broker: small, quick to start, on loopback, single or in a cluster."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping

import msgspec

__all__ = [
    "LOGGING",
    "LOOPBACK",
    "MAX_MESSAGE_BYTES",
    "Node",
    "Quorum",
    "Secure",
    "new_cluster_id",
    "properties",
]

LOOPBACK = "127.0.0.1"
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""The largest record batch that a broker accepts; the packed internal topics need it."""
CERTIFICATE_FILE = "broker.pem"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")

FIXED = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
    "log.dirs": "data",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # After a crash the controller waits this long for the old broker (by default 9 s) before it admits
    # the new.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "message.max.bytes": str(MAX_MESSAGE_BYTES),
    "replica.fetch.max.bytes": str(MAX_MESSAGE_BYTES),
    # A small machine: few threads, small files, and a log cleaner that does not take 128 MB of the heap.
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "log.segment.bytes": str(64 * 1024 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    "log.retention.hours": "168",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}
REPLICATION = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "share.coordinator.state.topic.replication.factor",
)
IN_SYNC = (
    "min.insync.replicas",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.min.isr",
)

LOGGING = """\
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
"""


class Secure(msgspec.Struct, frozen=True):
    """A second listener of one broker, with TLS, user name and password (PLAIN and SCRAM).

    The first listener stays without authentication; its users are ``User:ANONYMOUS``.
    """

    certificate: str
    """The broker's key (PKCS#8) and the chain of its certificate, as PEM."""
    users: Mapping[str, str]
    """User names and passwords, without quotes, backslashes, commas and brackets."""

    @property
    def scram(self) -> list[str]:
        """The users as arguments of the storage tool's ``--add-scram``."""
        return [f"{one}=[name={name},password={word}]" for one in SCRAM for name, word in self.users.items()]


class Node(msgspec.Struct, frozen=True):
    """One broker and controller, and its ports."""

    number: int
    port: int
    controller_port: int
    secure_port: int | None = None

    @property
    def voter(self) -> str:
        """Its name in a quorum."""
        return f"{self.number}@{LOOPBACK}:{self.controller_port}"


class Quorum(msgspec.Struct, frozen=True):
    """The controllers of the quorum; each writes to at most three brokers, and needs two of three."""

    cluster_id: str
    voters: tuple[str, ...]

    @property
    def replicas(self) -> int:
        """How many brokers keep each of Kafka's own topics."""
        return min(3, len(self.voters))


def new_cluster_id() -> str:
    """An identifier in Kafka's format."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def properties(node: Node, quorum: Quorum, secure: Secure | None) -> dict[str, str]:
    """The content of ``server.properties``."""
    clients, controller = f"{LOOPBACK}:{node.port}", f"{LOOPBACK}:{node.controller_port}"
    listeners = [f"PLAINTEXT://{clients}"]
    if node.secure_port is not None:
        listeners.append(f"SASL_SSL://{LOOPBACK}:{node.secure_port}")
    return (
        FIXED
        | dict.fromkeys(REPLICATION, str(quorum.replicas))
        | dict.fromkeys(IN_SYNC, "2" if quorum.replicas >= 3 else "1")
        | {
            "node.id": str(node.number),
            "listeners": ",".join([*listeners, f"CONTROLLER://{controller}"]),
            "advertised.listeners": ",".join(listeners),
            "controller.quorum.voters": ",".join(quorum.voters),
        }
        | (_of_listener(secure) if secure is not None else {})
    )


def _of_listener(secure: Secure) -> dict[str, str]:
    plain = " ".join(f'user_{name}="{word}"' for name, word in secure.users.items())
    security = "org.apache.kafka.common.security"
    found = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": CERTIFICATE_FILE,
        "sasl.enabled.mechanisms": ",".join(("PLAIN", *SCRAM)),
        "plain.sasl.jaas.config": f"{security}.plain.PlainLoginModule required {plain};",
    }
    for one in SCRAM:
        found[f"{one.lower()}.sasl.jaas.config"] = f"{security}.scram.ScramLoginModule required;"
    return {f"listener.name.sasl_ssl.{key}": value for key, value in found.items()}
