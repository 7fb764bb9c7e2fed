"""The incidents of a run, read from their published alerts: OCSF findings, of which nothing need be there."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, cast

import msgspec

from detector.alert.ocsf import Activity, Alert
from detector.event import ActorKind, Operation

__all__ = ["ExceededBound", "Finding", "FindingVersion", "Findings", "QuotedEvent", "Technique", "read"]

KEPT_INCIDENTS = 200
"""How many incidents' alerts are kept, the worst."""
KEPT_PUBLICATIONS = 100
MOST_IDENTITIES = 500
BOUND_SHARE = 0.25
_STEP = re.compile(r"(?:^|(?<=\s))(\d{1,2})\. ")
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")
_EXPORT = "export"


class FindingVersion(msgspec.Struct, frozen=True):
    """One alert of an incident."""

    time_ms: int
    activity: Activity
    severity: int
    rows: int


class ExceededBound(msgspec.Struct, frozen=True):
    """What was to be expected at most in one window, and what was seen."""

    rows: float
    horizon_ms: int
    start_ms: int
    """Where the window of the observation begins; the others lie end to end with it."""
    operation: Operation | None
    """What the rows are of; ``None`` for all."""
    typical: float | None


class QuotedEvent(msgspec.Struct, frozen=True):
    """An event as an alert quotes it."""

    event_id: str
    time_ms: int | None
    operation: str
    rows: int | None
    objects: tuple[str, ...]
    actor: str
    ip: str
    user_agent: str
    app: str
    position: str


class Technique(msgspec.Struct, frozen=True):
    """A technique of MITRE ATT&CK."""

    uid: str
    name: str
    tactics: tuple[str, ...]
    version: str

    @property
    def address(self) -> str:
        """Its page; empty for what is not a technique's number."""
        if not _TECHNIQUE.fullmatch(self.uid):
            return ""
        return f"https://attack.mitre.org/techniques/{self.uid.replace('.', '/')}/"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as its newest alert has it."""

    uid: str
    title: str
    sentence: str
    severity: int
    risk: int | None
    confidence: int | None
    rows: int
    start_ms: int
    end_ms: int
    closed: bool
    identities: tuple[str, ...]
    """``tenant/actor``: one, or for an origin that many were used from, those quoted."""
    actor: str
    """What to call them."""
    kind: ActorKind | None
    addresses: frozenset[str]
    detectors: tuple[str, ...]
    cold: bool
    """Whether peers, not the identity's own history, carry the judgement."""
    provisional: bool
    objects: tuple[tuple[str, int], ...]
    """Objects and rows, as the alert has them."""
    bound: ExceededBound | None
    quoted: tuple[QuotedEvent, ...]
    techniques: tuple[Technique, ...]
    steps: tuple[str, ...]
    publications: tuple[FindingVersion, ...]


class Findings:
    """Alerts in the order in which they were published; of each incident the newest counts.

    Bounded: the worst `KEPT_INCIDENTS` are kept, the others only counted.
    """

    def __init__(self) -> None:
        self._bodies: dict[str, tuple[tuple[int, int], dict[str, Any], dict[str, str]]] = {}
        self._publications: dict[str, list[FindingVersion]] = {}
        self.severities: dict[str, int] = {}
        """Every incident's severity, by its uid."""

    def observe(self, alert: Alert) -> None:
        """Enter an alert."""
        body = cast("dict[str, Any]", msgspec.json.decode(alert.body))
        severity = _whole(body.get("severity_id")) or 0
        uid = alert.uid
        self.severities[uid] = severity
        rank = (severity, _whole(body.get("risk_score")) or 0)
        self._bodies[uid] = (rank, body, alert.positions)
        published = self._publications.setdefault(uid, [])
        if len(published) < KEPT_PUBLICATIONS:
            published.append(
                FindingVersion(
                    _whole(body.get("time")) or alert.time_ms, alert.activity, severity, _rows(body)
                )
            )
        if len(self._bodies) > 2 * KEPT_INCIDENTS:
            self._forget()

    def ranked(self) -> list[Finding]:
        """The worst first; of the same severity and risk, the earlier."""
        self._forget()
        found = [
            read(body, positions, tuple(self._publications.get(uid, ())))
            for uid, (_, body, positions) in self._bodies.items()
        ]
        return sorted(
            found, key=lambda incident: (-incident.severity, -(incident.risk or 0), incident.start_ms)
        )

    def _forget(self) -> None:
        worst = sorted(self._bodies, key=lambda uid: self._bodies[uid][0], reverse=True)
        for uid in worst[KEPT_INCIDENTS:]:
            del self._bodies[uid]
            self._publications.pop(uid, None)


def read(
    body: dict[str, Any], positions: dict[str, str], publications: tuple[FindingVersion, ...]
) -> Finding:
    """The incident that an alert's body tells of; whatever is missing in it is left out."""
    info = _part(body, "finding_info")
    own = _part(_part(body, "unmapped"), "crmwatch")
    sentence = _text(info.get("desc")) or _text(body.get("message"))
    quoted = tuple(_quoted(item, positions) for item in _parts(body, "evidences"))
    times = [event.time_ms for event in quoted if event.time_ms is not None]
    time_ms = _whole(body.get("time")) or max(times, default=0)
    start_ms = _first(_whole(body.get("start_time")), _whole(info.get("first_seen_time")), *times, time_ms)
    end_ms = _first(
        _whole(body.get("end_time")), _whole(info.get("last_seen_time")), max(times, default=None), time_ms
    )
    detectors = tuple(_text(name) for name in _list(info, "types"))
    identities = _identities(body, quoted)
    names = [_text(_at(item, "actor", "user", "name")) for item in _parts(body, "evidences")]
    return Finding(
        uid=_text(info.get("uid")),
        title=_text(info.get("title")) or "Incident",
        sentence=sentence,
        severity=min(5, max(0, _whole(body.get("severity_id")) or 0)),
        risk=_whole(body.get("risk_score")),
        confidence=_whole(body.get("confidence_score")),
        rows=_rows(body),
        start_ms=start_ms,
        end_ms=max(start_ms, end_ms),
        closed=_whole(body.get("activity_id")) == Activity.CLOSE,
        identities=identities,
        actor=_called(identities, next(filter(None, names), "")),
        kind=_kind(own.get("actor_kind")),
        addresses=_addresses(body, quoted),
        detectors=detectors,
        cold=own.get("warm") is False,
        provisional=own.get("provisional") is True,
        objects=tuple(
            (_text(item.get("name")), _whole(_at(item, "data", "rows")) or 0)
            for item in _parts(body, "resources")
            if _whole(_at(item, "data", "rows"))
        ),
        bound=_bound(body, detectors),
        quoted=quoted,
        techniques=_techniques(info),
        steps=_steps(_text(_part(body, "remediation").get("desc"))),
        publications=publications,
    )


def _identities(body: dict[str, Any], quoted: tuple[QuotedEvent, ...]) -> tuple[str, ...]:
    own = _text(_at(body, "unmapped", "crmwatch", "identity"))
    tenant = _text(_at(body, "metadata", "tenant_uid"))
    actors = {f"{tenant}/{event.actor}": None for event in quoted if event.actor}
    # An origin that many identities were used from names itself, not one of them.
    found = {own: None} if own and (own in actors or len(actors) < 2) else actors
    return tuple(found)[:MOST_IDENTITIES]


def _called(identities: tuple[str, ...], name: str) -> str:
    if len(identities) > 1:
        return f"{len(identities):,} identities"
    actor = identities[0].split("/", 1)[-1] if identities else ""
    return f"{name} ({actor})" if name and actor and name != actor else name or actor or "somebody"


def _kind(value: Any) -> ActorKind | None:
    try:
        return ActorKind(value)
    except ValueError:
        return None


def _addresses(body: dict[str, Any], quoted: tuple[QuotedEvent, ...]) -> frozenset[str]:
    named = {_text(item.get("value")) for item in _parts(body, "observables") if item.get("type_id") == 2}
    return frozenset((named | {event.ip for event in quoted}) - {""})


def _rows(body: dict[str, Any]) -> int:
    rows = _whole(_at(body, "unmapped", "crmwatch", "rows_taken"))
    return _first(rows, _whole(body.get("count")), 0)


def _quoted(item: dict[str, Any], positions: dict[str, str]) -> QuotedEvent:
    event_id = _text(item.get("uid"))
    data = _part(item, "data")
    return QuotedEvent(
        event_id,
        _whole(data.get("time")),
        _text(_at(item, "api", "operation")),
        _whole(data.get("rows")),
        tuple(_text(name) for name in _list(data, "objects")),
        _text(_at(item, "actor", "user", "uid")),
        _text(_at(item, "src_endpoint", "ip")) or _text(_at(item, "src_endpoint", "name")),
        _text(_at(item, "http_request", "user_agent")),
        _text(_at(item, "actor", "app_uid")) or _text(_at(item, "actor", "app_name")),
        positions.get(event_id, ""),
    )


def _bound(body: dict[str, Any], detectors: tuple[str, ...]) -> ExceededBound | None:
    """The strongest bound that can be held against the incident's rows.

    It is one on all rows of a window, as a single operation's has no sum to compare, and what it was compared
    with was a good part of the incident.
    """
    least = BOUND_SHARE * _rows(body)
    analyses = _parts(body, "anomaly_analyses")
    for index, analysis in enumerate(analyses):
        if len(detectors) == len(analyses) and detectors[index] == _EXPORT:
            continue
        observed = next(iter(_parts(analysis, "anomalies")), {})
        parameter, _, unit = _text(observed.get("observation_parameter")).rpartition(".")
        observation = next(iter(_parts(observed, "observations")), {})
        span = _part(observation, "timespan")
        horizon = _whole(span.get("duration"))
        start = _whole(span.get("start_time"))
        levels = {
            _text(item.get("observation_type")): _real(
                next(iter(_parts(item, "observations")), {}).get("value")
            )
            for item in _parts(analysis, "baselines")
        }
        rows = levels.get("bound")
        if rows is None or not horizon or horizon < 0 or start is None or unit != "rows":
            continue
        if (_real(observation.get("value")) or 0.0) < least:
            continue
        channel = Operation(parameter) if parameter in set(Operation) else None
        if channel is not None or parameter in ("", "all"):
            return ExceededBound(max(0.0, rows), horizon, start, channel, levels.get("typical"))
    return None


def _techniques(info: dict[str, Any]) -> tuple[Technique, ...]:
    found = {}
    for item in _parts(info, "attacks"):
        technique = _part(item, "sub_technique") or _part(item, "technique")
        uid, name = _text(technique.get("uid")), _text(technique.get("name"))
        if _part(item, "sub_technique"):
            name = ": ".join(filter(None, (_text(_at(item, "technique", "name")), name)))
        tactics = tuple(filter(None, (_text(tactic.get("name")) for tactic in _parts(item, "tactics"))))
        if uid or name:
            found[uid, name] = Technique(uid, name, tactics, _text(item.get("version")))
    return tuple(found.values())


def _steps(text: str) -> tuple[str, ...]:
    """The numbered steps in a text; the whole of it where there is no numbering.

    >>> _steps("1. Call them. 2. Look for the 3. thing.")
    ('Call them.', 'Look for the 3. thing.')
    """
    cuts: list[tuple[int, int]] = []
    for found in _STEP.finditer(text):
        sentence_ends = not text[: found.start()].strip() or text[: found.start()].rstrip()[-1] in ".!?;:"
        if int(found[1]) == len(cuts) + 1 and sentence_ends:
            cuts.append((found.start(), found.end()))
    if not cuts:
        return (text,) if text.strip() else ()
    ends = [start for start, _ in cuts[1:]] + [len(text)]
    return tuple(text[begin:end].strip() for (_, begin), end in zip(cuts, ends, strict=True))


# --- an OCSF object need not hold what is looked for, nor as what it should be


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _part(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _list(value: dict[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _parts(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [item for item in _list(value, name) if isinstance(item, dict)]


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _real(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _whole(value: Any) -> int | None:
    number = _real(value)
    return None if number is None or not -1e18 < number < 1e18 else int(number)


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)
