from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.fleet.forest import FOREST_VERSION, MOST_LEARNED, WARM, Forest, ForestError, unit

FEATURES = 6


def day(random: Random) -> tuple[float, ...]:
    """An ordinary identity's day: rows, calls and bytes go together, little is new, few hours are nightly."""
    rows = random.lognormvariate(5, 1)
    return (
        unit(rows, 1e6),
        unit(rows / random.uniform(5, 20), 1e5),
        unit(rows * random.lognormvariate(6, 0.3), 1e10),
        unit(random.choice((1, 2, 3)), 100),
        unit(random.choice((0, 0, 0, 1)), 100),
        random.betavariate(1, 20),
    )


def grown(days: int, seed: int = 1) -> Forest:
    """A forest that knows so many ordinary days."""
    forest, random = Forest(FEATURES, seed=7), Random(seed)
    for _ in range(days):
        forest.learn(day(random))
    return forest


THEFT = (unit(200_000, 1e6), unit(12, 1e5), unit(1e8, 1e10), unit(9, 100), unit(6, 100), 0.9)
MIXTURE = (unit(150, 1e6), unit(4_000, 1e5), unit(60_000, 1e10), unit(2, 100), 0.0, 0.05)
"""No figure of it is unusual but the calls, of which there are far too many for so few rows."""


def test_an_odd_mixture_is_surprising_and_an_ordinary_day_is_not() -> None:
    """A theft and an odd mixture reach what a thousand days can show; one ordinary day in twenty reaches 1.3; nothing
    is scored differently for having been scored.
    """
    forest = grown(1000)
    before = forest.encode()
    assert forest.score(THEFT).surprise > 2.5
    assert forest.score(MIXTURE).surprise > 1.5
    random = Random(2)
    surprises = [forest.score(day(random)).surprise for _ in range(1000)]
    assert 0.02 < sum(surprise >= 1.3 for surprise in surprises) / 1000 < 0.1
    assert forest.score(THEFT).rarity > max(forest.score(day(random)).rarity for _ in range(100))
    assert forest.encode() == before


def test_it_says_what_is_odd() -> None:
    """The features whose cells are rarest come first: the calls of a mixture; anything but these few of a theft."""
    forest = grown(2000)
    assert forest.telling(MIXTURE)[0] == 1
    assert 1 not in forest.telling(THEFT)
    assert len(set(forest.telling(THEFT))) == 3


def test_cold_is_not_normal() -> None:
    """Before two hundred vectors it says that it is cold, and is surprised by nothing."""
    forest = grown(WARM - 1)
    cold = forest.score(THEFT)
    assert not cold.warm
    assert cold.surprise == 0
    forest.learn(day(Random(5)))
    warm = forest.score(THEFT)
    assert warm.warm
    assert warm.surprise > 1.5


def test_a_burst_of_what_is_alarmed_on_stays_odd() -> None:
    """A thousand equal thefts that were alarmed on are as rare at the end as at the beginning, though no longer as
    unusual; learned, they would be what is normal.
    """
    alarmed, learned = grown(1000), grown(1000)
    before = alarmed.score(THEFT)
    for _ in range(1000):
        alarmed.learn(THEFT, alarmed=True)
        learned.learn(THEFT)
    after = alarmed.score(THEFT)
    assert after.rarity == before.rarity
    assert 0 < after.surprise < 1
    assert alarmed.learned == 1000
    assert learned.score(THEFT).rarity < 1.5


@pytest.mark.slow
def test_the_past_fades() -> None:
    """What it knows stays bounded, and so does its size, however many vectors it learns."""
    forest, random = Forest(3, seed=1), Random(1)
    for _ in range(MOST_LEARNED + 10):
        forest.learn((random.random(), random.random(), 0.5))
    assert forest.learned == (MOST_LEARNED + 1) // 2 + 9
    assert len(forest.encode()) < 30_000
    assert forest.score((0.5, 0.5, 0.5)).warm


def test_the_same_vectors_give_the_same_bytes() -> None:
    """Two forests of one seed are equal, one of another seed is not."""
    assert grown(300).encode() == grown(300).encode()
    other = Forest(FEATURES, seed=8)
    random = Random(1)
    for _ in range(300):
        other.learn(day(random))
    assert other.encode() != grown(300).encode()


def test_the_number_of_features_is_fixed() -> None:
    """A vector with one figure too many or too few is refused, and not learned."""
    forest = grown(10)
    for vector in (THEFT[:-1], (*THEFT, 0.0)):
        with pytest.raises(ValueError, match="features instead of 6"):
            forest.score(vector)
        with pytest.raises(ValueError, match="features instead of 6"):
            forest.learn(vector)
        with pytest.raises(ValueError, match="features instead of 6"):
            forest.telling(vector)
    assert forest.learned == 10


@pytest.mark.parametrize(
    "change",
    [{0: FOREST_VERSION + 1}, {4: [[0] * 3]}, {5: [0]}, {2: "six"}],
    ids=["version", "counts", "bins", "type"],
)
def test_what_is_no_forest_is_refused(change: dict[int, object]) -> None:
    """Bytes of another version, size or type are no forest, and neither is anything else."""
    values = msgspec.msgpack.decode(grown(3).encode())
    for index, value in change.items():
        values[index] = value
    with pytest.raises(ForestError):
        Forest.decode(msgspec.msgpack.encode(values))
    with pytest.raises(ForestError):
        Forest.decode(b"\x81\xa1")


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), max_size=60), st.integers(0, 60))
def test_any_vectors_are_scored_alike_across_a_restart(
    vectors: list[tuple[float, float, bool]], cut: int
) -> None:
    """Whatever the vectors, surprise and rarity stay within limits, and encoding between any two changes nothing."""
    through, restored = Forest(2, seed=3), Forest(2, seed=3)
    for _ in range(WARM):
        through.learn((0.5, 0.5))
        restored.learn((0.5, 0.5))
    for number, (first, second, alarmed) in enumerate(vectors):
        if number == cut:
            restored = Forest.decode(restored.encode())
        odd = through.score((first, second))
        assert restored.score((first, second)) == odd
        assert 0 <= odd.surprise <= 4
        assert 0 <= odd.rarity < 17
        through.learn((first, second), alarmed=alarmed)
        restored.learn((first, second), alarmed=alarmed)
    assert restored.encode() == through.encode()
