"""What to do about an incident: the runbook's first steps by who acted, and the ATT&CK techniques by how."""

from __future__ import annotations

from collections.abc import Mapping

from detector import phrase
from detector.alert.finding import Step
from detector.attack import (
    COLLECTION,
    CREDENTIAL_ACCESS,
    EXFILTRATION,
    INITIAL_ACCESS,
    LATERAL_MOVEMENT,
    TACTICS,
    AttackTechnique,
    technique,
)
from detector.directory import NOBODY, Directory
from detector.event import ActorKind, Operation
from detector.explanation import Explanations
from detector.message import Template, message
from detector.triage.incident import Incident, channels_taken, ranked

__all__ = ["TEMPLATES", "attacks", "steps"]

TEMPLATES: dict[str, Template] = {
    "step.keep_logs": "Keep the logs and establish which records were taken before anything else is cleaned up.",
    "step.ask_integration_owner": "Ask the integration's owner whether this was planned; if not, revoke its "
    "tokens now.",
    "step.ask_named_owner": "Ask {owner}, the integration's owner, whether this was planned; if not, revoke its "
    "tokens now.",
    "step.ask_owner_and_supplier": "Ask {owner}, the integration's owner, and its supplier {supplier} whether this was "
    "planned; if not, revoke its tokens now.",
    "step.call_person_or_owner": "Call the person on a known number, or ask {owner}, who answers for the account; if "
    "it was not them, freeze the account.",
    "step.block_app": "Block the connected app and the addresses named here.",
    "step.rotate_secrets": "Rotate the integration's secrets and every secret stored in the records it read.",
    "step.close_guest_access": "Close the guest's access to these records until it is known what they are "
    "shared for.",
    "step.block_addresses": "Block the addresses named here.",
    "step.check_other_guests": "Look for other guests and self-registered users who read the same kinds of record.",
    "step.call_person": "Call the person on a known number; if it was not them, freeze the account.",
    "step.end_sessions": "End its sessions, reset its credentials and MFA and remove connected apps "
    "authorised lately.",
    "step.check_other_accounts": "Look for other accounts seen from the addresses named here.",
    "step.block_network": "Find out whose network this is; unless it is one of yours, block it and "
    "end all sessions from it.",
    "step.freeze_accounts": "Freeze the accounts named here, call their people, and reset credentials and MFA.",
    "step.check_network_logins": "Look for more accounts with logins from this network, successful or not.",
    "step.ask_log_owner": "Ask who runs the log's export whether it stopped or changed; replay the "
    "missing hours when they are there.",
    "step.watch_otherwise": "Until then, watch by other means what it would have shown.",
    "step.find_first_risers": "See which identities rose first, and whether a known event explains it; "
    "announce the window if one does.",
    "step.check_these_hours": "If nothing explains it, look at these hours' incidents first.",
}
"""Every step: its message code is ``step.`` and its stable id, or a variant of it that names who is to be asked."""
_STEPS = {
    ActorKind.INTEGRATION: ("ask_integration_owner", "block_app", "rotate_secrets", "keep_logs"),
    ActorKind.GUEST: ("close_guest_access", "block_addresses", "check_other_guests", "keep_logs"),
    ActorKind.HUMAN: ("call_person", "end_sessions", "check_other_accounts", "keep_logs"),
}
_NETWORK_STEPS = ("block_network", "freeze_accounts", "check_network_logins", "keep_logs")
_SOURCE_STEPS = ("ask_log_owner", "watch_otherwise")
_VOLUME_STEPS = ("find_first_risers", "check_these_hours")


def steps(incident: Incident, explanations: Explanations, directory: Directory = NOBODY) -> tuple[Step, ...]:
    """What to do, in order: the strongest detector's own steps, or those by who acted.

    Where the directory knows who answers for the account, the step that asks them names them.
    """
    if incident.source is not None:
        return _steps(_SOURCE_STEPS if incident.source else _VOLUME_STEPS, {})
    if incident.network:
        return _steps(_NETWORK_STEPS, {})
    explanation = explanations[ranked(incident, explanations)[0].detector]
    own = (explanation.steps or {}).get(incident.actor_kind)
    found = _steps(own or _STEPS[incident.actor_kind], explanation.step_templates)
    return tuple(_naming_owner(step, incident, directory) for step in found)


def _naming_owner(step: Step, incident: Incident, directory: Directory) -> Step:
    """The step, addressed to the owner of the account or of the app that it acts through."""
    if step.id not in ("ask_integration_owner", "call_person"):
        return step
    apps = sorted(incident.apps, key=lambda app: (-incident.apps[app], app))
    accounts = [incident.actor, *apps] if step.id == "ask_integration_owner" else [incident.actor]
    entries = (directory.find(account, incident.tenant) for account in accounts)
    entry = next((entry for entry in entries if entry is not None and entry.owner), None)
    if entry is None:
        return step
    owner = phrase.quoted(directory.name(entry.owner) or entry.owner)
    if step.id == "call_person":
        code = "step.call_person_or_owner"
        return Step(step.id, message(code, TEMPLATES[code], owner=owner))
    if entry.supplier:
        code = "step.ask_owner_and_supplier"
        return Step(
            step.id, message(code, TEMPLATES[code], owner=owner, supplier=phrase.quoted(entry.supplier))
        )
    code = "step.ask_named_owner"
    return Step(step.id, message(code, TEMPLATES[code], owner=owner))


def _steps(names: tuple[str, ...], templates: Mapping[str, Template]) -> tuple[Step, ...]:
    return tuple(
        Step(name, message(f"step.{name}", TEMPLATES.get(f"step.{name}") or templates[name]))
        for name in names
    )


def attacks(incident: Incident, explanations: Explanations) -> tuple[AttackTechnique, ...]:
    """The techniques of MITRE ATT&CK, in the order of its tactics."""
    if incident.source is not None:
        return ()
    anomalies = incident.anomalies.values()
    named = [*channels_taken(incident), *(anomaly.channel for anomaly in anomalies)]
    channels = {channel.partition(":")[0] for channel in named}
    news = {new.what for anomaly in anomalies for new in anomaly.news}
    result = [
        technique(
            COLLECTION,
            ("T1213", "Data from Information Repositories"),
            ("T1213.004", "Customer Relationship Management Software"),
        )
    ]
    if news & {"network", "agent", "app", "country", "indicator"}:
        if incident.actor_kind is ActorKind.INTEGRATION:
            result.append(technique(INITIAL_ACCESS, ("T1199", "Trusted Relationship")))
            result.append(
                technique(
                    LATERAL_MOVEMENT,
                    ("T1550", "Use Alternate Authentication Material"),
                    ("T1550.001", "Application Access Token"),
                )
            )
        else:
            result.append(
                technique(INITIAL_ACCESS, ("T1078", "Valid Accounts"), ("T1078.004", "Cloud Accounts"))
            )
    if "app" in news:
        result.append(technique(CREDENTIAL_ACCESS, ("T1528", "Steal Application Access Token")))
    if channels & {Operation.QUERY, Operation.BULK_EXPORT}:
        result.append(technique(EXFILTRATION, ("T1020", "Automated Exfiltration")))
    if channels & {Operation.BULK_EXPORT, Operation.REPORT_EXPORT, Operation.FILE_DOWNLOAD}:
        result.append(technique(EXFILTRATION, ("T1567", "Exfiltration Over Web Service")))
    for anomaly in ranked(incident, explanations):
        result += explanations[anomaly.detector].techniques(anomaly)
    unique = {technique.uid: technique for technique in result}
    return tuple(sorted(unique.values(), key=lambda technique: TACTICS.index(technique.tactics[0].uid)))
