"""Operators' decisions, from a form to the feedback topic."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from detector.decision import AwarenessSource, Decision, DecisionSubject, Kind, Outcome, encode
from detector.errors import CrmwatchError
from detector.units import HOUR_MS
from streams.config import Config
from streams.kafka.connection import ConnectError, arguments, reach
from streams.kafka.signing import signatures
from streams.locale.entered_time import EnteredTimeError, entered_ms

__all__ = ["ACTIONS", "WITHDRAW", "ActionError", "DecisionSender", "StoredDecision", "decision"]

MOST_HOURS = 90 * 24
MOST_DIGITS = 9
"""Python refuses to read numbers of thousands of digits."""
MOST_REASON = 1_000
MOST_ASSIGNEE = 100
MOST_STEP = 100
MOST_ID = 100
MOST_ZONE = 64
MOST_TIME = 40
SEND_SECONDS = 10
WITHDRAW = "withdraw"
ACTIONS = (*(kind.value for kind in Kind if kind is not Kind.EXCEPTION), WITHDRAW)
"""What a form can ask for."""
_REASONED = (Kind.AWARENESS, Kind.EXPECTED, Kind.NOTIFIED, Kind.DISPOSITION)
_FOR_A_TIME = (Kind.EXPECTED, Kind.MUTE)


class ActionError(CrmwatchError, ValueError):
    """Why something cannot be decided so; a message for a person."""


def decision(
    form: Mapping[str, str],
    incident: str,
    identity: str,
    by: str,
    role: str,
    now_ms: int,
    made: Mapping[str, Decision],
) -> Decision:
    """The decision that a form asks for, about an incident and the identity that it is about, if it is about one.

    `made` are the decisions that can be withdrawn, by id. Raises `ActionError`.

    >>> mute = decision({"action": "mute", "hours": "4"}, "crmwatch-1", "t/u", "ana", "analyst", 0, {})
    >>> mute.kind.value, mute.until_ms, mute.subject.identity
    ('mute', 14400000, '')
    """
    action = form.get("action", "")
    if action not in ACTIONS:
        raise ActionError("This is not an action.")
    reason = _text(form, "reason", MOST_REASON)
    if action == WITHDRAW:
        target = made.get(_text(form, "decision", MOST_ID))
        if target is None:
            raise ActionError("There is no such decision, or it has been withdrawn.")
        return Decision(
            kind=target.kind, subject=target.subject, by=by, role=role, time_ms=now_ms, reason=reason,
            withdraws=target.id,
        )  # fmt: skip
    kind = Kind(action)
    if kind in _REASONED and not reason:
        raise ActionError("Please say why: it is kept with the incident.")
    both = kind in _FOR_A_TIME and form.get("whole") == "yes"
    return Decision(
        kind=kind,
        subject=DecisionSubject(incident=incident, identity=identity if both else ""),
        by=by,
        role=role,
        time_ms=now_ms,
        reason=reason,
        payload=_payload(kind, form, now_ms),
    )


def _payload(kind: Kind, form: Mapping[str, str], now_ms: int) -> dict[str, Any]:
    if kind in _FOR_A_TIME:
        return {"until_ms": now_ms + _hours(form) * HOUR_MS}
    if kind is Kind.ASSIGN:
        assignee = _text(form, "assignee", MOST_ASSIGNEE)
        if not assignee:
            raise ActionError("Please say to whom.")
        return {"assignee": assignee}
    if kind is Kind.DISPOSITION:
        outcome = form.get("outcome", Outcome.CLOSED)
        if outcome not in [*Outcome]:
            raise ActionError("This is not an outcome.")
        return {"outcome": outcome}
    if kind is Kind.AWARENESS:
        return _awareness(form, now_ms)
    if kind is Kind.STEP:
        step = _text(form, "step", MOST_STEP)
        if not step:
            raise ActionError("Which step?")
        return {"step_id": step, "done": form.get("done") == "yes"}
    return {}


def _awareness(form: Mapping[str, str], now_ms: int) -> dict[str, Any]:
    zone = _text(form, "zone", MOST_ZONE)
    source = form.get("source", "")
    if source not in [*AwarenessSource]:
        raise ActionError("Please say from whom you learned of it.")
    try:
        aware_ms = entered_ms(_text(form, "aware", MOST_TIME), zone)
    except EnteredTimeError as error:
        raise ActionError(str(error)) from error
    if aware_ms > now_ms:
        raise ActionError("This time is still to come.")
    return {"aware_ms": aware_ms, "zone": zone, "source": source}


class StoredDecision(msgspec.Struct, frozen=True):
    """Where a decision lies."""

    topic: str
    partition: int
    offset: int


class DecisionSender:
    """Signs decisions, sends them and waits until the brokers have them."""

    def __init__(self, config: Config) -> None:
        """Raises `SigningError`."""
        self._config = config
        self._signatures = signatures(config.signing)
        self._producer: Any = None
        self._lock = threading.Lock()

    def send(self, decision: Decision) -> StoredDecision:
        """Send a decision. Raises `ActionError` if it did not arrive."""
        topic = self._config.topics.feedback
        key = (decision.subject.incident or decision.subject.identity).encode()
        value = encode(decision)
        headers = self._signatures.headers(topic, key, value)
        try:
            future = self._connected().send(topic, key=key, value=value, headers=headers)
            stored = future.get(timeout=SEND_SECONDS)
        except (KafkaError, ConnectError, TimeoutError) as error:
            raise ActionError("Kafka did not take it: nothing was decided. Try again.") from error
        return StoredDecision(topic, stored.partition, stored.offset)

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            if self._producer is not None:
                self._producer.close(timeout=5)
                self._producer = None

    def _connected(self) -> Any:
        with self._lock:
            if self._producer is None:
                at, kafka = self._config.worker.bootstrap, self._config.kafka
                reach(at, kafka)
                self._producer = KafkaProducer(
                    acks="all", max_block_ms=SEND_SECONDS * 1000, linger_ms=0, **arguments(at, kafka)
                )
            return self._producer


def _text(form: Mapping[str, str], name: str, most: int) -> str:
    text = " ".join(form.get(name, "").split())
    if len(text) > most:
        raise ActionError("This is too long.")
    return text.encode("utf-8", "replace").decode()


def _hours(form: Mapping[str, str]) -> int:
    text = form.get("hours", "")
    if not text.isdecimal() or len(text) > MOST_DIGITS or not 1 <= int(text) <= MOST_HOURS:
        raise ActionError("Please say for how long.")
    return int(text)
