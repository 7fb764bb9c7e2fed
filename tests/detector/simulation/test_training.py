from __future__ import annotations

from random import Random

import numpy as np
import pytest

from detector.simulation.training import STARTING, CandidateTable, Recipe, fit
from detector.triage.evidence import EvidenceModel
from detector.triage.features import FEATURES, RISING

pytestmark = pytest.mark.slow  # it imports scikit-learn
RECIPE = Recipe(trees=12, depth=3, least_leaf=5, folds=2)
VOLUME, HOUR = FEATURES.index("volume"), FEATURES.index("hour")


def table(seed: int, incidents: int = 60) -> CandidateTable:
    """A world in which an incident is a theft if volume and hour are both surprising."""
    random = Random(seed)
    rows, numbers, thefts = [], [], []
    for incident in range(incidents):
        for _ in range(random.randrange(1, 6)):
            vector = [random.uniform(0, 4) for _ in FEATURES]
            rows.append(vector)
            numbers.append(incident)
            thefts.append(vector[VOLUME] > 2 and vector[HOUR] > 2)
    return CandidateTable(np.array(rows), np.array(numbers), np.array(thefts))


TABLES = [table(seed) for seed in range(4)]


def test_the_same_tables_make_the_same_forest() -> None:
    """Grown twice, the forests are equal in every number."""
    assert fit(TABLES, RECIPE) == fit(TABLES, RECIPE)


def test_it_learns_what_is_harmless_alone_and_telling_together() -> None:
    """On incidents that it has not seen, volume and hour together rank above either alone."""
    model = EvidenceModel(fit(TABLES, RECIPE))

    def of(volume: float, hour: float) -> int:
        vector = [2.0] * len(FEATURES)
        vector[VOLUME], vector[HOUR] = volume, hour
        return model.log_odds(vector)

    both = of(3.5, 3.5)
    assert both > of(3.5, 0.5) + 500
    assert both > of(0.5, 3.5) + 500
    assert both > 0 > of(0.5, 0.5)


def test_more_of_a_detectors_surprise_never_lowers_the_rank() -> None:
    """Whatever else holds, raising a feature of `RISING` leaves the log-odds as they are or raises them."""
    model = EvidenceModel(fit(TABLES, RECIPE))
    random = Random(5)
    for name in sorted(RISING):
        place = FEATURES.index(name)
        for _ in range(40):
            vector = [random.uniform(0, 4) for _ in FEATURES]
            ranks = []
            for value in (0.0, 0.7, 1.4, 2.1, 2.8, 3.5):
                vector[place] = value
                ranks.append(model.log_odds(vector))
            assert ranks == sorted(ranks), name


def test_one_world_is_grown_without_calibration() -> None:
    """There is nothing to leave out of one world; its trees are taken as they are."""
    forest = fit(TABLES[:1], RECIPE)
    assert len(forest.feature) == RECIPE.trees
    assert forest.base_rate == STARTING.base_rate == 0.2
