"""How messages and profiles name a partition of an access topic: by the topic's id, which its name may outlive."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from streams.kafka.topics import TopicIdentity

__all__ = ["source_number", "source_numbers"]


def source_number(topic_id: str, partition: int) -> int:
    """The number of a source: 63 bits of a hash, so that it is the same for everybody, and another for a topic that is
    deleted and created again, whose offsets begin anew.

    >>> source_number("WHxZRyVbR1uPc1kRTSQZZQ", 0)
    6517328364648677172
    """
    digest = blake2b(f"{topic_id}/{partition}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def source_numbers(topics: Mapping[str, TopicIdentity]) -> dict[tuple[str, int], int]:
    """The number of each partition of these topics, by topic and partition."""
    return {
        (name, partition): source_number(topic.id, partition)
        for name, topic in topics.items()
        for partition in range(topic.partitions)
    }
