"""What a backup takes of each topic: its newest values, all that is retained, or what is not read yet."""

from __future__ import annotations

from enum import Enum

from streams.kafka.topics import TopicNames

__all__ = ["CONTENTS", "Share", "topic_name"]


class Share(Enum):
    """Which records of a topic are copied."""

    NEWEST = "newest"
    """The newest value of each key; what is deleted is not copied."""
    WHOLE = "whole"
    UNREAD = "unread"
    """From the workers' committed offset on."""


CONTENTS = {
    "events": Share.UNREAD,
    "signals": Share.UNREAD,
    "profiles_changelog": Share.NEWEST,
    "incidents_changelog": Share.NEWEST,
    "identities": Share.NEWEST,
    "indicators": Share.NEWEST,
    "directory": Share.NEWEST,
    "feedback": Share.WHOLE,
    "alerts": Share.WHOLE,
    "activity": Share.WHOLE,
    "deadletters": Share.WHOLE,
}
"""What a topic is for, which names it in a backup and in `TopicNames`, and what is copied of it; in this order, as
state names places in the topic of events.

Access topics are not among them: they are the operator's. A backup calls them by their names and copies what is unread.
"""


def topic_name(names: TopicNames, purpose: str) -> str:
    """The topic's present name."""
    name: str = getattr(names, purpose)
    return name
