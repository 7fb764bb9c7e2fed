from __future__ import annotations

from streams.replay.replay import DeadLetter
from streams.report.dead_letters import SHOWN_EXAMPLES, DeadLetters, Example


def letter(number: int, adapter: str = "a", reason: str = "malformed", record: bytes = b"x") -> DeadLetter:
    """A dead letter."""
    return DeadLetter(
        f"log:{number}", f"log:{number}", adapter, reason, "a quote is never closed", record, len(record)
    )


def test_letters_are_grouped_and_the_first_quoted() -> None:
    """Each adapter and reason with its count, the most frequent first, and the first few of them."""
    letters = DeadLetters()
    for number in range(10):
        letters.observe(letter(number))
    letters.observe(letter(10, adapter=""))
    letters.observe(letter(11, reason="future"))
    found = letters.groups()
    assert [(group.adapter, group.reason, group.records) for group in found] == [
        ("a", "malformed", 10),
        ("", "malformed", 1),
        ("a", "future", 1),
    ]
    assert [example.position for example in found[0].examples] == ["log:0", "log:1", "log:2"]
    assert len(found[0].examples) == SHOWN_EXAMPLES
    assert letters.records == 12


def test_a_record_is_quoted_from_its_beginning_as_text() -> None:
    """Whatever its bytes are and however many."""
    letters = DeadLetters()
    letters.observe(letter(1, record=b"\xff" + b"y" * 1_000_000))
    [group] = letters.groups()
    [example] = group.examples
    assert example == Example("log:1", "a quote is never closed", "\ufffd" + "y" * 159, 1_000_001)


def test_no_letters_no_groups() -> None:
    """Then everything could be read."""
    assert DeadLetters().groups() == []
    assert DeadLetters().records == 0
