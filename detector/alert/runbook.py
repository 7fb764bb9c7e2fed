"""What to do about an incident, by who acted and how: the runbook's first steps, and what ATT&CK calls it."""

from __future__ import annotations

from typing import Any

from detector.event import ActorKind, Operation
from detector.triage.incident import Incident, channels_taken

__all__ = ["attacks", "steps"]

ATTACK_VERSION = "19.0"
KEEP = "Keep the logs and establish which records left before anything else is cleaned up."
_STEPS = {
    ActorKind.INTEGRATION: (
        "Ask the integration's owner whether this was planned; if not, revoke its tokens now.",
        "Block the connected app and the addresses named here.",
        "Rotate the integration's secrets and every secret stored in the records it read.",
        KEEP,
    ),
    ActorKind.GUEST: (
        "Close the guest's access to these records until it is known what they are shared for.",
        "Block the addresses named here.",
        "Look for other guests and self-registered users who read the same kinds of record.",
        KEEP,
    ),
    ActorKind.HUMAN: (
        "Call the person on a known number; if it was not them, freeze the account.",
        "End its sessions, reset its credentials and MFA and remove connected apps authorised lately.",
        "Look for other accounts seen from the addresses named here.",
        KEEP,
    ),
}
_NETWORK_STEPS = (
    "Find out whose network this is; unless it is one of yours, block it and end all sessions from it.",
    "Freeze the accounts named here, call their people, and reset credentials and MFA.",
    "Look for more accounts with logins from this network, successful or not.",
    KEEP,
)
_SOURCE_STEPS = (
    "Ask who runs the log's export whether it stopped or changed; replay the missing hours when they are there.",
    "Until then, watch by other means what it would have shown.",
)
_VOLUME_STEPS = (
    "See which identities rose first, and whether a known event explains it; announce the window if one does.",
    "If nothing explains it, look at these hours' incidents first.",
)
_COLLECTION = {"uid": "TA0009", "name": "Collection"}
_EXFILTRATION = {"uid": "TA0010", "name": "Exfiltration"}
_ACCESS = {"uid": "TA0001", "name": "Initial Access"}
_DISCOVERY = {"uid": "TA0007", "name": "Discovery"}
_EVASION = {"uid": "TA0005", "name": "Defense Evasion"}
_CREDENTIALS = {"uid": "TA0006", "name": "Credential Access"}
_MOVEMENT = {"uid": "TA0008", "name": "Lateral Movement"}


def steps(incident: Incident) -> tuple[str, ...]:
    """What to do, in order."""
    if incident.source is not None:
        return _SOURCE_STEPS if incident.source else _VOLUME_STEPS
    return _NETWORK_STEPS if incident.network else _STEPS[incident.actor_kind]


def attacks(incident: Incident) -> list[dict[str, Any]]:
    """MITRE ATT&CK's techniques, as OCSF writes them."""
    if incident.source is not None:
        return []
    found = incident.anomalies
    named = [*channels_taken(incident), *(finding.channel for finding in found.values())]
    channels = {channel.partition(":")[0] for channel in named}
    news = {new.what for finding in found.values() for new in finding.news}
    result = [
        _technique(
            _COLLECTION,
            ("T1213", "Data from Information Repositories"),
            ("T1213.004", "Customer Relationship Management Software"),
        )
    ]
    if news & {"network", "agent", "app", "country", "indicator"}:
        if incident.actor_kind is ActorKind.INTEGRATION:
            result.append(_technique(_ACCESS, ("T1199", "Trusted Relationship")))
            result.append(
                _technique(
                    _MOVEMENT,
                    ("T1550", "Use Alternate Authentication Material"),
                    ("T1550.001", "Application Access Token"),
                )
            )
        else:
            result.append(_technique(_ACCESS, ("T1078", "Valid Accounts"), ("T1078.004", "Cloud Accounts")))
    if "app" in news:
        result.append(_technique(_CREDENTIALS, ("T1528", "Steal Application Access Token")))
    if "rhythm" in found:
        result.append(_technique(_COLLECTION, ("T1119", "Automated Collection")))
    if "chain" in found and "recon" in found["chain"].facts:
        result.append(_technique(_DISCOVERY, ("T1526", "Cloud Service Discovery")))
    if channels & {Operation.QUERY, Operation.BULK_EXPORT}:
        result.append(_technique(_EXFILTRATION, ("T1020", "Automated Exfiltration")))
    if channels & {Operation.BULK_EXPORT, Operation.REPORT_EXPORT, Operation.FILE_DOWNLOAD}:
        result.append(_technique(_EXFILTRATION, ("T1567", "Exfiltration Over Web Service")))
    if "chain" in found and "clean-up" in found["chain"].facts:
        result.append(_technique(_EVASION, ("T1070", "Indicator Removal")))
    return result


def _technique(
    tactic: dict[str, str], technique: tuple[str, str], sub: tuple[str, str] | None = None
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "version": ATTACK_VERSION,
        "tactics": [tactic],
        "technique": {"uid": technique[0], "name": technique[1]},
    }
    if sub is not None:
        result["sub_technique"] = {"uid": sub[0], "name": sub[1]}
    return result
