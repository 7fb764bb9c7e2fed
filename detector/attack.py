"""MITRE ATT&CK: the tactics and techniques that alerts name. Source: https://attack.mitre.org, version 19."""

from __future__ import annotations

import re

import msgspec

__all__ = [
    "ATTACK_VERSION", "COLLECTION", "CREDENTIAL_ACCESS", "DEFENSE_EVASION", "DISCOVERY", "EXFILTRATION",
    "INITIAL_ACCESS", "LATERAL_MOVEMENT", "TACTICS", "AttackTechnique", "NamedUid", "technique",
]  # fmt: skip

ATTACK_VERSION = "19.0"
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")


class NamedUid(msgspec.Struct, frozen=True):
    """A tactic or a technique of MITRE ATT&CK."""

    uid: str
    name: str


class AttackTechnique(msgspec.Struct, frozen=True, omit_defaults=True):
    """A technique of MITRE ATT&CK, with the tactics that it serves."""

    version: str
    tactics: tuple[NamedUid, ...]
    technique: NamedUid
    sub_technique: NamedUid | None = None

    @property
    def uid(self) -> str:
        """The most exact number, such as ``T1213.004``."""
        return (self.sub_technique or self.technique).uid

    @property
    def name(self) -> str:
        """What it is called, the sub-technique behind its technique."""
        return self.technique.name + (f": {self.sub_technique.name}" if self.sub_technique else "")

    @property
    def address(self) -> str:
        """Its page; empty for what is not a technique's number."""
        if not _TECHNIQUE.fullmatch(self.uid):
            return ""
        return f"https://attack.mitre.org/techniques/{self.uid.replace('.', '/')}/"


COLLECTION = NamedUid("TA0009", "Collection")
EXFILTRATION = NamedUid("TA0010", "Exfiltration")
INITIAL_ACCESS = NamedUid("TA0001", "Initial Access")
DISCOVERY = NamedUid("TA0007", "Discovery")
DEFENSE_EVASION = NamedUid("TA0005", "Defense Evasion")
CREDENTIAL_ACCESS = NamedUid("TA0006", "Credential Access")
LATERAL_MOVEMENT = NamedUid("TA0008", "Lateral Movement")


TACTICS = (
    "TA0001",
    "TA0003",
    "TA0004",
    "TA0005",
    "TA0006",
    "TA0007",
    "TA0008",
    "TA0009",
    "TA0011",
    "TA0010",
    "TA0040",
)
"""The numbers of the tactics, in the order of ATT&CK's matrix."""


def technique(
    tactic: NamedUid, technique: tuple[str, str], sub: tuple[str, str] | None = None
) -> AttackTechnique:
    """A technique by its number and name, and a sub-technique of it."""
    return AttackTechnique(
        ATTACK_VERSION, (tactic,), NamedUid(*technique), None if sub is None else NamedUid(*sub)
    )
