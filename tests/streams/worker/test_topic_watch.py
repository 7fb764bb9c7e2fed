from __future__ import annotations

from streams.kafka.topics import TopicIdentity
from streams.worker.topic_watch import Commit, Start, TopicView, UnreadTopics

ACCESS = TopicIdentity("id", 2)
EVENTS = TopicIdentity("other", 1)
EVERYTHING = frozenset({("access", 0), ("access", 1), ("events", 0)})


def view(owned: frozenset[tuple[str, int]] | None = EVERYTHING, **topics: TopicIdentity) -> TopicView:
    """What the brokers say; by default, both topics exist."""
    return TopicView(topics or {"access": ACCESS, "events": EVENTS}, owned=owned)


def unread() -> UnreadTopics:
    """Nothing may be unread for longer than 10 s."""
    return UnreadTopics(["access", "events"], patience_seconds=10.0)


def test_nothing_is_unread_while_every_partition_has_a_reader() -> None:
    """All counts are 0, and there is no reason, however long."""
    watched = unread()
    watched.note(view(), 0.0)
    assert watched.reason(1e9) is None
    assert watched.counts == {"access": 0, "events": 0}


def test_what_nobody_reads_is_named_after_a_while() -> None:
    """The first partition without a reader is the reason once its topic has been unread for longer than the patience,
    also if partitions are assigned in between; it is none once it is read."""
    watched = unread()
    watched.note(view(EVERYTHING - {("access", 1)}), 0.0)
    assert watched.counts == {"access": 1, "events": 0}
    watched.note(view(None), 5.0)
    watched.note(view(frozenset()), 6.0)
    assert watched.counts == {"access": 2, "events": 1}
    assert watched.reason(10.0) is None
    assert watched.reason(10.1) == "access/0: no worker reads it"
    watched.note(view(), 11.0)
    assert watched.reason(30.0) is None


def test_a_missing_topic_is_unread_even_while_partitions_are_assigned() -> None:
    """A topic that does not exist counts as one, and its creation does not begin the patience anew."""
    watched = unread()
    watched.note(view(None, events=EVENTS), 0.0)
    assert watched.counts == {"access": 1, "events": 0}
    assert watched.reason(11.0) == "access: the topic does not exist"
    watched.note(view(frozenset({("events", 0)})), 12.0)
    assert watched.reason(12.0) == "access/0: no worker reads it"


def test_a_committed_offset_holds_for_its_own_topic_only() -> None:
    """Another topic's offset gives way to the beginning, one that retention has passed to what is retained; an offset
    without an id is trusted, and where nothing is committed nothing is said."""
    at = ("access", 0)

    def start(commit: Commit | None, first: int) -> Start | None:
        committed = {} if commit is None else {at: commit}
        return TopicView({"access": ACCESS}, {at: first}, committed).starts(*at)

    assert start(Commit(7, "id"), 0) is None
    assert start(Commit(7, ""), 7) is None
    assert start(None, 7) is None
    assert start(Commit(7, "old"), 0) == Start(0, 0, is_new_topic=True)
    assert start(Commit(7, "old"), 3) == Start(3, 3, is_new_topic=True)
    assert start(Commit(7, "id"), 10) == Start(10, 3, is_new_topic=False)
    assert start(Commit(7, ""), 8) == Start(8, 1, is_new_topic=False)
