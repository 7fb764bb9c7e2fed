"""A broker that speaks TLS, asks for a password, and lets nobody do what they have not been allowed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from detector.adapters import decode
from detector.engine import Engine
from detector.settings import Settings
from detector.simulation import Theft, World, records
from streams.config import Config, WorkerSettings
from streams.console.store.follower import Follower
from streams.console.store.freshness import Freshness
from streams.console.store.index import Index
from streams.kafka.connection import KafkaSettings, Mechanism, Protocol
from streams.kafka.embedded.broker import Broker, Secure
from streams.kafka.topics import Comparison, TopicNames, TopicsError, compare, ensure, plan
from tests.certificates import Authority
from tests.chaos.pipeline import Pipeline, in_order

START_MS = 1_772_409_600_000
HOUR_MS = 3_600_000
TICK_MS = 600_000
USERS = (
    "topics",
    "publish",
    "worker",
    "console",
    "indicators",
    "directory",
    "tail",
    "sign",
    "check",
    "nobody",
)
PASSWORDS = {name: f"{name}-hush-7Qx" for name in USERS}
GARBAGE = [b"\xff{", b"no JSON", b"[]"]
Operations = Mapping[tuple[ResourceType, str], set[ACLOperation]]


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Who signs the broker's certificate and the clients'."""
    return Authority("the cluster's own")


@pytest.fixture(scope="module")
def secure(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with an authorizer; through its plain listener a test may do everything."""
    trusted = tmp_path_factory.mktemp("trusted") / "clients.pem"
    trusted.write_text(authority.pem)
    listener = "listener.name.sasl_ssl.ssl"
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        # A client's certificate is looked at if it sends one.
        f"{listener}.client.auth": "requested",
        f"{listener}.truststore.type": "PEM",
        f"{listener}.truststore.location": str(trusted),
    }
    listening = Secure(authority.certificate("broker"), PASSWORDS)
    with Broker(heap_mb=384, properties=properties, secure=listening) as broker:
        yield broker


class Company:
    """Settings files for users of one pipeline, and the commands that run with them."""

    def __init__(self, broker: Broker, names: TopicNames, folder: Path, authority: Authority) -> None:
        self.broker = broker
        self.names = names
        self.folder = folder
        (folder / "ca.pem").write_text(authority.pem)

    def kafka(self, user: str, **other: Any) -> dict[str, Any]:
        """The section ``[kafka]`` for a user."""
        password = self.folder / f"{user}.password"
        if not password.exists():
            password.write_text(PASSWORDS[user] + "\n")
        mine = {"protocol": "SASL_SSL", "ca_file": str(self.folder / "ca.pem"), "username": user}
        section = mine | {"password_file": str(password)} | other
        return {key: value for key, value in section.items() if value is not None}

    def settings(self, user: str, **other: Any) -> str:
        """A settings file for a user."""
        file = self.folder / f"{user}.toml"
        worker = {"bootstrap": self.broker.secure_bootstrap, "metrics_port": 0}
        sections = {
            "worker": worker,
            "topics": msgspec.structs.asdict(self.names),
            "kafka": self.kafka(user, **other),
        }
        file.write_bytes(msgspec.toml.encode(sections))
        return str(file)

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """A command's exit code and all that it says; it must not hang."""
        command = [sys.executable, "-m", "streams.cli.main", *arguments]
        environment = {**os.environ, "COLUMNS": "300", **environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def company(secure: Broker, names: TopicNames, tmp_path: Path, authority: Authority) -> Company:
    """A pipeline of this test's own on the broker."""
    return Company(secure, names, tmp_path, authority)


def allow(broker: Broker, user: str, operations: Operations) -> None:
    """Let a user do just this."""
    acls = [
        ACL(
            f"User:{user}",
            "*",
            operation,
            ACLPermissionType.ALLOW,
            ResourcePattern(
                kind,
                name,
                ACLResourcePatternType.PREFIXED
                if kind is ResourceType.TRANSACTIONAL_ID
                else ACLResourcePatternType.LITERAL,
            ),
        )
        for (kind, name), wanted in operations.items()
        for operation in wanted
    ]
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        admin.create_acls(acls)


def rights(names: TopicNames) -> dict[str, Operations]:
    """What docs/security.md says that each user must be allowed."""
    topic, group, state = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID
    create, describe, configs = ACLOperation.CREATE, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS
    read, write = ACLOperation.READ, ACLOperation.WRITE
    changelogs = names.profiles_changelog, names.incidents_changelog
    reads = names.access, names.feedback, names.indicators, names.directory
    published = names.alerts, names.identities, names.activity
    return {
        "topics": {(topic, one.name): {create, describe, configs} for one in plan(1, 1, names)},
        "publish": {(topic, names.access): {write, read}},
        "worker": {
            **{(topic, name): {read} for name in reads},
            **{(topic, name): {write} for name in (*published, names.deadletters)},
            **{(topic, name): {read, write} for name in (names.events, names.signals, *changelogs)},
            (group, names.app_id): {read},
            (state, f"{names.app_id}-"): {describe, write},
        },
        "console": {
            **{(topic, name): {read} for name in (*published, names.access, names.directory)},
            (topic, names.feedback): {read, write},
        },
        "tail": {(topic, names.alerts): {read}},
        "indicators": {(topic, names.indicators): {write}},
        "directory": {(topic, names.directory): {write}},
        "sign": {
            (topic, name): {read, write} for name in (names.feedback, names.indicators, names.directory)
        },
        "check": {(topic, one.name): {describe, configs} for one in plan(1, 1, names)},
    }


@pytest.mark.timeout(340)
def test_all_of_it_runs_through_tls_with_no_more_rights_than_written(company: Company) -> None:
    """Topics are made, a file is published, resumed, and judged by a worker as by a replay, and the console shows
    incidents, identities and activity; no password is said."""
    names, broker = company.names, company.broker
    for user, operations in rights(names).items():
        allow(broker, user, operations)
    theft = Theft(start_ms=START_MS + (7 * 24 + 3) * HOUR_MS)
    world = in_order(
        records(World(seed=1, start_ms=START_MS, hours=24 * 8, people=8, integrations=3), theft), decode
    )
    file = company.folder / "world.jsonl"
    file.write_bytes(b"\n".join([*GARBAGE, *(raw.record for raw, _ in world)]) + b"\n")
    engine = Engine(Settings())
    expected = [alert.body for _, event in world for alert in engine.observe(event)]
    assert expected

    code, made = company.run("topics", "--settings", company.settings("topics"), "--partitions", "2")
    assert code == 0, made
    code, again = company.run(
        "topics", "--settings", company.settings("topics"), "--partitions", "2", "--check"
    )
    assert code == 0, again
    assert again.count("as planned") == len(plan(1, 1, names))
    code, sent = company.run("publish", str(file), "--settings", company.settings("publish"))
    assert code == 0, sent
    code, resumed = company.run("publish", str(file), "--settings", company.settings("publish"), "--resume")
    assert code == 0, resumed

    total = len(world) + len(GARBAGE)
    settings = {"keyed": True, "bootstrap": broker.secure_bootstrap}
    sections = {"kafka": company.kafka("worker", sasl_mechanism="SCRAM-SHA-256")}
    with Pipeline(broker.bootstrap, names, company.folder, 2, settings, sections) as pipeline:
        worker = pipeline.start_worker()
        pipeline.wait(lambda: pipeline.committed(names.access) == total, 120)
        pipeline.wait(lambda: not any(pipeline.lag().values()), 60)
        pipeline.wait(lambda: {one.value for one in pipeline.read(names.alerts)} >= set(expected), 60)
        letters = [msgspec.json.decode(one.value) for one in pipeline.read(names.deadletters)]
        assert len(letters) == len(GARBAGE)
        assert pipeline.table(names.profiles_changelog)
        pipeline.wait(lambda: len(pipeline.table(names.identities)) == engine.identities, 60)
        assert followed(company) == {
            "incidents": len({msgspec.json.decode(body)["finding_info"]["uid"] for body in expected}),
            "identities": engine.identities,
            "arrivals": len({event.time_ms // TICK_MS for _, event in world})
            - 1,  # the newest tick is not over
        }
        worker.kill()  # and another one, which has state to read
        other = pipeline.start_worker()
        pipeline.publish_keyed(world[-1:])
        pipeline.wait(lambda: pipeline.committed(names.access) == total + 1, 120)
        assert other.stop() == 0
        logs = worker.log.read_text() + other.log.read_text()
    for said in (made, again, sent, resumed, logs):
        assert not any(password in said for password in PASSWORDS.values())


def followed(company: Company) -> dict[str, int]:
    """What the console's user gets to see: incidents, identities and ticks."""
    kafka = msgspec.convert(company.kafka("console"), KafkaSettings)
    worker = WorkerSettings(bootstrap=company.broker.secure_bootstrap)
    config = Config(worker=worker, topics=company.names, kafka=kafka)
    index, freshness = Index(company.folder / "index", company.names, config.console), Freshness()
    follower = Follower(index, freshness, config)
    follower.start()
    end = time.monotonic() + 60
    while not freshness.feed.caught_up:
        assert time.monotonic() < end, freshness.feed.problem
        time.sleep(0.1)
    follower.stop()
    columns = {"incidents": "uid", "identities": "identity", "arrivals": "start_ms"}
    counts = {
        table: index.reader().execute(f"SELECT count(DISTINCT {column}) FROM {table}").fetchone()[0]  # noqa: S608
        for table, column in columns.items()
    }
    index.close()
    return counts


@pytest.mark.timeout(280)
def test_operators_commands_need_no_more_rights_than_written(company: Company) -> None:
    """Each sends, shows, signs or checks as a user who may do just what the table says, and no key is said."""
    assert ensure(company.broker.bootstrap, plan(8, 1, company.names)) == []
    for user in ("indicators", "directory", "tail", "sign", "check"):
        allow(company.broker, user, rights(company.names)[user])
    thieves, people = company.folder / "thieves.txt", company.folder / "people.csv"
    thieves.write_text("192.0.2.7\n")
    people.write_text("id,name\nu1,Anna Berg\n")
    keys = {"CRMWATCH_SIGNING_KEY": "first-hush-" * 4}
    later = {"CRMWATCH_SIGNING_KEY": "second-hush-" * 4, "CRMWATCH_SIGNING_PREVIOUS_KEY": "first-hush-" * 4}
    for user, arguments, environment, told in (
        ("indicators", (str(thieves),), keys, "1 indicators sent"),
        ("directory", (str(people),), keys, "1 entries sent"),
        ("tail", ("--once",), {}, ""),
        ("sign", (), later, f"{company.names.indicators}: 1 previous key; 1 signed again"),
        ("check", ("--kafka",), {}, "as planned"),
    ):
        code, said = company.run(user, *arguments, "--settings", company.settings(user), **environment)
        assert code == 0, said
        assert told in _line(said)
        assert "hush" not in said


COMMANDS = [
    ("topics",),
    ("topics", "--check"),
    ("publish", "{file}"),
    ("worker",),
    ("check", "--kafka"),
]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A file to publish."""
    path = tmp_path / "day.jsonl"
    path.write_text("{}\n")
    return path


@pytest.mark.timeout(280)
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_wrong_password_or_signer_ends_each_command_with_a_sentence(
    arguments: tuple[str, ...], company: Company, logs: Path
) -> None:
    """Exit 2 and not a hang, with what is wrong, without a traceback and without the password."""
    command, *rest = [one.format(file=logs) for one in arguments]
    (company.folder / "wrong.password").write_text("wrong-hush")
    (company.folder / "other.pem").write_text(Authority("another").pem)
    wrong = company.settings("worker", password_file=str(company.folder / "wrong.password"))
    code, said = company.run(command, *rest, "--settings", wrong)
    assert code == 2, said
    at = company.broker.secure_bootstrap
    assert f"the Kafka at {at} refuses worker: it does not know this name and password" in _line(said)
    assert "Traceback" not in said
    assert "hush" not in said

    foreign = company.settings("worker", ca_file=str(company.folder / "other.pem"))
    code, said = company.run(command, *rest, "--settings", foreign)
    assert code == 2, said
    assert f"the certificate of {at} is not trusted: " in _line(said)
    assert "Traceback" not in said


@pytest.mark.timeout(200)
def test_the_environment_can_hold_the_password(company: Company) -> None:
    """`CRMWATCH_KAFKA_PASSWORD` lets in, and a wrong one does not."""
    allow(company.broker, "topics", rights(company.names)["topics"])
    file = company.settings("topics", password_file=None)
    right, wrong = PASSWORDS["topics"], "wrong-hush"
    assert company.run("topics", "--settings", file, CRMWATCH_KAFKA_PASSWORD=right)[0] == 0
    code, said = company.run("topics", "--settings", file, CRMWATCH_KAFKA_PASSWORD=wrong)
    at = company.broker.secure_bootstrap
    assert (code, said) == (2, f"the Kafka at {at} refuses topics: it does not know this name and password\n")


@pytest.mark.parametrize("mechanism", Mechanism)
def test_each_mechanism_lets_in(mechanism: Mechanism, company: Company) -> None:
    """PLAIN and both of SCRAM; a user without rights sees no topic."""
    kafka = msgspec.convert(company.kafka("nobody", sasl_mechanism=mechanism.value), KafkaSettings)
    wanted = plan(1, 1, company.names)
    assert ensure(company.broker.bootstrap, wanted) == []
    assert compare(company.broker.secure_bootstrap, wanted, kafka) == Comparison(wanted, ())


@pytest.mark.parametrize("mechanism", Mechanism)
@pytest.mark.parametrize("user", ["nobody", "nosuch"])
def test_who_is_not_known_is_told_so(user: str, mechanism: Mechanism, company: Company) -> None:
    """Whatever the mechanism, a wrong password and an unknown name are refused in the same words."""
    own = {
        "username": user,
        "sasl_mechanism": mechanism.value,
        "password": "wrong-hush",
        "password_file": None,
    }
    kafka = msgspec.convert(company.kafka("nobody", **own), KafkaSettings)
    at = company.broker.secure_bootstrap
    with pytest.raises(TopicsError) as caught:
        compare(at, plan(1, 1, company.names), kafka)
    assert str(caught.value) == f"the Kafka at {at} refuses {user}: it does not know this name and password"


def test_a_user_without_rights_is_told_so(company: Company) -> None:
    """Kafka's refusal to create a topic is passed on, with the topic's name."""
    kafka = msgspec.convert(company.kafka("nobody"), KafkaSettings)
    with pytest.raises(TopicsError, match=rf"refused to create {company.names.access}: Authorization failed"):
        ensure(company.broker.secure_bootstrap, plan(1, 1, company.names)[:1], kafka)


def test_a_client_certificate_is_sent(company: Company, authority: Authority) -> None:
    """One that the broker's authority has signed is taken, another's is refused in a sentence."""
    own, foreign = company.folder / "own.pem", company.folder / "foreign.pem"
    own.write_text(authority.certificate("worker"))
    foreign.write_text(Authority("another").certificate("worker"))
    wanted = plan(1, 1, company.names)

    def look(certificate: Path) -> Comparison:
        kafka = msgspec.convert(company.kafka("nobody", cert_file=str(certificate)), KafkaSettings)
        return compare(company.broker.secure_bootstrap, wanted, kafka)

    assert look(own) == Comparison(wanted, ())
    with pytest.raises(TopicsError, match=r"does not speak as kafka\.protocol says \(SASL_SSL with "):
        look(foreign)


@pytest.mark.parametrize(
    ("secured", "protocol"),
    [
        (True, Protocol.PLAINTEXT),
        (True, Protocol.SASL_PLAINTEXT),
        (False, Protocol.SASL_SSL),
        (False, Protocol.SSL),
    ],
)
def test_the_wrong_protocol_is_said(secured: bool, protocol: Protocol, company: Company) -> None:
    """TLS where there is none, and none where there is: neither hangs."""
    at = company.broker.secure_bootstrap if secured else company.broker.bootstrap
    kafka = KafkaSettings(protocol=protocol)
    if protocol.asks:
        kafka = msgspec.structs.replace(kafka, username="nobody", password=PASSWORDS["nobody"])
    with pytest.raises(TopicsError, match=r"as kafka\.protocol says \(" + protocol.value):
        compare(at, plan(1, 1, company.names), kafka)


def _line(said: str) -> str:
    """Without the line breaks of a table."""
    return " ".join(said.split())
