"""Operators' decisions and indicators, as a worker holds them: all of them, followed, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from detector import indicator_index
from detector.adapters import RecordError
from detector.decision import Decision, Kind, encode
from detector.directory_entry import DirectoryEntry
from detector.settings import Indicator
from streams.kafka.embedded.broker import Broker
from streams.kafka.signing import Signatures, Unsigned
from streams.kafka.topics import TopicNames, ensure, plan
from streams.worker import operator_inputs as module
from streams.worker.operator_inputs import OperatorInputs
from tests.detector.make import decision


def breach(number: int) -> Decision:
    """A decision; the number makes it another one, later by as many milliseconds."""
    return decision(Kind.BREACH, number, f"crmwatch-{number}")


def send(bootstrap: str, topic: str, *messages: tuple[str, Any], signer: Signatures | None = None) -> None:
    """Messages with their keys, in this order, to one partition."""
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap)
    for key, value in messages:
        body = value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
        headers = [] if signer is None else signer.headers(topic, key.encode(), body)
        producer.send(topic, key=key.encode(), value=body, headers=headers, partition=0)
    producer.flush()
    producer.close()


def read(
    kafka: Broker,
    names: TopicNames,
    look: Callable[[OperatorInputs, list[RecordError]], Any],
    **options: Any,
) -> Any:
    """What `look` finds in operator inputs that have just been started."""
    errors: list[RecordError] = []

    def fatal(what: str, error: BaseException) -> None:
        raise AssertionError(what) from error

    async def run() -> Any:
        inputs = OperatorInputs(
            names,
            keep_days=7,
            on_change=lambda: None,
            on_error=errors.append,
            fatal=fatal,
            connection={"bootstrap_servers": kafka.bootstrap},
            **options,
        )
        await inputs.start()
        try:
            return look(inputs, errors)
        finally:
            await inputs.stop()

    return asyncio.run(run())


def test_all_of_it_is_there_at_the_start(kafka: Broker, names: TopicNames) -> None:
    """What was sent before is known at once, each decision once however often it was sent; what was taken back is gone;
    what is no decision, or one of another version, is refused by topic and offset, with its reason."""
    ensure(kafka.bootstrap, plan(2, 1, names))
    later = encode(breach(1)).replace(b'"version":1', b'"version":2')
    send(
        kafka.bootstrap,
        names.feedback,
        ("a", breach(1)),
        ("a", breach(2)),
        ("b", encode(breach(1))),
        ("x", b"{"),
        ("y", None),
        ("z", later),
        ("big", b" " * 9_000),
    )
    send(kafka.bootstrap, names.indicators, ("bot", Indicator(name="x")), ("192.0.2.7", Indicator(name="y")))
    send(kafka.bootstrap, names.indicators, ("bot", None), ("big", b" " * 5_000), ("", Indicator(name="z")))
    send(
        kafka.bootstrap,
        names.indicators,
        ("0.0.0.0/0", Indicator(name="all")),
        ("192.0.2.7/24", None),
        ("2001:db8::/32", Indicator(name="v")),
    )
    decisions, indicators, errors = read(
        kafka, names, lambda inputs, errors: (inputs.decisions, inputs.indicators, errors)
    )
    assert decisions == (breach(1), breach(2))
    held = {value: indicators.known(value) for value in ("192.0.2.7", "2001:db8::/32", "bot")}
    assert held == {"192.0.2.7": Indicator(name="y"), "2001:db8::/32": Indicator(name="v"), "bot": None}
    assert len(indicators) == 2
    assert sorted((error.position, error.adapter, error.reason) for error in errors) == sorted(
        [
            (f"{names.feedback}/0/3", "decisions", "malformed"),
            (f"{names.feedback}/0/4", "decisions", "malformed"),
            (f"{names.feedback}/0/5", "decisions", "unknown_version"),
            (f"{names.feedback}/0/6", "decisions", "too_large"),
            (f"{names.indicators}/0/3", "indicators", "too_large"),
            (f"{names.indicators}/0/4", "indicators", "bad_value"),
            (f"{names.indicators}/0/5", "indicators", "bad_value"),
            (f"{names.indicators}/0/6", "indicators", "bad_value"),
        ]
    )
    assert "version 2; this release reads 1" in str(
        next(error for error in errors if "version" in error.reason)
    )


def test_the_directory_is_held_and_bounded(
    kafka: Broker, names: TopicNames, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest entry under a key holds until it is withdrawn; what is no entry, is too large or is one too many is
    refused by its position, and no log line has anything of it."""
    ensure(kafka.bootstrap, plan(1, 1, names))
    anna, bo = DirectoryEntry(id="a", name="Zenobia Berg"), DirectoryEntry(id="b", name="Zenobia Lund")
    sent = [("a", bo), ("b", bo), ("c", bo), ("b", None), ("d", b'{"id": "Zenobia", "kind": "Zenobia"}')]
    sent += [("e", b'{"id": "%s"}' % (b"z" * 20_000)), ("a", anna), ("f", anna), ("g", bo)]
    send(kafka.bootstrap, names.directory, *sent)
    directory, errors = read(kafka, names, lambda inputs, errors: (inputs.directory, errors), most_entries=3)
    assert directory == {"a": anna, "c": bo, "f": anna}
    assert [(error.position, error.adapter, error.reason) for error in errors] == [
        (f"{names.directory}/0/4", "directory", "malformed"),
        (f"{names.directory}/0/5", "directory", "too_large"),
        (f"{names.directory}/0/8", "directory", "too_many"),
    ]
    assert f"{names.directory}/0/4: directory refused: malformed" in caplog.text
    assert "Zenobia" not in caplog.text


def test_no_mute_is_longer_than_allowed(kafka: Broker, names: TopicNames) -> None:
    """A mute that would last for years ends with the longest that is allowed."""
    ensure(kafka.bootstrap, plan(1, 1, names))
    send(kafka.bootstrap, names.feedback, ("a", decision(Kind.MUTE, 1, identity="t/u", until_ms=1 << 50)))
    [held] = read(kafka, names, lambda inputs, errors: inputs.decisions, longest_mute_days=2)
    assert held.until_ms == 1 + 2 * 86_400_000


def test_what_is_kept_is_bounded(kafka: Broker, names: TopicNames, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions that no longer have any effect make room for others, and are counted; if all have one, the newcomer is
    refused, as is an indicator too many, while one that is known may change."""
    monkeypatch.setattr(module, "MAX_DECISIONS", 3)
    monkeypatch.setattr(indicator_index, "MAX_INDICATORS", 2)
    ensure(kafka.bootstrap, plan(1, 1, names))
    month_ms = 30 * 86_400_000
    mute = decision(Kind.MUTE, 1, identity="t/u", until_ms=2)
    held = [breach(1), mute, breach(month_ms), breach(month_ms + 1), breach(month_ms + 2)]
    send(kafka.bootstrap, names.feedback, *(("a", one) for one in held))
    send(
        kafka.bootstrap,
        names.indicators,
        *((name, Indicator(name=name)) for name in ("a", "b", "c")),
        ("b", Indicator(name="again")),
    )
    decisions, dropped, indicators, errors = read(
        kafka, names, lambda inputs, errors: (inputs.decisions, inputs.dropped, inputs.indicators, errors)
    )
    assert (set(decisions), dropped) == ({breach(1), breach(month_ms), breach(month_ms + 1)}, 1)
    assert [indicators.known(value) for value in "abc"] == [
        Indicator(name="a"),
        Indicator(name="again"),
        None,
    ]
    assert sorted((error.adapter, error.reason) for error in errors) == [
        ("decisions", "too_many"),
        ("indicators", "too_many"),
    ]


def test_only_what_our_keys_signed_steers(
    kafka: Broker, names: TopicNames, caplog: pytest.LogCaptureFixture
) -> None:
    """With a key, a decision, indicator or entry without a signature, with a stranger's, or moved from another topic is
    refused by name, and so is a withdrawal; what both our keys signed holds."""
    ensure(kafka.bootstrap, plan(1, 1, names))
    ours, old, stranger = (Signatures([key * 32]) for key in (b"n", b"o", b"s"))
    entry = DirectoryEntry(id="a", name="Anna Berg")
    first, second = (msgspec.structs.replace(breach(number), role="analyst") for number in (1, 2))
    for topic, messages in (
        (names.feedback, [("a", first), ("a", second)]),
        (names.indicators, [("x", Indicator(name="x")), ("y", Indicator(name="y"))]),
        (names.directory, [("a", entry), ("b", entry)]),
    ):
        send(kafka.bootstrap, topic, messages[0], signer=old)
        send(kafka.bootstrap, topic, messages[1], signer=ours)
        send(kafka.bootstrap, topic, messages[0], (messages[1][0], None))
        send(kafka.bootstrap, topic, ("z", messages[0][1]), ("x", None), signer=stranger)
    producer: Any = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    body = msgspec.json.encode(Indicator(name="moved"))
    moved = ours.headers(names.directory, b"moved", body)
    producer.send(names.indicators, key=b"moved", value=body, headers=moved, partition=0)
    producer.close()
    decisions, indicators, directory, errors = read(
        kafka,
        names,
        lambda inputs, errors: (inputs.decisions, inputs.indicators, inputs.directory, errors),
        signatures=Signatures([b"n" * 32, b"o" * 32], Unsigned.REFUSE),
    )
    assert decisions == (first, second)
    assert [indicators.known(value) for value in "xyz"] == [Indicator(name="x"), Indicator(name="y"), None]
    assert len(indicators) == 2
    assert directory == {"a": entry, "b": entry}
    refused = ["unsigned", "unsigned", "bad_signature", "bad_signature"]
    for adapter in ("decisions", "indicators", "directory"):
        reasons = [error.reason for error in errors if error.adapter == adapter]
        assert reasons == refused + ["bad_signature"] * (adapter == "indicators")
    assert f"{names.feedback}/0/2: decisions refused: unsigned" in caplog.text


def test_who_may_not_decide_does_not(kafka: Broker, names: TopicNames) -> None:
    """A decision whose role is below analyst is refused, signed or not; one without a role is refused only if it is
    signed, because older scripts state none."""
    ensure(kafka.bootstrap, plan(1, 1, names))
    ours = Signatures([b"n" * 32])
    for signer in (None, ours):
        for number, role in enumerate(("viewer", "", "analyst", "admin")):
            made = msgspec.structs.replace(breach(number), id=f"{role}-{signer is ours}", role=role)
            send(kafka.bootstrap, names.feedback, ("a", encode(made)), signer=signer)
    decisions, errors = read(
        kafka,
        names,
        lambda inputs, errors: (inputs.decisions, errors),
        signatures=Signatures([b"n" * 32], Unsigned.ACCEPT),
    )
    assert [one.id for one in decisions] == [
        "-False",
        "analyst-False",
        "admin-False",
        "analyst-True",
        "admin-True",
    ]
    assert [(error.position, error.reason) for error in errors] == [
        (f"{names.feedback}/0/{offset}", "forbidden") for offset in (0, 4, 5)
    ]
