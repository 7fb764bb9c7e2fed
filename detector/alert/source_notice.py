"""Notices about a tenant as a whole, or about one of its sources, in words."""

from __future__ import annotations

from detector import phrase
from detector.anomaly import Anomaly
from detector.event import Operation
from detector.message import Message, Template, message
from detector.triage.incident import Incident

__all__ = ["TEMPLATES", "describe"]

TEMPLATES: dict[str, Template] = {
    f"records.{operation}": operation.value.replace("_", " ") for operation in Operation
}
"""Kinds of record as messages, by code."""


def describe(
    incident: Incident, source: str, anomaly: Anomaly, trouble: Message, *, over: bool
) -> tuple[Message, ...]:
    """The notice in some fifty words, under the title `trouble`; `source` is empty for the tenant as a whole."""
    since, until = (
        " ".join(phrase.day_and_minute(time_ms)) for time_ms in (anomaly.first_ms, anomaly.last_ms)
    )
    tenant = phrase.name(incident.tenant)
    if not source:
        rows, usual = phrase.counted(anomaly.value, "row"), phrase.usual(anomaly.typical)
        return (
            message(
                "series.summary",
                "All identities of {tenant} together took out {rows} in the ten minutes from {since} UTC;"
                " {usual} at this hour.",
                tenant=tenant, rows=rows, since=since, usual=usual,
            ),
            message(
                "series.meaning",
                "One account alone seldom moves this; a disruption, a campaign or a migration does.",
            ),
        )  # fmt: skip
    where = message("source", "{source} of {tenant}", source=phrase.name(source), tenant=tenant)
    if anomaly.channel != "silence":
        return _trouble(incident, trouble, where, since, until, over=over)
    if over:
        return (
            message("silence.over", "Records come again from {source}.", source=where),
            message(
                "silence.gap",
                "None had come since {since} UTC, so what happened then has not been watched.",
                since=since,
            ),
        )
    return (
        message(
            "silence.summary", "No {records} have come from {source} since {since} UTC, where {usual}.",
            records=_records(incident), source=where, since=since, usual=phrase.usual(anomaly.typical),
        ),
        message("silence.meaning", "A missing hour is not a quiet one: what happens in it is not seen."),
    )  # fmt: skip


def _trouble(
    incident: Incident, trouble: Message, where: Message, since: str, until: str, *, over: bool
) -> tuple[Message, ...]:
    parts = {
        "trouble": trouble,
        "records": _records(incident),
        "source": where,
        "since": since,
    }
    return (
        message(
            "source.was",
            "{trouble}: {records} from {source}, from {since} to {until} UTC.",
            **parts,
            until=until,
        )
        if over
        else message("source.is", "{trouble}: {records} from {source}, since {since} UTC.", **parts),
        message("source.meaning", "What cannot be read or comes late is not watched."),
    )


def _records(incident: Incident) -> Message:
    """The kinds of record that are concerned."""
    kinds: list[Message | str] = []
    for kind in sorted(incident.apps):
        code = f"records.{kind}"
        kinds.append(message(code, TEMPLATES[code]) if code in TEMPLATES else phrase.name(kind))
    return message("records", "{kinds} records", kinds=kinds) if kinds else message("records.any", "records")
