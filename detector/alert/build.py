"""An incident as it is published: the finding that says how it stands."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

import msgspec

from detector.alert.alert import Alert, alert_of
from detector.alert.finding import (
    FINDING_VERSION,
    Contribution,
    Extension,
    Finding,
    Impact,
    News,
    Reason,
    Unmapped,
)
from detector.alert.ocsf import (
    OCSF_VERSION,
    Account,
    Activity,
    Actor,
    Analysis,
    Analytic,
    Anomalies,
    Api,
    Baselines,
    EvidenceData,
    Evidences,
    FindingInfo,
    HttpRequest,
    Metadata,
    Observable,
    ObservedValue,
    Product,
    Remediation,
    Resource,
    ResourceData,
    SessionUid,
    SourceEndpoint,
    Target,
    Timespan,
)  # fmt: skip
from detector.alert.runbook import attacks, steps
from detector.alert.summary import describe, explain, text_of, title
from detector.anomaly import Anomaly
from detector.catalogue import category, sensitivity
from detector.directory import NOBODY, Directory
from detector.explanation import Explanations
from detector.signal import Evidence, NewValue
from detector.triage.incident import Incident, about, channels_taken, objects_taken, ranked, rows_taken, uid
from detector.triage.publication import Publication
from detector.units import DAY_MS, HOUR_MS

__all__ = ["alerts_of", "build"]

PRODUCT = Product("crmwatch", "crmwatch")
MAX_OBSERVABLES = 50
OWN_DAYS = 5
"""With fewer days of its own that are known, an identity is judged by its peers."""


def alerts_of(
    publications: Iterable[Publication], explanations: Explanations, directory: Directory = NOBODY
) -> list[Alert]:
    """The alerts for what triage wants published, with the directory's names beside ids."""
    return [build(version, explanations, directory) for version in publications]


def build(version: Publication, explanations: Explanations, directory: Directory = NOBODY) -> Alert:
    """The alert that says how an incident stands.

    A name of the directory takes the place of the one that the records carry.
    """
    incident, activity, severity = version.incident, version.activity, version.severity
    name = directory.name(incident.actor, incident.tenant)
    if name:
        incident = msgspec.structs.replace(incident, actor_name=name)
    told = _naming_apps(incident, directory)
    rows = rows_taken(incident)
    anomalies = ranked(incident, explanations)
    todo = steps(incident, explanations, directory)
    summary = describe(told, explanations, over=activity is Activity.CLOSE, directory=directory)
    text, heading = text_of(summary), title(told, explanations)
    finding = Finding(
        class_uid=2004,
        class_name="Detection Finding",
        category_uid=2,
        category_name="Findings",
        activity=activity,
        activity_name=activity.name.capitalize(),
        type_uid=200400 + int(activity),
        time_ms=version.time_ms,
        start_ms=incident.first_ms,
        end_ms=incident.last_ms,
        severity=severity,
        severity_name=severity.name.capitalize(),
        status_id=4 if activity is Activity.CLOSE else 2 if incident.confirmed else 1,
        status_detail=incident.decision or None,
        is_alert=True,
        risk=version.assessment.risk,
        impact=version.assessment.impact,
        confidence=_confidence(anomalies, incident.provisional),
        count=max(1, rows),
        message=text,
        metadata=Metadata(OCSF_VERSION, PRODUCT, incident.tenant),
        info=FindingInfo(
            uid=uid(incident),
            title=heading.text,
            desc=text,
            created_time=incident.opened_ms,
            modified_time=incident.modified_ms,
            first_seen_time=incident.first_ms,
            last_seen_time=incident.last_ms,
            types=tuple(anomaly.detector for anomaly in anomalies),
            analytic=Analytic(2, "Behavioral", anomalies[0].detector, anomalies[0].detector),
            attacks=attacks(incident, explanations),
        ),
        resources=tuple(
            Resource(name, "CRM object", ResourceData(count, category(name)))
            for name, count in objects_taken(incident).items()
        ),
        evidences=tuple(_evidence(incident, event) for event in incident.evidence),
        observables=_observables(incident),
        analyses=tuple(_analysis(incident, anomaly) for anomaly in anomalies if anomaly.span)
        or (_strangeness(incident, anomalies[0]),),
        remediation=Remediation(" ".join(f"{n}. {step.message.text}" for n, step in enumerate(todo, 1))),
        unmapped=Unmapped(
            Extension(
                version=FINDING_VERSION,
                identity=f"{incident.tenant}/{incident.actor}" if incident.actor else "",
                network=incident.network,
                actors=incident.actors,
                actor_kind=incident.actor_kind,
                rows_taken=rows,
                channels=channels_taken(incident),
                surprise={anomaly.detector: round(anomaly.surprise, 3) for anomaly in anomalies},
                news=tuple(
                    News(new.what, new.value, new.rows) for anomaly in anomalies for new in anomaly.news
                ),
                known_days=incident.known_days,
                provisional=incident.provisional,
                judged_by_peers=_judged_by_peers(incident, anomalies[0]),
                title=heading,
                summary=summary,
                reasons=tuple(
                    Reason(anomaly.detector, explain(told, anomaly, explanations))
                    for anomaly in ranked(told, explanations)
                )
                if incident.source is None
                else (),
                steps=todo,
                impact=_impact(incident, rows),
                contributions=tuple(Contribution(*one) for one in version.contributions),
                names=_names(incident, directory),
            )
        ),
    )
    return alert_of(
        finding, {event.event_id: f"{event.adapter} {event.position}" for event in incident.evidence}
    )


def _naming_apps(incident: Incident, directory: Directory) -> Incident:
    """The incident with the names of new apps beside their ids, for its sentences."""
    if not directory:
        return incident
    anomalies = {
        detector: msgspec.structs.replace(
            anomaly, news=[_named_app(new, directory, incident.tenant) for new in anomaly.news]
        )
        for detector, anomaly in incident.anomalies.items()
    }
    return msgspec.structs.replace(incident, anomalies=anomalies)


def _named_app(new: NewValue, directory: Directory, tenant: str) -> NewValue:
    name = directory.name(new.value, tenant) if new.what == "app" else ""
    return msgspec.structs.replace(new, value=f"{name} ({new.value})") if name not in ("", new.value) else new


def _impact(incident: Incident, rows: int) -> Impact | None:
    if incident.source is not None:
        return None
    return Impact(max((sensitivity((name,)) for name in objects_taken(incident)), default=0.0), rows)


def _names(incident: Incident, directory: Directory) -> dict[str, str]:
    """Id → name, of the accounts and apps in it that the directory knows."""
    if not directory:
        return {}
    ids = dict.fromkeys((incident.actor, *sorted(incident.actors), *sorted(incident.apps)))
    ids |= dict.fromkeys(event.app for event in incident.evidence if event.app)
    named = {one: directory.name(one, incident.tenant) for one in ids if one}
    return {one: name for one, name in named.items() if name and name != one}


def _judged_by_peers(incident: Incident, strongest: Anomaly) -> bool:
    """Whether too little of the identity's own past is known to carry the judgement."""
    if not incident.actor:
        return False
    return (strongest.own_days if strongest.span else incident.known_days) < OWN_DAYS


def _confidence(anomalies: list[Anomaly], provisional: bool) -> int:
    best = anomalies[0]
    own = min(1.0, best.own_days / 15)
    peers = min(1.0, best.population_days / 300) if best.span else 0.0
    sure = 100 * min(1.0, best.surprise / 5) * (0.4 + 0.3 * own + 0.3 * peers)
    return round(sure * (0.8 if provisional else 1.0))


def _evidence(incident: Incident, event: Evidence) -> Evidences:
    actor = Actor(
        Account(incident.actor, incident.actor_name or None) if incident.actor else None,
        event.app,
        None if event.session is None else SessionUid(event.session),
    )
    where: SourceEndpoint | None = None
    if event.ip is not None:
        where = SourceEndpoint(ip=event.ip) if _is_address(event.ip) else SourceEndpoint(name=event.ip)
    return Evidences(
        event.event_id,
        Api(event.operation.value),
        EvidenceData(event.time_ms, event.rows, event.objects),
        None if actor == Actor() else actor,
        where,
        None if event.user_agent is None else HttpRequest(event.user_agent),
    )


def _observables(incident: Incident) -> tuple[Observable, ...]:
    actors = sorted(incident.actors) if incident.network else [incident.actor] if incident.actor else []
    return (
        *(
            Observable("evidences.actor.user.uid", 31, "User Object: uid", actor)
            for actor in actors[:MAX_OBSERVABLES]
        ),
        *(
            Observable("evidences.src_endpoint.ip", 2, "IP Address", ip)
            for ip in sorted(incident.ips)
            if _is_address(ip)
        ),
        *(
            Observable("evidences.http_request.user_agent", 16, "HTTP User-Agent", agent)
            for agent in sorted(incident.user_agents)
        ),
    )


def _is_address(text: str) -> bool:
    """Whether it is an IP address; logs have words in its place too (``Salesforce.com IP``)."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _analysis(incident: Incident, anomaly: Anomaly) -> Analysis:
    channel, _, unit = anomaly.channel.partition(":")
    parameter = f"{channel}.{unit if unit in ('calls', 'kilobytes') else 'rows'}"
    start, end = anomaly.first_ms, anomaly.last_ms
    length = {"hour": HOUR_MS, "day": DAY_MS}.get(anomaly.span)
    if length is not None:  # these begin and end with the clock's
        start = anomaly.time_ms // length * length
        end = start + length
    span = Timespan(1, "Milliseconds", end - start, start, end)
    typical = ObservedValue(str(round(anomaly.typical)), max(1, anomaly.own_days))
    return Analysis(
        (_target(incident),),
        (Anomalies(parameter, "observed", (ObservedValue(str(anomaly.value), 1, span),)),),
        (
            Baselines(parameter, "typical", (typical,)),
            Baselines(parameter, "bound", (ObservedValue(str(round(anomaly.bound))),)),
        ),
    )


def _strangeness(incident: Incident, anomaly: Anomaly) -> Analysis:
    """The analysis of an anomaly that is not about a quantity."""
    parameter = f"{anomaly.detector}.surprise"
    return Analysis(
        (_target(incident),),
        (Anomalies(parameter, "observed", (ObservedValue(f"{anomaly.surprise:.3f}", 1),)),),
        (Baselines(parameter, "typical", (ObservedValue("0"),)),),
    )


def _target(incident: Incident) -> Target:
    if incident.network:
        return Target(incident.network, "network")
    return Target(f"{incident.tenant}/{about(incident)}", "identity" if incident.source is None else "source")
