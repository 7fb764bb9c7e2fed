from __future__ import annotations

import pytest

from detector.event import ActorKind
from detector.triage.incident import Incident
from tests.detector.incidents import (
    attacks,
    describe,
    finding,
    incident,
    notice,
    of_network,
    part,
    steps,
    strange,
)
from tests.detector.make import new


def ids(one: Incident) -> set[str]:
    """The techniques named; a sub-technique if there is one."""
    return {attack.uid for attack in attacks(one)}


@pytest.mark.parametrize(
    ("one", "step", "others"),
    [
        (incident(), "ask the integration's owner whether this was planned; if not, revoke its tokens now.", 3),
        (
            incident(actor_kind=ActorKind.HUMAN),
            "call the person on a known number; if it was not them, freeze the account.",
            3,
        ),
        (
            incident(actor_kind=ActorKind.GUEST),
            "close the guest's access to these records until it is known what they are shared for.",
            3,
        ),
        (of_network(), "find out whose network this is; unless it is one of yours, block it and", 3),
        (notice(), "ask who runs the log's export whether it stopped or changed;", 1),
        (notice("volume", source=""), "see which identities rose first, and whether a known event explains it;", 1),
    ],
    ids=["integration", "human", "guest", "network", "source", "volume"],
)  # fmt: skip
def test_what_to_do_first(one: Incident, step: str, others: int) -> None:
    """By who acted; it comes last in the sentence, where the eye stays, and others follow it."""
    assert f" Next: {step}" in describe(one)
    texts = [step.message.text for step in steps(one)]
    assert texts[0].lower().startswith(step.lower())
    assert len(texts) == len({step.id for step in steps(one)}) == 1 + others
    assert all(text.endswith(".") and text[0].isupper() for text in texts)
    assert [step.message.code for step in steps(one)] == [f"step.{step.id}" for step in steps(one)]


def test_the_logs_are_kept() -> None:
    """Whoever acted: nothing is cleaned up before it is known what was taken."""
    for one in (incident(), incident(actor_kind=ActorKind.HUMAN), of_network()):
        assert steps(one)[-1].id == "keep_logs"


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("bulk_export", {"T1213.004", "T1020", "T1567"}),
        ("query", {"T1213.004", "T1020"}),
        ("query:calls", {"T1213.004", "T1020"}),
        ("query:internal", {"T1213.004", "T1020"}),
        ("report_export", {"T1213.004", "T1567"}),
        ("file_download:kilobytes", {"T1213.004", "T1567"}),
        ("record_view", {"T1213.004"}),
        ("all", {"T1213.004"}),
    ],
)
def test_attacks_by_the_means(channel: str, expected: set[str]) -> None:
    """What ATT&CK calls taking data out that way; data from a CRM is T1213.004."""
    assert ids(incident(finding(channel=channel), parts=[])) == expected
    assert ids(incident(finding(channel="all"), parts=[part(9, channel=channel)])) == expected


@pytest.mark.parametrize(
    ("kind", "what", "expected"),
    [
        (ActorKind.INTEGRATION, "network", {"T1199", "T1550.001"}),
        (ActorKind.INTEGRATION, "app", {"T1199", "T1550.001", "T1528"}),
        (ActorKind.HUMAN, "network", {"T1078.004"}),
        (ActorKind.HUMAN, "agent", {"T1078.004"}),
        (ActorKind.HUMAN, "country", {"T1078.004"}),
        (ActorKind.HUMAN, "indicator", {"T1078.004"}),
        (ActorKind.HUMAN, "app", {"T1078.004", "T1528"}),
        (ActorKind.HUMAN, "object", set()),
        (ActorKind.HUMAN, "hour", set()),
    ],
)
def test_attacks_by_what_is_new(kind: ActorKind, what: str, expected: set[str]) -> None:
    """Somebody else's place or program is a stolen account or token; another object or hour is not."""
    found = strange("novelty", channel="record_view", news=[new(what, "x")])
    assert ids(incident(found, actor_kind=kind, parts=[])) == {"T1213.004"} | expected


@pytest.mark.parametrize(
    ("detector", "facts", "expected"),
    [
        ("rhythm", {}, {"T1119"}),
        ("chain", {"recon": 1.0, "sample": 1.0}, {"T1526"}),
        ("chain", {"bulk": 1.0, "clean-up": 1.0}, {"T1070"}),
        ("chain", {"sample": 1.0, "bulk": 1.0}, set()),
        ("drip", {}, set()),
    ],
)
def test_attacks_by_what_was_done(detector: str, facts: dict[str, float], expected: set[str]) -> None:
    """Programs, looking around and wiping one's traces have names of their own."""
    found = strange(detector, channel="record_view", facts=facts)
    assert ids(incident(found, parts=[])) == {"T1213.004"} | expected


def test_attacks_are_written_as_ocsf_does() -> None:
    """Each with the version of ATT&CK, its tactic and its technique; trouble of a source is no attack."""
    everything = incident(
        finding(), strange("novelty", news=[new(), new("app")]), strange("rhythm"),
        strange("chain", facts={"recon": 1.0, "clean-up": 1.0}),
    )  # fmt: skip
    found = attacks(everything)
    assert len(found) == len({str(one) for one in found}) == 9
    for one in found:
        assert one.version == "19.0"
        assert [tactic.uid[:2] for tactic in one.tactics] == ["TA"]
        assert one.technique.uid == one.uid.partition(".")[0]
    assert "T1078.004" in ids(of_network())
    assert attacks(notice()) == attacks(notice("volume", source="")) == ()
