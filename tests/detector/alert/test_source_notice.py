from __future__ import annotations

import pytest

from tests.detector.incidents import HOSTILE, describe, notice, title, words


def test_a_silent_source() -> None:
    """What has not come, since when, what is usual, why it matters and what to do."""
    assert describe(notice()) == (
        "No query and report export records have come from salesforce_elf of 00D4R since 2026-03-02 00:01 UTC, where "
        "about 24 are usual. A missing hour is not a quiet one: what happens in it is not seen. "
        "Next: ask who runs the log's export whether it stopped or changed; replay the missing hours when they are "
        "there."
    )
    assert title(notice()) == "A source has gone silent"


def test_a_source_that_speaks_again() -> None:
    """The end of a silence says that it is over and what that means for the time of it."""
    assert describe(notice(), over=True).startswith(
        "Records come again from salesforce_elf of 00D4R. None had come since 2026-03-02 00:01 UTC, so what happened "
        "then has not been watched. Next: ask who runs"
    )


@pytest.mark.parametrize(
    ("trouble", "called"),
    [
        ("schema", "A source's records have changed"),
        ("dead_letters", "A source's records cannot be read"),
        ("lag", "A source is late"),
        ("clock", "A source's clock is wrong"),
    ],
)
def test_other_trouble(trouble: str, called: str) -> None:
    """Each trouble by its name, with its source and time, and at its end with both times."""
    one = notice(trouble)
    records = f"{called}: query and report export records from salesforce_elf of 00D4R, "
    assert describe(one).startswith(f"{records}since 2026-03-02 00:01 UTC. What cannot be read or comes late")
    assert describe(one, over=True).startswith(f"{records}from 2026-03-02 00:01 to 2026-03-02 00:10 UTC. ")
    assert title(one) == called


def test_the_volume_as_a_whole() -> None:
    """How much in which ten minutes, what is usual then, and what that may be."""
    one = notice("volume", source="")
    assert describe(one) == (
        "All identities of 00D4R together took out 90,000 rows in the ten minutes from 2026-03-02 00:01 UTC; about 24 "
        "are usual at this hour. One account alone seldom moves this; a disruption, a campaign or a migration does. "
        "Next: see which identities rose first, and whether a known event explains it; announce the window if one does."
    )
    assert title(one) == "Unusually many rows from all identities together"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_breaks_nothing(text: str) -> None:
    """An operator's source and a tenant may be called anything."""
    for over in (False, True):
        sentence = describe(notice(source=text or "x", tenant=text, apps={text: 1}), over=over)
        assert sentence.isprintable()
        assert sentence.count("“") == sentence.count("”")
        assert words(sentence) < 100
        assert len(sentence) < 700
