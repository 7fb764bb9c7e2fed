"""What triage wants published: an incident as it stands, and whether it is new, has grown or is over."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from detector.triage import risk
from detector.triage.incident import Incident, categories_taken

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
    points: int
    """The incident's risk, from 0 to 100."""


def publish(incident: Incident, activity: Activity, time_ms: int, rows: int, points: int) -> Publication:
    """Note on an incident what is published of it, and copy it."""
    incident.published += 1
    incident.published_rows = rows
    incident.published_ms = time_ms
    incident.published_categories = categories_taken(incident)
    incident.grown_ms = -1
    incident.published_severity = max(risk.severity(points), incident.published_severity)
    incident.published_risk = max(points, incident.published_risk)
    return Publication(_decoder.decode(_encoder.encode(incident)), activity, time_ms, points)
