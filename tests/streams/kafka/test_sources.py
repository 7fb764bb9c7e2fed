from __future__ import annotations

from streams.kafka.sources import source_numbers
from streams.kafka.topics import TopicIdentity


def test_a_source_is_a_topics_id_and_a_partition() -> None:
    """Numbers depend on neither a topic's name nor its place among others, fit into 63 bits, and all differ."""
    topics = {"a": TopicIdentity("one", 40), "b": TopicIdentity("two", 40)}
    numbers = source_numbers(topics)
    assert len(numbers) == len(set(numbers.values())) == 80
    assert all(0 <= number < 1 << 63 for number in numbers.values())
    renamed = source_numbers({"c": TopicIdentity("two", 41)})
    assert [renamed["c", partition] for partition in range(40)] == [
        numbers["b", partition] for partition in range(40)
    ]
    anew = source_numbers({"a": TopicIdentity("three", 40)})
    assert not set(anew.values()) & set(numbers.values())
