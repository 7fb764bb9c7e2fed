"""What triage wants published: an incident as it stands, and whether it is new, has grown or is over."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from detector.triage.incident import Incident, categories_taken
from detector.triage.risk import Assessment, Severity

__all__ = ["Activity", "Publication", "publish"]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Incident)


class Activity(IntEnum):
    """OCSF's `activity_id` for a finding."""

    CREATE = 1
    UPDATE = 2
    CLOSE = 3


class Publication(msgspec.Struct, frozen=True):
    """One version of an incident."""

    incident: Incident
    """A copy: the incident itself goes on changing."""
    activity: Activity
    time_ms: int
    """Event time at which this version came about."""
    assessment: Assessment
    severity: Severity
    contributions: tuple[tuple[str, float], ...] = ()
    """What speaks for theft and what against, in log-odds, the weightiest first."""


def publish(
    incident: Incident,
    activity: Activity,
    time_ms: int,
    rows: int,
    assessment: Assessment,
    severity: Severity,
    contributions: tuple[tuple[str, float], ...] = (),
) -> Publication:
    """Note on an incident what is published of it, and copy it."""
    incident.published += 1
    incident.published_rows = rows
    incident.published_ms = time_ms
    incident.published_categories = categories_taken(incident)
    incident.grown_ms = -1
    incident.published_severity = max(severity, incident.published_severity)
    incident.published_rank = max(assessment.rank, incident.published_rank)
    copy = _decoder.decode(_encoder.encode(incident))
    return Publication(copy, activity, time_ms, assessment, severity, contributions)
