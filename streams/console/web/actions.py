"""What operators decide, from a form to the feedback topic."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from detector.feedback import Feedback, Verdict
from streams.config import Config
from streams.kafka.connection import ConnectError, arguments, reach

__all__ = ["DONE", "UNDONE", "Action", "ActionError", "DecisionSender", "StoredDecision", "decision"]

HOUR_MS = 3_600_000
MOST_HOURS = 90 * 24
MOST_REASON = 1_000
MOST_ASSIGNEE = 100
MOST_STEP = 500
DONE, UNDONE = "done: ", "not done: "
"""How the reason of a decision begins that is about a step of the checklist."""
SEND_SECONDS = 10


class ActionError(ValueError):
    """Why something cannot be decided so; a message for a person."""


class Action(StrEnum):
    """What a form can ask for."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    EXPECTED = "expected"
    MUTE = "mute"
    CONFIRM = "confirm"
    NOTIFIED = "notified"
    """The authority has been told of the breach, or need not be."""
    CLOSE = "close"
    DONE = "done"
    """A step of the checklist has been taken."""
    UNDONE = "undone"


_VERDICTS = {
    Action.ACKNOWLEDGE: Verdict.ACKNOWLEDGED,
    Action.ASSIGN: Verdict.ASSIGNED,
    Action.EXPECTED: Verdict.EXPECTED,
    Action.MUTE: Verdict.MUTED,
    Action.CONFIRM: Verdict.CONFIRMED,
    Action.NOTIFIED: Verdict.NOTIFIED,
    Action.CLOSE: Verdict.CLOSED,
    Action.DONE: Verdict.ACKNOWLEDGED,
    Action.UNDONE: Verdict.ACKNOWLEDGED,
}
_REASONED = (Action.EXPECTED, Action.NOTIFIED, Action.CLOSE)


def decision(form: Mapping[str, str], incident: str, identity: str, by: str, now_ms: int) -> Feedback:
    """The decision that a form asks for, about an incident and the identity that it is about, if it is about one.

    Raises `ActionError`.

    >>> word = decision({"action": "mute", "hours": "4"}, "crmwatch-1", "t/u", "ana", 0)
    >>> word.verdict.value, word.until_ms, word.identity
    ('muted', 14400000, '')
    """
    name = form.get("action", "")
    if name not in set(Action):
        raise ActionError("This is not an action.")
    action = Action(name)
    reason = _text(form, "reason", MOST_REASON)
    if action in (Action.DONE, Action.UNDONE):
        step = _text(form, "step", MOST_STEP)
        if not step:
            raise ActionError("Which step?")
        reason = f"{DONE if action is Action.DONE else UNDONE}{step}"
    elif action in _REASONED and not reason:
        raise ActionError("Please say why: it is kept with the incident.")
    assignee = _text(form, "assignee", MOST_ASSIGNEE)
    if action is Action.ASSIGN and not assignee:
        raise ActionError("Please say to whom.")
    until_ms = None
    if action in (Action.EXPECTED, Action.MUTE):
        until_ms = now_ms + _hours(form) * HOUR_MS
    return Feedback(
        verdict=_VERDICTS[action],
        time_ms=now_ms,
        incident=incident,
        identity=identity if action in (Action.EXPECTED, Action.MUTE) and form.get("whole") == "yes" else "",
        until_ms=until_ms,
        by=by,
        reason=reason,
        assignee=assignee if action is Action.ASSIGN else "",
    )


class StoredDecision(msgspec.Struct, frozen=True):
    """Where a decision lies."""

    topic: str
    partition: int
    offset: int


class DecisionSender:
    """Sends decisions and waits until the brokers have them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._producer: Any = None
        self._lock = threading.Lock()

    def send(self, word: Feedback) -> StoredDecision:
        """Send a decision. Raises `ActionError` if it did not arrive."""
        topic = self._config.topics.feedback
        key = (word.incident or word.identity).encode()
        try:
            future = self._connected().send(topic, key=key, value=msgspec.json.encode(word))
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
    if not text.isdecimal() or not 1 <= int(text) <= MOST_HOURS:
        raise ActionError("Please say for how long.")
    return int(text)
