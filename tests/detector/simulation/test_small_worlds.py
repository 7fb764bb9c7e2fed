"""Worlds small enough for the fast loop; the larger ones in this folder are slow."""

from __future__ import annotations

from itertools import pairwise

import pytest

from detector.simulation import Format, Scenario, Simulation
from detector.simulation.shapes import Shape


@pytest.mark.slow
@pytest.mark.parametrize(("log_format", "seed"), [*zip(Format, (1, 2, 3), strict=True)])
def test_a_small_company_suffers_every_attack(log_format: Format, seed: int) -> None:
    """Forty people and twelve days hold each shape once, on known accounts, with rows that grow, within its time."""
    simulation = Simulation(Scenario(seed=seed, format=log_format, days=12, people=40))
    assert sum(len(file.data) for file in simulation.files()) > 10_000_000
    labels = simulation.labels()
    known = {identity.id for identity in labels.identities}
    assert [attack.shape for attack in labels.attacks] == list(Shape)
    for attack in labels.attacks:
        assert attack.identities
        assert set(attack.identities) <= known
        assert labels.start_ms < attack.start_ms <= attack.taken[0][0]
        assert attack.taken[-1][0] <= attack.end_ms < labels.end_ms
        assert all(
            earlier[0] < later[0] and earlier[1] < later[1] for earlier, later in pairwise(attack.taken)
        )
