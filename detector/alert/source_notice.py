"""Notices about a tenant as a whole, or about one of its sources, in words."""

from __future__ import annotations

from detector.alert import phrase
from detector.alert.runbook import steps
from detector.event import Operation
from detector.triage.incident import Anomaly, Incident

__all__ = ["describe", "title"]

_TROUBLES = {
    "silence": "A source has gone silent",
    "schema": "A source's records have changed",
    "dead_letters": "A source's records cannot be read",
    "lag": "A source is late",
    "clock": "A source's clock is wrong",
}
_KINDS = {operation.value: operation.value.replace("_", " ") for operation in Operation}


def title(found: Anomaly) -> str:
    """The notice in a few words."""
    return _TROUBLES.get(found.channel, "Unusually many rows from all identities together")


def describe(incident: Incident, source: str, found: Anomaly, *, over: bool) -> str:
    """The notice in some fifty words; `source` is empty for the tenant as a whole, `over` is for its end."""
    since, until = (" ".join(phrase.day_and_minute(time_ms)) for time_ms in (found.first_ms, found.last_ms))
    tenant = phrase.name(incident.tenant)
    first_step = steps(incident)[0]
    if source:
        told = _trouble(incident, found, f"{phrase.name(source)} of {tenant}", since, until, over=over)
    else:
        told = (
            f"All identities of {tenant} together took out {phrase.counted(found.value, 'row')} in the ten minutes from"
            f" {since} UTC; {phrase.usual(found.typical)} at this hour. One account alone seldom moves this; a"
            " disruption, a campaign or a migration does"
        )
    return f"{told}. Next: {first_step[0].lower()}{first_step[1:]}"


def _trouble(incident: Incident, found: Anomaly, where: str, since: str, until: str, *, over: bool) -> str:
    kinds = phrase.listed([_KINDS.get(kind) or phrase.name(kind) for kind in sorted(incident.apps)])
    records = f"{kinds} records" if kinds else "records"
    if found.channel == "silence":
        if over:
            return (
                f"Records come again from {where}. None had come since {since} UTC, so what happened then has not been"
                " watched"
            )
        return (
            f"No {records} have come from {where} since {since} UTC, where {phrase.usual(found.typical)}. A missing"
            " hour is not a quiet one: what happens in it is not seen"
        )
    when = f"from {since} to {until}" if over else f"since {since}"
    return (
        f"{_TROUBLES.get(found.channel, 'A source is in trouble')}: {records} from {where}, {when} UTC. What cannot be"
        " read or comes late is not watched"
    )
