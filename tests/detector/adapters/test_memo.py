from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.adapters.memo import Memo


@given(st.lists(st.text(max_size=3), max_size=60), st.integers(1, 5), st.integers(0, 2))
def test_a_memo_gives_what_its_function_gives(texts: list[str], limit: int, longest: int) -> None:
    """Whatever is asked, in whatever order, the answer is the function's, and no more is kept than allowed."""
    memo = Memo(str.upper, limit, longest)
    for text in texts:
        assert memo[text] == text.upper()
        assert len(memo) <= limit
        assert all(len(kept) <= longest for kept in memo)


def test_a_memo_asks_once() -> None:
    """A text that comes again is looked up; one that is too long to be kept is worked out each time."""
    asked: list[str] = []
    memo: Memo[str, None] = Memo(asked.append, 10, 3)
    for text in ("abc", "abc", "abcd", "abcd"):
        memo[text]
    assert asked == ["abc", "abcd", "abcd"]


def test_what_cannot_be_worked_out_is_not_kept() -> None:
    """An exception goes through each time, and leaves the memo as it was."""
    memo: Memo[str, int] = Memo(int, 10)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            memo["x"]
    assert memo == {}
