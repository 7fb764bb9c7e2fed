from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.worker.producer import PORTION_BYTES, PORTION_OUTPUTS, Output, portions


def output(number: int, size: int = 10) -> Output:
    """A message of so many bytes."""
    return Output("topic", number, None, b"x" * size)


@given(st.integers(0, 3 * PORTION_OUTPUTS))
def test_outputs_go_so_many_at_a_time(count: int) -> None:
    """All of them, in their order; every portion but the last is full."""
    outputs = [output(number) for number in range(count)]
    parts = list(portions(outputs))
    assert [one for part in parts for one in part] == outputs
    assert all(len(part) == PORTION_OUTPUTS for part in parts[:-1])
    assert all(parts)


def test_large_outputs_go_fewer_at_a_time() -> None:
    """A portion ends with the output that makes it large."""
    size = PORTION_BYTES // 2
    assert [len(part) for part in portions(output(number, size) for number in range(5))] == [2, 2, 1]
