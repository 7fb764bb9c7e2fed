from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.simulation import Labels, ScoredAlert, evaluate, read_labels, score, scored_alert
from detector.simulation.labels import AttackLabel, BurstLabel, IdentityLabel
from detector.simulation.score import GRACE_MS
from detector.simulation.shapes import Difficulty, Shape
from detector.units import DAY_MS
from tests.streams.report.make import THEFT_MS, body

MADE = {
    "seed": 1,
    "format": "elf",
    "start_ms": 0,
    "end_ms": 10 * DAY_MS,
    "identities": [{"id": f"t/{number}", "role": "agent"} for number in range(50)],
}


def attack(number: int = 1, **other: Any) -> AttackLabel:
    """An attack by one account on the fifth day, which takes 10, 60 and 100 rows."""
    given: dict[str, Any] = {
        "id": f"a{number}",
        "shape": Shape.LEAVER,
        "level": Difficulty.HARD,
        "identities": (f"t/{number}",),
        "start_ms": 5 * DAY_MS,
        "end_ms": 5 * DAY_MS + 3_000,
        "taken": ((5 * DAY_MS + 1_000, 10), (5 * DAY_MS + 2_000, 60), (5 * DAY_MS + 3_000, 100)),
    }
    return AttackLabel(**(given | other))


def labels(*attacks: AttackLabel, people: int = 50, bursts: tuple[BurstLabel, ...] = ()) -> Labels:
    """Ten days with these attacks; with 50 people the budget is 5 findings."""
    return Labels(
        seed=1,
        format="elf",
        start_ms=0,
        end_ms=10 * DAY_MS,
        identities=tuple(IdentityLabel(f"t/{number}", "agent") for number in range(people)),
        attacks=attacks,
        bursts=bursts,
    )


def alert(uid: str, time_ms: int, risk: float = 50, who: str = "t/1", ip: str = "") -> ScoredAlert:
    """A publication about somebody, or about a network."""
    return ScoredAlert(uid, time_ms, risk, (who,) if who else (), (ip,) if ip else ())


@pytest.mark.parametrize(
    ("after_ms", "saved", "lost"),
    [
        (0, 1.0, 0),
        (999, 1.0, 0),
        (1_000, 0.9, 10),
        (2_500, 0.4, 60),
        (3_000, 0.0, 100),
        (3_000 + GRACE_MS, 0.0, 100),
    ],
)
def test_what_is_saved_is_what_was_not_yet_taken(after_ms: int, saved: float, lost: int) -> None:
    """Rows up to and at the alert's very time are lost; a late alert finds the attack and saves nothing."""
    found = score(labels(attack()), [alert("f", 5 * DAY_MS + after_ms)])
    assert found.headline == pytest.approx(saved)
    assert found.rows_lost == pytest.approx(lost / 100)
    assert found.recall == 1.0
    [one] = found.attacks
    assert (one.saved, one.rows, one.rows_lost, one.found) == (pytest.approx(saved), 100, lost, True)
    assert one.delay_ms == found.median_delay_ms == after_ms


@pytest.mark.parametrize(
    "miss",
    [
        alert("f", 5 * DAY_MS - 1),
        alert("f", 5 * DAY_MS + 3_001 + GRACE_MS),
        alert("f", 5 * DAY_MS, who="t/2"),
        alert("f", 5 * DAY_MS, who="", ip="192.0.2.7"),
    ],
)
def test_an_alert_on_somebody_or_sometime_else_is_false(miss: ScoredAlert) -> None:
    """The attack is missed: nothing is saved, all is lost, and the finding counts as false."""
    found = score(labels(attack()), [miss])
    assert (found.headline, found.recall, found.rows_lost, found.median_delay_ms) == (0.0, 0.0, 1.0, None)
    assert (found.findings, found.true_findings, found.precision) == (1, 0, 0.0)
    assert found.false_a_day == pytest.approx(1 / 10 / 50 * 1000)
    [one] = found.attacks
    assert (one.saved, one.rows_lost, one.found, one.delay_ms) == (0.0, 100, False, None)


def test_without_alerts_everything_is_missed() -> None:
    """There is no precision then, and no threshold."""
    found = score(labels(attack(1), attack(2)), [])
    assert (found.threshold, found.headline, found.recall, found.precision) == (None, 0.0, 0.0, None)
    assert (found.findings, found.false_a_day, found.rows_lost) == (0, 0.0, 1.0)


def test_without_attacks_every_finding_is_false() -> None:
    """A quiet world has no headline."""
    found = score(labels(), [alert("f", 5)])
    assert (found.headline, found.recall, found.rows_lost, found.attacks) == (0.0, 0.0, 0.0, ())
    assert (found.findings, found.precision) == (1, 0.0)


def test_the_threshold_is_the_lowest_risk_within_the_budget() -> None:
    """Of seven findings the five riskiest count; an attack whose alert is the sixth is missed."""
    others = [alert(f"f{number}", 1, 90 - number, "t/9") for number in range(5)]
    world = labels(attack())
    assert score(world, [*others[:4], alert("a", 5 * DAY_MS, 60)]).headline == 1.0
    late = score(world, [*others, alert("a", 5 * DAY_MS, 60), alert("b", 1, 40)])
    assert (late.threshold, late.findings, late.headline, late.precision) == (86, 5, 0.0, 0.0)


def test_equals_at_the_budgets_edge_are_all_left_out() -> None:
    """Where the fifth and the sixth are equally risky, neither counts; where all are equal, nothing does."""
    four = [alert(f"f{number}", 1, 90, "t/9") for number in range(4)]
    tied = [alert("a", 5 * DAY_MS, 60), alert("b", 5 * DAY_MS, 60)]
    found = score(labels(attack()), four + tied)
    assert (found.threshold, found.findings, found.headline) == (90, 4, 0.0)
    assert score(labels(attack()), [*four[1:], *tied]).threshold == 60
    same = [alert(f"f{number}", 5 * DAY_MS, 60) for number in range(6)]
    none = score(labels(attack()), same)
    assert (none.threshold, none.findings, none.headline) == (None, 0, 0.0)


def test_a_finding_counts_once_by_its_greatest_risk() -> None:
    """Updates take nothing of the budget, but only those that reach the threshold alert."""
    world = labels(attack())
    grows = [
        alert("a", 5 * DAY_MS, 30),
        alert("a", 5 * DAY_MS + 2_000, 70),
        alert("a", 5 * DAY_MS + 3_000, 20),
    ]
    others = [alert(f"f{number}", 1, 60, "t/9") for number in range(4)] + [alert("g", 1, 50, "t/9")]
    found = score(world, grows + others)
    assert (found.threshold, found.findings, found.true_findings) == (60, 5, 1)
    assert found.headline == pytest.approx(0.4)
    assert evaluate(world, grows + others, 0.0).headline == 1.0


def test_the_budget_is_rounded_up() -> None:
    """Of one person in ten days it is one finding, not a tenth of one."""
    found = score(labels(attack(), people=1), [alert("a", 5 * DAY_MS, 60), alert("b", 5, 50, "t/9")])
    assert (found.threshold, found.findings, found.headline, found.precision) == (60, 1, 1.0, 1.0)


def test_a_network_may_give_an_attack_away() -> None:
    """By an address of the attacker's, or a network that holds one; several attacks may share an alert."""
    one, other = attack(1, networks=("192.0.2.7",)), attack(2)
    for shown in ("192.0.2.7", "192.0.2.0/24"):
        found = score(labels(one, other), [alert("f", 5 * DAY_MS, who="", ip=shown)])
        assert [attack.found for attack in found.attacks] == [True, False]
        assert found.precision == 1.0
    both = score(labels(one, other), [alert("f", 5 * DAY_MS, who="t/2", ip="192.0.2.7")])
    assert both.recall == 1.0
    for shown in ("192.0.3.0/24", "no network/24", "2001:db8::/32"):
        assert score(labels(one), [alert("f", 5 * DAY_MS, who="", ip=shown)]).recall == 0.0


def test_false_findings_on_bursts_are_told_apart() -> None:
    """If the burst concerns everybody or somebody named, from its start until a day after its end."""
    bursts = (
        BurstLabel(kind="disruption", identities="all", start_ms=DAY_MS, end_ms=2 * DAY_MS),
        BurstLabel(kind="project", identities=("t/3",), start_ms=7 * DAY_MS, end_ms=8 * DAY_MS),
    )
    published = [
        alert("a", DAY_MS, who="t/2"),
        alert("b", 3 * DAY_MS, who="t/3"),
        alert("c", 3 * DAY_MS + 1, who="t/3"),
        alert("d", 9 * DAY_MS, who="t/3"),
        alert("e", 7 * DAY_MS, who="t/4"),
    ]
    found = score(labels(attack(), bursts=bursts), published)
    assert (found.findings, found.true_findings, found.false_on_bursts) == (5, 0, 3)


def test_an_attack_that_shows_no_rows_is_saved_if_it_is_found() -> None:
    """There is nothing to lose then."""
    found = score(labels(attack(taken=())), [alert("f", 5 * DAY_MS)])
    assert (found.headline, found.rows_lost) == (1.0, 0.0)


# --- what is read


def published(**changes: Any) -> bytes:
    """An alert as the detector publishes it, with changes."""
    return msgspec.json.encode(body(**changes))


def test_a_finding_names_its_identities_and_addresses() -> None:
    """The identity that it is about, those that it quotes, and its addresses, each once."""
    found = scored_alert(published())
    assert found == ScoredAlert("crmwatch-1", THEFT_MS + 240_000, 71.0, ("t/u",), ("192.0.2.77",))
    own = {"identity": "", "network": "192.0.2.0/24", "actors": {"v": 1, "w": 2}}
    found = scored_alert(published(unmapped={"crmwatch": own}))
    assert found is not None
    assert found.identities == ("t/v", "t/w", "t/u")
    assert found.networks == ("192.0.2.77", "192.0.2.0/24")


@pytest.mark.parametrize(("activity", "counts"), [(1, True), (2, True), (3, False)])
def test_closing_an_incident_alerts_nobody(activity: int, counts: bool) -> None:
    """A new finding and an update count, its end does not."""
    assert (scored_alert(published(activity_id=activity)) is not None) is counts


def test_another_detectors_alert_is_scored_too() -> None:
    """As JSON with what counts of it."""
    line = b'{"uid": "f", "time_ms": 5, "risk": 61, "identities": ["t/u"], "networks": ["192.0.2.0/24"]}'
    assert scored_alert(line) == ScoredAlert("f", 5, 61.0, ("t/u",), ("192.0.2.0/24",))


@pytest.mark.parametrize(
    "broken", [b"", b"[]", b"{}", b'{"time": "x"}', b"\xff", msgspec.json.encode(body(severity_id=9))]
)
def test_what_is_no_finding_is_refused(broken: bytes) -> None:
    """With one kind of error."""
    with pytest.raises(ValueError, match=r"not a finding"):
        scored_alert(broken)


def test_labels_survive_being_written() -> None:
    """As JSON, and back."""
    made = labels(attack(networks=("192.0.2.7",)))
    assert read_labels(msgspec.json.encode(made)) == made
    assert read_labels(msgspec.json.encode(MADE)).attacks == ()


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"\xff",
        b"{" * 5_000,
        msgspec.json.encode(MADE | {"end_ms": 0}),
        msgspec.json.encode(MADE | {"identities": []}),
        msgspec.json.encode(MADE | {"attacks": [{"id": "x", "shape": "trojan", "level": "easy"}]}),
        msgspec.json.encode(labels(attack(end_ms=0))),
        msgspec.json.encode(labels(attack(taken=((2, 10), (1, 20))))),
        msgspec.json.encode(labels(attack(taken=((1, 20), (2, 10))))),
    ],
)
def test_what_are_no_labels_is_refused(broken: bytes) -> None:
    """With one kind of error, in a sentence."""
    with pytest.raises(ValueError, match=r"."):
        read_labels(broken)
