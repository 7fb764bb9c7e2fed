from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from detector.identity import retention
from detector.identity.retention import IdentityRetention

NAMES = [f"{number}" for number in range(8)]
actions = st.lists(
    st.tuples(
        st.sampled_from(["enter", "newcomer", "move", "establish", "leave", "evict"]),
        st.sampled_from(NAMES),
        st.integers(0, 5),
    ),
    max_size=60,
)


def entered(*known: tuple[str, int]) -> IdentityRetention:
    """Names, each with its day, of none of whom nothing has been learned."""
    roster = IdentityRetention()
    for name, day in known:
        roster.enter(name, day, newcomer=False)
    return roster


def leaving(roster: IdentityRetention, day: int) -> Sequence[str]:
    """Those of a day, each leaving in its turn."""
    gone = []
    for name in roster.idle_since(day):
        roster.leave(name)
        gone.append(name)
    return gone


@given(actions)
def test_the_first_newcomer_goes_or_else_the_longest_idle(done: list[tuple[str, str, int]]) -> None:
    """Whatever has happened: newcomers by when they came, then the others by day and name; evicting all goes on so."""
    roster = IdentityRetention()
    days: dict[str, int] = {}
    newcomers: list[str] = []

    def evicted() -> None:
        expected = newcomers[0] if newcomers else min(days, key=lambda name: (days[name], name))
        assert roster.most_expendable() == expected
        left(expected)

    def left(name: str) -> None:
        roster.leave(name)
        days.pop(name, None)
        if name in newcomers:
            newcomers.remove(name)

    for what, name, day in done:
        if what in ("enter", "newcomer"):
            left(name)
            roster.enter(name, day, newcomer=what == "newcomer")
            days[name] = day
            if what == "newcomer":
                newcomers.append(name)
        elif what == "leave":
            left(name)
        elif what == "evict" and days:
            evicted()
        elif what == "move":
            roster.move(name, day)
            days[name] = day
        elif what == "establish" and name in days:
            roster.establish(name)
            if name in newcomers:
                newcomers.remove(name)
        assert len(roster) == len(days)
        assert roster.idle_days(3) == sorted({day for day in days.values() if day <= 3})
    while days:
        evicted()


def test_those_of_a_day_leave_by_name() -> None:
    """In their order, no others with them, and a day that nobody is left on is none any more."""
    roster = entered(("c", 1), ("a", 1), ("b", 1), ("d", 2))
    assert leaving(roster, 1) == ["a", "b", "c"]
    assert (roster.idle_days(2), len(roster)) == ([2], 1)
    assert leaving(roster, 1) == []


def test_a_crowd_that_comes_and_goes_is_not_remembered() -> None:
    """Names that enter the day which is being evicted from, and leave it, take no room for good."""
    roster = entered(("a", 1), ("b", 1))
    assert roster.most_expendable() == "a"
    for number in range(5 * retention.MOST_LEFT):
        roster.enter(f"made up {number}", 1, newcomer=True)
        roster.leave(f"made up {number}")
    assert len(roster._ordered) <= retention.MOST_LEFT + 4
    assert roster.most_expendable() == "a"
