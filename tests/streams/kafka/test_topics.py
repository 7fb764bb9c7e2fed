from __future__ import annotations

import json
import socket
from pathlib import Path

import msgspec
import pytest
import typer
from kafka.admin import KafkaAdminClient
from typer.testing import CliRunner

import streams.cli.topics as command
from streams.kafka import topics as module
from streams.kafka.embedded.broker import Broker
from streams.kafka.topics import Comparison, Retention, TopicNames, TopicsError, compare, ensure, plan

DAY_MS = "86400000"


def run(*arguments: str) -> tuple[int, str, str]:
    """The command's exit code, stdout and stderr, on a wide terminal."""
    app = typer.Typer()
    app.command()(command.topics)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, names: TopicNames) -> TopicNames:
    """Let the command plan this test's names, as settings do."""
    for key, name in msgspec.structs.asdict(names).items():
        monkeypatch.setenv(f"CRMWATCH_TOPICS_{key.upper()}", name)
    return names


def test_the_plan_names_each_topic_with_its_policy_retention_and_size() -> None:
    """The table: what is kept how long, what is compacted, and where packed messages must fit."""
    table = {
        topic.name: tuple(
            topic.config.get(key) for key in ("cleanup.policy", "retention.ms", "max.message.bytes")
        )
        for topic in plan(4, 1)
    }
    week, month, year = (str(days * 86_400_000) for days in (7, 30, 365))
    assert table == {
        "crm.access": ("delete", week, "8388608"),
        "crmwatch.events": ("delete", week, "8388608"),
        "crmwatch.signals": ("delete", week, "8388608"),
        "crmwatch.identities": ("compact", None, "8388608"),
        "crmwatch.activity": ("delete", str(35 * 86_400_000), "8388608"),
        "crmwatch.alerts": ("compact,delete", year, "8388608"),
        "crmwatch.feedback": ("delete", str(730 * 86_400_000), "8388608"),
        "crmwatch.indicators": ("compact", None, "8388608"),
        "crmwatch.directory": ("compact", None, "8388608"),
        "crmwatch.deadletters": ("delete", month, "8388608"),
        "crmwatch-profiles-changelog": ("compact", None, "8388608"),
        "crmwatch-incidents-changelog": ("compact", None, "8388608"),
    }
    assert {topic.partitions for topic in plan(4, 1)} == {4}


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_a_write_needs_two_replicas_once_there_are_three(replication: int, in_sync: str) -> None:
    """One broker of three may be lost without losing data; with fewer, its loss must not stop writes."""
    assert {topic.config["min.insync.replicas"] for topic in plan(1, replication)} == {in_sync}
    assert {topic.replication for topic in plan(1, replication)} == {replication}


@pytest.mark.parametrize(("partitions", "replication"), [(0, 1), (1, 0)])
def test_a_plan_without_partitions_or_replicas_is_refused(partitions: int, replication: int) -> None:
    """Zero of either is a mistake of the caller."""
    with pytest.raises(ValueError, match="at least one"):
        plan(partitions, replication)


def test_missing_topics_are_created_as_planned(kafka: Broker, names: TopicNames) -> None:
    """After `ensure` the cluster has each topic with its partitions, and nothing is missing or different."""
    wanted = plan(3, 1, names)
    assert compare(kafka.bootstrap, wanted) == Comparison(wanted, ())
    assert ensure(kafka.bootstrap, wanted) == []
    assert compare(kafka.bootstrap, wanted) == Comparison((), ())
    assert ensure(kafka.bootstrap, wanted) == []
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        described = admin.describe_topics([topic.name for topic in wanted])
    assert {one["name"]: len(one["partitions"]) for one in described} == {topic.name: 3 for topic in wanted}


def test_what_differs_is_named_and_left_alone(kafka: Broker, names: TopicNames) -> None:
    """A topic with other partitions, policy or retention is reported in one sentence and stays as it is."""
    settings = {"cleanup.policy": "delete", "retention.ms": DAY_MS, "max.message.bytes": "8388608"}
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.create_topics(
            {
                names.events: {"num_partitions": 1, "replication_factor": 1, "configs": settings},
                names.indicators: {
                    "num_partitions": 2,
                    "replication_factor": 1,
                    "configs": {"max.message.bytes": "1000000"},
                },
            },
            wait_for_metadata=True,
        )
    wanted = plan(2, 1, names)
    sentences = [
        f"{names.events}: partitions is 1 instead of 2, retention.ms is {DAY_MS} instead of 604800000",
        f"{names.indicators}: cleanup.policy is delete instead of compact, "
        "max.message.bytes is 1000000 instead of 8388608",
    ]
    assert ensure(kafka.bootstrap, wanted) == sentences
    assert compare(kafka.bootstrap, wanted) == Comparison((), tuple(sentences))


def test_partitions_are_counted_for_a_topic_there_is(kafka: Broker, names: TopicNames) -> None:
    """A topic's partitions are counted; one that is not there is named with the command that creates it."""
    with pytest.raises(TopicsError, match=rf"no topic {names.access} at .*crmwatch topics"):
        module.partitions(kafka.bootstrap, names.access)
    ensure(kafka.bootstrap, plan(3, 1, names))
    assert module.partitions(kafka.bootstrap, names.access) == 3


def test_a_topic_that_another_process_creates_meanwhile_is_no_error(
    kafka: Broker, names: TopicNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that start together may all create the topics."""
    wanted = plan(1, 1, names)
    assert ensure(kafka.bootstrap, wanted) == []
    monkeypatch.setattr(module, "_compare", lambda admin, topics: Comparison(tuple(topics), ()))
    assert ensure(kafka.bootstrap, wanted) == []


def test_a_refused_topic_is_named(kafka: Broker, names: TopicNames) -> None:
    """More replicas than brokers: the error names a topic and the broker's reason."""
    with pytest.raises(TopicsError, match=rf"refused to create {names.access}: .*replication factor of 2"):
        ensure(kafka.bootstrap, plan(1, 2, names)[:1])


@pytest.mark.parametrize("bootstrap", ["127.0.0.1:{port}", "127.0.0.1", "127.0.0.1:kafka"])
def test_a_silent_address_is_named(bootstrap: str) -> None:
    """Where no Kafka listens, or the address is none, the error repeats the address."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        bootstrap = bootstrap.format(port=closed.getsockname()[1])
    with pytest.raises(TopicsError, match=f"nothing answers at {bootstrap}:"):
        compare(bootstrap, plan(1, 1))


def test_the_command_checks_without_creating_then_creates(kafka: Broker, planned: TopicNames) -> None:
    """``--check`` exits 1 and creates nothing; without it they are created; then all is well."""
    at = ("--bootstrap", kafka.bootstrap, "--partitions", "2")
    everything = [topic.name for topic in plan(2, 1, planned)]

    code, out, _ = run(*at, "--check", "--json")
    assert (code, json.loads(out)["missing"], json.loads(out)["created"]) == (1, everything, [])
    assert compare(kafka.bootstrap, plan(2, 1, planned)).missing == plan(2, 1, planned)

    code, out, _ = run(*at, "--json")
    assert (code, json.loads(out)) == (
        0,
        {"bootstrap": kafka.bootstrap, "created": everything, "missing": [], "differing": []},
    )

    code, out, _ = run(*at, "--check")
    assert code == 0
    assert out.count("as planned") == len(everything)


def test_the_command_goes_by_the_settings(kafka: Broker, names: TopicNames, tmp_path: Path) -> None:
    """Names and brokers are the file's, an option comes before it; other access topics are made but not judged."""
    table = {"worker": {"bootstrap": "127.0.0.1:1"}, "topics": msgspec.structs.asdict(names)}
    file = tmp_path / "crmwatch.toml"
    other, theirs = f"{names.access}.other", f"{names.access}.theirs"
    file.write_bytes(msgspec.toml.encode(table | {"sources": {"topics": {other: "auto", theirs: "auto"}}}))
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap) as admin:
        admin.create_topics({theirs: {"num_partitions": 3, "replication_factor": 1}}, wait_for_metadata=True)
    at = ("--settings", str(file), "--bootstrap", kafka.bootstrap, "--partitions", "2")
    assert run("--settings", str(file))[0::2] == (
        2,
        "nothing answers at 127.0.0.1:1: is Kafka running there?\n",
    )
    everything = [topic.name for topic in plan(2, 1, names)] + [other]
    code, out, _ = run(*at, "--check", "--json")
    assert (code, json.loads(out)["missing"]) == (1, everything)
    code, out, _ = run(*at, "--json")
    assert (code, json.loads(out)["created"], json.loads(out)["differing"]) == (0, everything, [])
    assert compare(kafka.bootstrap, plan(2, 1, names)) == Comparison((), ())
    assert [module.partitions(kafka.bootstrap, topic) for topic in (other, theirs)] == [2, 3]
    code, out, _ = run(*at, "--check")
    assert (code, out.count("as planned")) == (0, len(everything) + 1)


def test_how_long_topics_keep_what_they_hold_is_a_setting(
    kafka: Broker, planned: TopicNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each topic has its own days from the settings; another setting later is said, and changes nothing."""
    days = {"access": 3, "internal": 4, "activity": 40, "alerts": 90, "feedback": 400, "deadletters": 14}
    for name, value in days.items():
        monkeypatch.setenv(f"CRMWATCH_RETENTION_{name.upper()}_DAYS", str(value))
    at = ("--bootstrap", kafka.bootstrap, "--partitions", "1")
    assert run(*at)[0] == 0
    kept = Retention(**{f"{name}_days": value for name, value in days.items()})
    wanted = plan(1, 1, planned, kept)
    assert compare(kafka.bootstrap, wanted) == Comparison((), ())
    found = {topic.name: int(topic.config.get("retention.ms", 0)) // 86_400_000 for topic in wanted}
    assert [found[name] for name in (planned.access, planned.events, planned.signals)] == [3, 4, 4]
    assert [found[name] for name in (planned.activity, planned.alerts)] == [40, 90]
    assert [found[name] for name in (planned.feedback, planned.deadletters)] == [400, 14]
    monkeypatch.setenv("CRMWATCH_RETENTION_ACCESS_DAYS", "2")
    code, out, _ = run(*at)
    assert code == 1
    assert f"{planned.access}: retention.ms is 259200000 instead of 172800000" in out
    assert compare(kafka.bootstrap, wanted) == Comparison((), ())


def test_the_command_says_what_differs(kafka: Broker, planned: TopicNames) -> None:
    """Another number of partitions exits 1 and each topic is named with both numbers."""
    ensure(kafka.bootstrap, plan(1, 1, planned))
    code, out, _ = run("--bootstrap", kafka.bootstrap, "--partitions", "2")
    assert code == 1
    for topic in plan(1, 1, planned):
        assert f"{topic.name}: partitions is 1 instead of 2\n" in out


def test_the_command_says_in_one_sentence_that_kafka_is_not_there() -> None:
    """Exit code 2 and one line on stderr, nothing on stdout."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        bootstrap = f"127.0.0.1:{closed.getsockname()[1]}"
    assert run("--bootstrap", bootstrap) == (
        2,
        "",
        f"nothing answers at {bootstrap}: is Kafka running there?\n",
    )
