"""How messages and profiles name the partitions of the access topics."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["source_numbers"]


def source_numbers(partitions: Mapping[str, int]) -> dict[tuple[str, int], int]:
    """The number of each partition across all access topics, in their order; given how many partitions each has.

    >>> source_numbers({"a": 2, "b": 1})
    {('a', 0): 0, ('a', 1): 1, ('b', 0): 2}
    """
    places = [(topic, partition) for topic, count in partitions.items() for partition in range(count)]
    return {place: number for number, place in enumerate(places)}
