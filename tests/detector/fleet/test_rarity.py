from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.event import ActorKind
from detector.fleet.population import Population
from detector.fleet.rarity import COMMON_SHARE, FURTHER, IDLE_SHARE, WEIGHT, strangeness
from detector.settings import Settings
from detector.signal import NewValue, Signal
from detector.trait import SORTS, YOUNG_DAYS, checksum
from tests.detector.make import START_DAY, START_MS, closed, new, signal

NETWORK = "192.0.2.0/24"
NOTHING = Population(Settings())


def novelty(*news: NewValue, **fields: Any) -> Signal:
    """Somebody shows something new, two days after the day that `used_by` is about; 300 rows leave with it."""
    given: dict[str, Any] = {
        "detector": "novelty",
        "time_ms": START_MS + 2 * 86_400_000 + 43_200_000,
        "measures": [],
        "news": list(news),
        "rows": 300,
    }
    return signal(**(given | fields))


def strange(
    *news: NewValue, population: Population = NOTHING, own: tuple[str, ...] = (), **fields: Any
) -> float:
    """How strange it is in all."""
    return strangeness(population, novelty(*news, **fields), own)[0]


def used_by(users: int, what: str, value: str, active: int = 100) -> Population:
    """A population in which so many of the active were seen with a value on the first day."""
    population = Population(Settings())
    for number in range(active):
        used = {what: [checksum(SORTS.index(what), value)] if number < users else []}
        population.learn(closed(1, actor=f"a{number}", used=used), 0)
    return population


def test_the_less_one_does_so_the_stranger_it_is() -> None:
    """Somebody on another network every week surprises less with one more than somebody never seen on one."""
    never, seldom, often, always = (strange(new(news=days, days=20.0)) for days in (0.0, 1.0, 5.0, 20.0))
    assert never > seldom > often > always > 0
    assert strange(new(news=0.0, days=200.0)) > never


@pytest.mark.parametrize("what", ["network", "agent", "app", "country", "operation", "object", "query"])
def test_what_is_expected_depends_on_who_it_is(what: str) -> None:
    """Something new is stranger of a program than of a person, and least so of a guest, who is many."""
    program, person, guest = (
        strange(new(what, "x", news=0.0, days=1.0), actor_kind=kind)
        for kind in (ActorKind.INTEGRATION, ActorKind.HUMAN, ActorKind.GUEST)
    )
    assert program > person > guest


@pytest.mark.parametrize("what", ["network", "agent", "app"])
def test_what_many_others_use_is_not_strange(what: str) -> None:
    """It is worth less the more others use it, and nothing from a fifth of them on; other values are not excused."""
    asked = [
        strange(new(what, NETWORK), population=used_by(users, what, NETWORK)) for users in (0, 1, 5, 10, 19)
    ]
    assert asked == sorted(asked, reverse=True)
    assert len(set(asked)) == len(asked)
    assert asked[0] == strange(new(what, NETWORK))
    assert strange(new(what, NETWORK), population=used_by(round(100 * COMMON_SHARE), what, NETWORK)) == 0.0
    crowd = used_by(90, what, NETWORK)
    assert strange(new(what, "198.51.100.0/24"), population=crowd) == asked[0]
    assert strange(new(what, NETWORK), population=crowd, tenant="other") == asked[0]


def test_what_others_do_counts_once_it_is_known() -> None:
    """What the others were seen with on a day that is not over yet excuses nobody."""
    population = used_by(90, "network", NETWORK)
    early_ms = (START_DAY + 1) * 86_400_000 + 43_200_000
    assert strange(new(), population=population, time_ms=early_ms) == strange(new())
    assert strange(new(), population=population) == 0.0
    late_ms = early_ms + 8 * 86_400_000
    assert strange(new(), population=population, time_ms=late_ms) == strange(new())


@pytest.mark.parametrize(
    ("own", "value", "known"),
    [
        ("192.0.2.0/24", NETWORK, True),
        ("192.0.0.0/16", NETWORK, True),
        ("192.0.2.7", NETWORK, True),
        ("192.0.2.128/25", NETWORK, True),
        ("192.0.3.0/24", NETWORK, False),
        ("2001:db8:1:2::/64", "2001:db8:1::/48", True),
        ("2001:db8:2::/48", "2001:db8:1::/48", False),
        ("0.0.0.0/0", "2001:db8:1::/48", False),
        ("Salesforce.com IP", "Salesforce.com IP", True),
        ("192.0.2.0/24", "Salesforce.com IP", False),
    ],
)
def test_own_networks_are_never_strange(own: str, value: str, known: bool) -> None:
    """Networks known as one's own, whatever their size, IPv4, IPv6 or a word; only networks are meant."""
    assert (strange(new("network", value), own=(own,)) == 0.0) is known
    assert (strange(new("network", value), own=("203.0.113.0/24", own)) == 0.0) is known
    assert strange(new("agent", value), own=(own,)) > 0


def test_what_is_new_fades() -> None:
    """It is strangest at first, less so each day, and not at all once it is no longer young."""
    asked = [strange(new(age_days=float(days))) for days in range(YOUNG_DAYS + 2)]
    assert asked == sorted(asked, reverse=True)
    assert asked[0] > asked[1] > asked[YOUNG_DAYS - 1] > asked[YOUNG_DAYS] == 0.0


def test_what_leaves_with_it_counts() -> None:
    """Before anything has left it counts a third; the more leaves, the more, up to some hundred rows."""
    asked = [strange(new(), rows=rows) for rows in (0, 1, 10, 100, 300, 10**9)]
    assert asked == sorted(asked)
    assert asked[0] == pytest.approx(IDLE_SHARE * asked[4])
    assert asked[4] == asked[5]


def test_strange_things_come_together() -> None:
    """Each further one counts half of the one before it; the strangest is named first."""
    things = [
        new("object", "Lead", news=5.0), new("network", "192.0.2.0/24", news=0.0), new("agent", "x", news=2.0)
    ]  # fmt: skip
    alone = sorted((strange(thing) for thing in things), reverse=True)
    total, found = strangeness(NOTHING, novelty(*things), ())
    assert [score for score, _ in found] == pytest.approx(alone)
    assert [thing.what for _, thing in found] == ["network", "agent", "object"]
    assert total == pytest.approx(sum(score * FURTHER**place for place, score in enumerate(alone)))


def test_what_is_not_strange_is_not_named() -> None:
    """What everybody uses, or is no longer young, is no reason."""
    crowd = used_by(90, "network", NETWORK)
    things = new("network", NETWORK), new("agent", "x"), new("app", "y", age_days=9.0)
    total, found = strangeness(crowd, novelty(*things), ())
    assert [thing.what for _, thing in found] == ["agent"]
    assert total == strange(new("agent", "x"))


def test_an_odd_hour_is_as_strange_as_it_is_rare() -> None:
    """The smaller the share of days on which one works at it, the stranger."""
    asked = [strange(new("hour", "03:00 UTC", news=share, days=1.0)) for share in (0.1, 0.01, 0.001, 0.0)]
    assert asked == sorted(asked)
    assert asked[0] == pytest.approx(WEIGHT["hour"])
    assert asked[2] == asked[3] == pytest.approx(3 * WEIGHT["hour"])


@given(
    st.lists(
        st.builds(
            NewValue,
            st.sampled_from([*SORTS, "hour"]),
            st.text(max_size=12),
            st.floats(0, 60),
            st.floats(0, 60),
            st.floats(0, 9),
            st.integers(0, 10**12),
        ),
        max_size=12,
    ),
    st.sampled_from(ActorKind),
    st.integers(0, 10**12),
    st.permutations(range(12)),
)
def test_strangeness_is_sane_and_does_not_depend_on_order(
    news: list[NewValue], kind: ActorKind, rows: int, order: list[int]
) -> None:
    """Whatever is new, it is a number from 0 to some ten; the order in which things are named is no matter."""
    total, found = strangeness(NOTHING, novelty(*news, actor_kind=kind, rows=rows), ())
    assert 0.0 <= total < 10.0
    assert all(score > 0 for score, _ in found)
    turned = [news[place] for place in order if place < len(news)]
    again, same = strangeness(NOTHING, novelty(*turned, actor_kind=kind, rows=rows), ())
    assert again == pytest.approx(total)
    assert [score for score, _ in same] == [score for score, _ in found]
