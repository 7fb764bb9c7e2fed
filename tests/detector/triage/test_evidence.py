from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.triage.evidence import MODEL_VERSION, EvidenceModel, EvidenceTrees, shipped
from detector.triage.features import FEATURES, RISING

NUMBERS = st.floats(-10, 10)
VECTORS = st.lists(NUMBERS, min_size=len(FEATURES), max_size=len(FEATURES))


@st.composite
def forests(draw: st.DrawFn) -> EvidenceTrees:
    """Any few trees of one depth."""
    depth, trees = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    inner = 2**depth - 1

    def each(one: st.SearchStrategy[Any], size: int) -> tuple[Any, ...]:
        row = st.lists(one, min_size=size, max_size=size).map(tuple)
        return tuple(draw(row) for _ in range(trees))

    values = each(st.integers(-3000, 3000), 2 * inner)
    return EvidenceTrees(
        depth=depth,
        base=draw(st.integers(-9000, 9000)),
        feature=each(st.integers(0, len(FEATURES) - 1), inner),
        threshold=each(NUMBERS, inner),
        value=tuple((0, *row) for row in values),
        base_rate=0.1,
    )


def path(forest: EvidenceTrees, tree: int, vector: list[float]) -> list[int]:
    """The nodes that a vector passes in a tree, from the root to a leaf."""
    nodes = [0]
    for _ in range(forest.depth):
        at = nodes[-1]
        right = vector[forest.feature[tree][at]] > forest.threshold[tree][at]
        nodes.append(2 * at + (2 if right else 1))
    return nodes


@given(forests(), VECTORS)
def test_it_is_the_sum_of_the_leaves(forest: EvidenceTrees, vector: list[float]) -> None:
    """The log-odds are the base and the value of each tree's leaf, found by walking from its root."""
    leaves = [forest.value[tree][path(forest, tree, vector)[-1]] for tree in range(len(forest.value))]
    assert EvidenceModel(forest).log_odds(vector) == forest.base + sum(leaves)


@given(forests(), VECTORS)
def test_contributions_add_up(forest: EvidenceTrees, vector: list[float]) -> None:
    """They sum to the log-odds less the base; each is what the steps by its feature change, and none is 0."""
    model = EvidenceModel(forest)
    expected: dict[str, int] = {}
    for tree, values in enumerate(forest.value):
        nodes = path(forest, tree, vector)
        for before, after in pairwise(nodes):
            name = FEATURES[forest.feature[tree][before]]
            expected[name] = expected.get(name, 0) + values[after] - values[before]
    told = model.contributions(vector)
    assert told == {name: change for name, change in expected.items() if change}
    assert sum(told.values()) == model.log_odds(vector) - forest.base


@given(forests(), VECTORS, st.randoms())
def test_the_order_of_trees_is_no_matter(forest: EvidenceTrees, vector: list[float], random: Any) -> None:
    """The same trees in another order say the same."""
    order = list(range(len(forest.value)))
    random.shuffle(order)
    turned = msgspec.structs.replace(
        forest,
        feature=tuple(forest.feature[n] for n in order),
        threshold=tuple(forest.threshold[n] for n in order),
        value=tuple(forest.value[n] for n in order),
    )
    assert EvidenceModel(turned).log_odds(vector) == EvidenceModel(forest).log_odds(vector)
    assert EvidenceModel(turned).contributions(vector) == EvidenceModel(forest).contributions(vector)


def stump(**fields: Any) -> dict[str, Any]:
    """One tree of one step by the first feature, as it is stored."""
    given: dict[str, Any] = {
        "depth": 1,
        "base": -1000,
        "feature": [[0]],
        "threshold": [[1.5]],
        "value": [[0, -200, 300]],
        "base_rate": 0.1,
    }
    return given | fields


def test_the_threshold_itself_is_on_the_left() -> None:
    """Only above the threshold does the way go to the right."""
    model = EvidenceModel(msgspec.convert(stump(), EvidenceTrees))
    rest = [0.0] * (len(FEATURES) - 1)
    assert [model.log_odds([value, *rest]) for value in (1.4, 1.5, 1.6)] == [-1200, -1200, -700]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"version": MODEL_VERSION + 1}, f"version {MODEL_VERSION + 1}; this release reads {MODEL_VERSION}"),
        ({"features": [*FEATURES[:-1]]}, "its features are not those of this release"),
        ({"features": [*FEATURES[1:], FEATURES[0]]}, "its features are not those of this release"),
        ({"depth": 2}, "its trees are not all of depth 2"),
        ({"value": [[0, 1]]}, "its trees are not all of depth 1"),
        ({"threshold": [[1.0, 2.0]]}, "its trees are not all of depth 1"),
        ({"threshold": [[1.0], [2.0]]}, "different numbers"),
        ({"feature": [[len(FEATURES)]]}, "a tree looks at a feature that there is not"),
        ({"feature": [[-1]]}, "a tree looks at a feature that there is not"),
        ({"leaves": 7}, "unknown field `leaves`"),
    ],
)
def test_a_forest_of_another_kind_is_refused(fields: dict[str, Any], sentence: str) -> None:
    """Another version, list of features or shape, or a feature that there is not, is an error that says so."""
    with pytest.raises(msgspec.ValidationError, match=sentence):
        msgspec.json.decode(msgspec.json.encode(stump(**fields)), type=EvidenceTrees)


# --- any model that ships


def test_what_ships_is_for_these_features() -> None:
    """It can be read, is calibrated at a base rate between 0 and 1, and has trees."""
    forest = shipped().forest
    assert forest.features == FEATURES
    assert 0 < forest.base_rate < 1
    assert forest.value
    assert all(row[0] == 0 for row in forest.value)


@given(VECTORS.map(lambda vector: list(map(abs, vector))), st.sampled_from(sorted(RISING)), st.floats(0, 10))
def test_what_must_rise_never_lowers_it(vector: list[float], name: str, more: float) -> None:
    """With more of a rising feature, all else being equal, the shipped model's log-odds never fall."""
    raised = list(vector)
    raised[FEATURES.index(name)] += more
    assert shipped().log_odds(raised) >= shipped().log_odds(vector)
