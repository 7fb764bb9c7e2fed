from __future__ import annotations

from collections import Counter
from ipaddress import ip_address, ip_network
from itertools import combinations

import msgspec
import pytest

from detector.identity.ledger import Ledger, count
from detector.simulation import Format, Scenario, Simulation
from detector.simulation.bursts import BurstKind
from detector.simulation.networks import NETWORKS, NetworkKind, networks_csv
from detector.simulation.shapes import Shape
from detector.simulation.traits import RANGES, CompanyTraits, draw_traits
from detector.units import HOUR_MS
from tests.detector.simulation.worlds import decoded, world

SEEDS = range(40)


def test_forty_seeds_cover_each_range() -> None:
    """Every trait but offices and roles has a range, stays within it, and reaches both of its outer fifths."""
    named = {field.name for field in msgspec.structs.fields(CompanyTraits)}
    assert set(RANGES) == named - {"role_shares", "offices"}
    drawn = [draw_traits(seed) for seed in SEEDS]
    for name, reach in RANGES.items():
        values = [getattr(traits, name) for traits in drawn]
        assert reach.low <= min(values) <= max(values) <= reach.high
        low, high = (reach.low, reach.high)
        if reach.log:
            assert min(values) <= low * (high / low) ** 0.2
            assert max(values) >= low * (high / low) ** 0.8
        else:
            assert min(values) <= low + (high - low) * 0.2
            assert max(values) >= low + (high - low) * 0.8


def test_companies_differ_in_offices_and_roles() -> None:
    """From one office to six, whose shares and those of the roles add up to one."""
    drawn = [draw_traits(seed) for seed in SEEDS]
    assert {len(traits.offices) for traits in drawn} == {1, 2, 3, 4, 5, 6}
    for traits in drawn:
        assert sum(share for _, share in traits.offices) == pytest.approx(1)
        assert sum(traits.role_shares) == pytest.approx(1)
    assert len({traits.role_shares for traits in drawn}) == len(SEEDS)


def test_networks_are_listed_once() -> None:
    """None overlaps another, every kind is there, and the CSV has a line for each."""
    for one, other in combinations([ip_network(each.prefix) for each in NETWORKS], 2):
        assert one.version != other.version or not one.overlaps(other)
    assert {each.kind for each in NETWORKS} == set(NetworkKind)
    lines = networks_csv().splitlines()
    assert lines[0] == "network,asn,name,kind"
    assert lines[1] == "203.0.113.0/24,64496,Skyward Offices,office"
    assert len(lines) == len(NETWORKS) + 1


@pytest.mark.slow
def test_every_address_lies_in_a_listed_network() -> None:
    """Employees', integrations', visitors' and attackers', in a world of each of three seeds."""
    networks = [ip_network(each.prefix) for each in NETWORKS]
    for seed in (1, 2, 3):
        for ip in {event.ip for event in decoded(Format.ELF, seed) if event.ip}:
            assert sum(ip_address(ip) in network for network in networks) == 1, ip


@pytest.mark.slow
def test_look_alikes_are_labelled_and_happen() -> None:
    """Somebody concerned works, or is refused, within each; night work happens at night; every kind in some world."""
    seen: set[str] = set()
    for seed in (1, 2, 3):
        labels = world(Format.ELF, seed)[2]
        events = decoded(Format.ELF, seed)
        for burst in labels.bursts:
            if burst.kind not in {
                BurstKind.NIGHT_TRAVEL,
                BurstKind.ON_CALL,
                BurstKind.SPRAY,
                BurstKind.LARGE_REPORT,
            }:
                continue
            seen.add(burst.kind)
            names = set(burst.identities)
            found = [
                event
                for event in events
                if burst.start_ms <= event.time_ms <= burst.end_ms + 12 * HOUR_MS and event.identity in names
            ]
            assert found
            if burst.kind == BurstKind.SPRAY:
                assert any(event.refused for event in found)
            if burst.kind == BurstKind.LARGE_REPORT:
                assert max(event.rows or 0 for event in found) >= 500
    assert seen == {BurstKind.NIGHT_TRAVEL, BurstKind.ON_CALL, BurstKind.SPRAY, BurstKind.LARGE_REPORT}


@pytest.mark.slow
def test_an_ordinary_company_is_the_same_for_every_seed_but_for_its_dice() -> None:
    """Without variety there are 250 people, and a calm world has neither bursts nor look-alikes."""
    ordinary = [Simulation(Scenario(seed=seed, format=Format.ELF, varied=False)).traits for seed in (1, 2)]
    assert ordinary == [CompanyTraits(), CompanyTraits()]
    calm = Simulation(Scenario(seed=1, format=Format.ELF, days=3, people=10, shapes=(), calm=True))
    for _ in calm.files():
        pass
    assert calm.traits == CompanyTraits()
    assert calm.labels().bursts == ()
    assert all(one.role != "guest" for one in calm.labels().identities)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_adaptive_attacker_stays_below_what_the_account_was_used_to(seed: int) -> None:
    """No hour of it, together with the account's own, has more rows than the account's greatest hour."""
    simulation, _, labels = world(Format.RTEM, seed)
    [(attack, label)] = [
        pair
        for pair in zip(simulation.attacks, labels.attacks, strict=True)
        if pair[0].shape is Shape.ADAPTIVE
    ]
    taken: Counter[int] = Counter()
    for act in attack.acts:
        taken[act.time_ms // HOUR_MS] += act.rows
    hours = Counter(
        {
            hour: rows
            for hour, rows in rows_by_hour(seed, label.identities[0]).items()
            if hour * HOUR_MS < label.start_ms - HOUR_MS
        }
    )
    assert len(attack.acts) >= 20
    assert max(taken.values()) <= max(hours.values())


def rows_by_hour(seed: int, identity: str) -> Counter[int]:
    """What one identity's records say that it read, each job counted once."""
    ledger = Ledger(recent={}, operations={})
    hours: Counter[int] = Counter()
    for event in decoded(Format.RTEM, seed):
        if event.identity == identity:
            counted = count(ledger, event)
            hours[event.time_ms // HOUR_MS] += counted.rows if counted is not None else 0
    return hours
