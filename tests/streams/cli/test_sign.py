from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from typer.testing import CliRunner, Result

from detector.decision import Kind, encode
from detector.settings import Indicator
from streams.cli.main import app
from streams.kafka.embedded.broker import Broker
from streams.kafka.signing import SIGNATURE_HEADER, Signatures
from streams.kafka.topics import TopicNames, ensure, plan
from tests.detector.make import decision

OLD, NEW = "o" * 32, "n" * 32


def invoke(*arguments: object, **environment: str) -> Result:
    """The command, on a wide terminal."""
    return CliRunner(env={"COLUMNS": "200"} | environment).invoke(app, list(map(str, arguments)))


def stored(bootstrap: str, topic: str) -> list[Any]:
    """What lies in a topic's only partition."""
    consumer: Any = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    part = TopicPartition(topic, 0)
    consumer.assign([part])
    end = consumer.end_offsets([part])[part]
    found: list[Any] = []
    while len(found) < end:
        found += [one for records in consumer.poll(timeout_ms=500).values() for one in records]
    consumer.close()
    return found


def test_a_change_of_keys_leaves_nothing_behind(kafka: Broker, names: TopicNames, tmp_path: Path) -> None:
    """What the previous key signed is there again with the new key's signature, of an indicator only its newest state;
    what is not signed follows when it is asked for, what a stranger signed never."""
    ensure(kafka.bootstrap, plan(1, 1, names))
    file = tmp_path / "crmwatch.toml"
    file.write_bytes(msgspec.toml.encode({"topics": msgspec.structs.asdict(names)}))
    old, new = Signatures([OLD.encode()]), Signatures([NEW.encode()])
    producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=0)

    def send(topic: str, key: bytes, value: bytes | None, signer: Signatures | None) -> None:
        headers = [] if signer is None else signer.headers(topic, key, value)
        producer.send(topic, key=key, value=value, headers=headers, partition=0).get(timeout=20)

    made = [encode(decision(Kind.BREACH, number, f"crmwatch-{number}")) for number in range(4)]
    for body, signer in zip(made, (old, None, new, Signatures([b"s" * 32])), strict=True):
        send(names.feedback, b"a", body, signer)
    known = msgspec.json.encode(Indicator(name="known"))
    send(names.indicators, b"kept", known, old)
    send(names.indicators, b"gone", known, old)
    send(names.indicators, b"gone", None, old)
    send(names.indicators, b"gone", known, Signatures([b"s" * 32]))
    send(names.indicators, b"done", known, old)
    send(names.indicators, b"done", known, new)
    producer.close()

    options = ("sign", "--bootstrap", kafka.bootstrap, "--settings", file)
    keys = {"CRMWATCH_SIGNING_KEY": NEW, "CRMWATCH_SIGNING_PREVIOUS_KEY": OLD}
    checked = invoke(*options, "--check", **keys)
    assert checked.exit_code == 0, checked.output
    assert checked.stdout.splitlines() == [
        f"{names.feedback}: 1 another key, 1 key in use, 1 previous key, 1 unsigned; 1 to sign",
        f"{names.indicators}: 1 another key, 1 key in use, 4 previous key; 2 to sign",
        f"{names.directory}: no messages; 0 to sign",
    ]
    assert len(stored(kafka.bootstrap, names.feedback)) == 4
    assert "1 signed again" in invoke(*options, **keys).stdout
    assert "1 signed again" in invoke(*options, "--unsigned", CRMWATCH_SIGNING_KEY=NEW).stdout
    again = stored(kafka.bootstrap, names.feedback)[4:]
    assert [one.value for one in again] == made[:2]
    withdrawn = stored(kafka.bootstrap, names.indicators)[6:]
    assert [(one.key, one.value) for one in withdrawn] == [(b"kept", known), (b"gone", None)]
    assert {new.check(one) for one in (*again, *withdrawn)} == {0}


def test_what_commands_send_is_signed(kafka: Broker, names: TopicNames, tmp_path: Path) -> None:
    """Indicators and entries bear the key's signature, and so do the messages that withdraw them."""
    ensure(kafka.bootstrap, plan(1, 1, names))
    file = tmp_path / "crmwatch.toml"
    file.write_bytes(msgspec.toml.encode({"topics": msgspec.structs.asdict(names)}))
    (tmp_path / "thieves.txt").write_text("192.0.2.7\n")
    (tmp_path / "people.csv").write_text("id,name\n0055g00000AnnaB,Anna Berg\n")
    for command, list_ in (("indicators", "thieves.txt"), ("directory", "people.csv")):
        for more in ((), ("--remove",)):
            options = ("--bootstrap", kafka.bootstrap, "--settings", file, *more)
            sent = invoke(command, tmp_path / list_, *options, CRMWATCH_SIGNING_KEY=NEW)
            assert sent.exit_code == 0, sent.output
    ours = Signatures([NEW.encode()])
    for topic in (names.indicators, names.directory):
        records = stored(kafka.bootstrap, topic)
        assert [record.value is None for record in records] == [False, True]
        assert [[name for name, _ in record.headers] for record in records] == [[SIGNATURE_HEADER]] * 2
        assert {ours.check(record) for record in records} == {0}


def test_without_a_key_there_is_nothing_to_sign(tmp_path: Path) -> None:
    """The command says which setting is missing, and a key that cannot be used ends the others as well."""
    refused = invoke("sign")
    assert (refused.exit_code, refused.stderr) == (2, "there is no key to sign with: set signing.key_file\n")
    file = tmp_path / "list.txt"
    file.write_text("192.0.2.7\n")
    short = invoke("indicators", file, CRMWATCH_SIGNING_KEY="short")
    assert (short.exit_code, short.stderr) == (2, "CRMWATCH_SIGNING_KEY: a key has 32 to 4,096 bytes\n")
