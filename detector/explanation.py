"""How a detector's anomalies are weighed and told: the part of the contract that all kinds of detector share.

A detector of one identity has it beside its functions (`detector.identity.detectors.contract`); a detector of the fleet
has it alone. An alert has no other source for what it says of a detector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from detector.anomaly import Anomaly
from detector.attack import AttackTechnique
from detector.errors import CrmwatchError
from detector.event import ActorKind
from detector.message import Message, Template, message

__all__ = ["DetectorNameError", "Explanation", "Explanations"]

Title = Callable[[Anomaly, str], Message]
"""The alert's title, from an anomaly and the name of its subject."""
Reason = Callable[[Anomaly, int], Message]
"""Why it is unusual, without the full stop, of an anomaly and on how many days the identity was active before."""
Techniques = Callable[[Anomaly], tuple[AttackTechnique, ...]]


class DetectorNameError(CrmwatchError, ValueError):
    """Two detectors bear one name; a sentence for a person."""


def _no_techniques(anomaly: Anomaly) -> tuple[AttackTechnique, ...]:
    return ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What triage and an alert need to know of a detector."""

    name: str
    """Short and stable: it names the detector in alerts, metrics and settings."""
    title: Title
    reason: Reason
    techniques: Techniques = _no_techniques
    """What it shows in terms of MITRE ATT&CK, beyond what the kinds of operation and of news show."""
    steps: Mapping[ActorKind, tuple[str, ...]] | None = None
    """Response steps (ids of `step_templates` or of the runbook) that replace the runbook's for who acted."""
    step_templates: Mapping[str, Template] = {}
    """The detector's own steps: id → English text."""
    kind: str = ""
    """What its evidence is about: further detectors of one kind add little. Its own name, if empty."""
    support: float | None = None
    """For evidence that never opens an incident: what share of its surprise it adds to one."""
    log_odds: float = 1.5
    """For a detector that the evidence model has not learned: what each unit of its surprise adds to the log-odds."""
    by_news: bool = False
    """Whether its score is how strange its news are: how seldom the identity has such, and how rare they are."""
    certain: bool = False
    """Whether its scores are taken as they are, instead of by how often peers reach them."""
    silenced_by_expected: bool = False
    """Whether an announced window, or a volume that operators expect, silences it."""
    common: bool = True
    """Whether it is worth less on a day on which many show the same."""
    rarity: bool = True
    """Whether the alert says on how many of the peers' days it is reached."""
    by_channel: bool = False
    """Whether it counts each channel apart; otherwise its newest signal of a day holds all rows that it counts."""
    many_days: bool = False
    """Whether it counts rows over several days at once."""

    @property
    def evidence_kind(self) -> str:
        """What its evidence is about."""
        return self.kind or self.name


def _unknown(name: str) -> Explanation:
    """Says no more of a detector than its name: state may hold anomalies of one that is installed no longer."""

    def title(anomaly: Anomaly, who: str) -> Message:
        return message("unknown.title", "Unusual access by {who}", who=who)

    def reason(anomaly: Anomaly, known_days: int) -> Message:
        return message("unknown.reason", "The detector {name} finds it unusual", name=anomaly.detector[:40])

    return Explanation(name=name, title=title, reason=reason)


class Explanations:
    """The explanations of a set of detectors, by name.

    >>> Explanations(())["toy"].evidence_kind
    'toy'
    """

    def __init__(self, explanations: Iterable[Explanation]) -> None:
        """Raises `DetectorNameError` if two bear one name."""
        by_name: dict[str, Explanation] = {}
        for explanation in explanations:
            if explanation.name in by_name:
                raise DetectorNameError(f"two detectors are named {explanation.name}")
            by_name[explanation.name] = explanation
        self._by_name = MappingProxyType(by_name)

    def __getitem__(self, name: str) -> Explanation:
        """The explanation of a detector; one that says its name alone, if it is not known."""
        return self._by_name.get(name) or _unknown(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    @property
    def names(self) -> tuple[str, ...]:
        """The detectors' names."""
        return tuple(self._by_name)
