"""A stream against the sequential replay of the same records: what was lost, doubled, or said otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Set
from typing import Any, Self

import msgspec
from kafka.errors import KafkaError

from detector.engine import Engine
from detector.event import AccessEvent
from detector.identity.profile import PROFILES
from detector.settings import Settings
from tests.chaos.faults import Supervisor
from tests.chaos.pipeline import Pipeline

__all__ = ["Expected", "alerts_that_differ", "differences"]

SHOWN_ALERTS = 3


class Expected(msgspec.Struct, frozen=True):
    """What a replay says and knows in the end."""

    alerts: frozenset[bytes]
    profiles: dict[bytes, bytes]

    @classmethod
    def of(cls, events: Iterable[AccessEvent], settings: Settings | None = None) -> Self:
        """Replay events, in their order."""
        engine = Engine(settings or Settings())
        alerts: list[bytes] = []
        last_ms = 0
        for event in events:
            alerts += [alert.body for alert in engine.observe(event)]
            last_ms = event.time_ms
        alerts += [alert.body for alert in engine.finish(last_ms)]
        return cls(frozenset(alerts), engine.profiles())

    @property
    def identities(self) -> int:
        """How many identities there are."""
        return len(self.profiles)


def differences(
    pipeline: Pipeline, supervisor: Supervisor, expected: Expected, records: int, dead: int, seconds: float
) -> list[str]:
    """Wait until all records are worked through, at most so many seconds; a sentence for each thing that differs."""
    names = pipeline.names

    def done() -> bool:
        return pipeline.committed(names.access) == records and not any(pipeline.lag().values())

    if not _in_time(supervisor, done, seconds):
        return [f"not caught up after {seconds:.0f} s: lag {pipeline.lag()}"]
    _in_time(supervisor, lambda: expected.alerts <= _alerts(pipeline), 60)
    found: list[str] = []
    said = _alerts(pipeline)
    found += alerts_that_differ(expected.alerts, said)
    letters = {message.key for message in pipeline.read(names.deadletters)}
    if len(letters) != dead:
        found.append(f"{len(letters)} dead letters instead of {dead}")
    found += _profiles(pipeline, expected)
    if not _in_time(supervisor, lambda: _all_have_work(pipeline, supervisor), 60):
        found.append(f"not every worker has partitions: {sorted(pipeline.assignments().values())}")
    return found


def alerts_that_differ(expected: Set[bytes], said: Set[bytes]) -> list[str]:
    """How many alerts are missing and how many are others, and the first of each, by event time."""
    missing, others = expected - said, said - expected
    if not missing and not others:
        return []
    found = [f"{len(missing)} alerts are missing, {len(others)} are others"]
    for what, alerts in (("missing", missing), ("other", others)):
        findings = sorted((msgspec.json.decode(alert) for alert in alerts), key=lambda one: one["time"])
        found += [f"{what}: {_in_short(one)}" for one in findings[:SHOWN_ALERTS]]
    return found


def _in_short(finding: dict[str, Any]) -> str:
    activity = {1: "create", 2: "update", 3: "close"}.get(finding["activity_id"], "?")
    what = (
        f"{activity} {finding['finding_info']['uid']} at {finding['time']}, risk {finding.get('risk_score')}"
    )
    return f"{what}, {finding.get('unmapped', {})}"[:400]


def _alerts(pipeline: Pipeline) -> frozenset[bytes]:
    return frozenset(message.value for message in pipeline.read(pipeline.names.alerts))


def _profiles(pipeline: Pipeline, expected: Expected) -> list[str]:
    """Every identity's state must be the replay's, but for the positions of what was applied."""
    table = pipeline.table(pipeline.names.profiles_changelog)
    streamed = {key: PROFILES.decode(value) for key, value in table.items() if not key.startswith(b"\x00")}
    found = []
    if set(streamed) != set(expected.profiles):
        found.append(f"{len(set(expected.profiles) ^ set(streamed))} identities are missing or too many")
    wrong = 0
    for key, profile in streamed.items():
        profile.applied = {}
        wrong += PROFILES.encode(profile) != expected.profiles.get(key)
    if wrong:
        found.append(f"{wrong} of {len(expected.profiles)} identities have another state")
    return found


def _all_have_work(pipeline: Pipeline, supervisor: Supervisor) -> bool:
    owned = pipeline.assignments()
    return len(owned) == supervisor.wanted and all(owned.values())


def _in_time(supervisor: Supervisor, what: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        supervisor.look()
        try:
            if what():
                return True
        except KafkaError:
            pass  # the broker has just been restarted
        time.sleep(0.5)
    return False
