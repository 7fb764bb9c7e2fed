"""Names beside ids in an alert, and who is to be asked, as a directory has them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.alert.finding import Finding, read
from detector.alert.ocsf import Activity
from detector.directory import NOBODY, Directory
from detector.directory_entry import DirectoryEntry, DirectoryKind
from detector.event import ActorKind
from detector.triage.incident import Incident
from tests.detector.incidents import HOSTILE, build, incident, of_network, strange
from tests.detector.make import START_MS, new

DAY_MS = 86_400_000
ACTOR = incident().actor
OWNER = "Mia Lund"
SYNC = DirectoryEntry(id=ACTOR, name="Mail Sync", owner=OWNER, kind=DirectoryKind.INTEGRATION)
APP = DirectoryEntry(id="0H4", name="Post Office", owner=OWNER, supplier="Quill", kind=DirectoryKind.APP)


def published(one: Incident, *entries: DirectoryEntry) -> Finding:
    """The alert about an incident with such a directory."""
    alert = build(one, Activity.CREATE, START_MS, 80, directory=Directory(entries))
    return read(alert.body)


def test_an_alert_names_the_account_and_the_app() -> None:
    """Beside the ids, in the sentence and in the title; the name of the directory goes before that of the records, and
    ids that it does not know have none."""
    found = published(incident(apps={"0H4": 2, "0H5": 1}), SYNC, APP)
    assert found.extension.names == {ACTOR: "Mail Sync", "0H4": "Post Office"}
    assert found.actor == f"Mail Sync ({ACTOR})"
    assert found.sentence.startswith(f"The integration “Mail Sync” ({ACTOR}) took out")
    assert found.title.endswith("“Mail Sync”")
    assert "Sky Sync" not in found.sentence + found.title


def test_a_new_app_is_named_in_the_sentence() -> None:
    """Beside its id, which stays what the alert's news hold."""
    novelty = strange("novelty", 3.0, news=[new("app", "0H4", news=0.0), new("app", "0H5", news=0.0)])
    found = published(incident(novelty), APP)
    assert "the app “Post Office (0H4)”" in found.sentence
    assert "0H5" in found.sentence
    assert "the app “Post Office (0H4)”" in found.extension.reasons[0].message.text
    assert [one.value for one in found.extension.news] == ["0H4", "0H5"]


def test_an_alert_about_a_network_names_its_accounts() -> None:
    """Those that the directory knows."""
    found = published(
        of_network(), DirectoryEntry(id="u1", name="Anna Berg"), DirectoryEntry(id="u9", name="Bo")
    )
    assert found.extension.names == {"u1": "Anna Berg"}


@pytest.mark.parametrize(
    ("fields", "entries", "step"),
    [
        ({}, [SYNC], f"Ask “{OWNER}”, the integration's owner, whether this was planned; if not, revoke"),
        ({"apps": {"0H4": 1}}, [APP],
         f"Ask “{OWNER}”, the integration's owner, and its supplier “Quill” whether this was planned; if not,"),
        ({}, [msgspec.structs.replace(SYNC, owner="mia@x.io"), DirectoryEntry(id="7", mail="mia@x.io", name=OWNER)],
         f"Ask “{OWNER}”, the integration's owner,"),
        ({}, [msgspec.structs.replace(SYNC, owner="")], "Ask the integration's owner whether"),
        ({"actor_kind": ActorKind.HUMAN}, [SYNC],
         f"Call the person on a known number, or ask “{OWNER}”, who answers for the account; if it was not them,"),
        ({"actor_kind": ActorKind.HUMAN, "apps": {"0H4": 1}}, [APP], "Call the person on a known number; if it"),
    ],
    ids=["owner", "of the app", "by mail", "none", "person", "not the app's"],
)  # fmt: skip
def test_the_advice_names_who_answers_for_it(
    fields: dict[str, Any], entries: list[DirectoryEntry], step: str
) -> None:
    """The owner of the account, or else of the app that it acts through, by name; the step is the same to decisions."""
    found = published(incident(**fields), *entries)
    assert found.steps[0].message.text.startswith(step)
    assert found.steps[0].id == published(incident(**fields)).steps[0].id
    assert f"Next: {step[0].lower()}{step[1:]}" in found.sentence


def test_an_absence_is_said() -> None:
    """If the directory has the person away for all of the incident's time, and not if it ended within."""
    away = {"id": ACTOR, "absent_from_ms": START_MS - DAY_MS}
    until = published(incident(), DirectoryEntry(**away, absent_until_ms=START_MS + 9 * DAY_MS))
    assert "The directory has this account's person away until 2026-03-10." in until.sentence
    since = published(incident(), DirectoryEntry(**away))
    assert "The directory has this account's person away since 2026-03-01." in since.sentence
    ended = published(incident(), DirectoryEntry(**away, absent_until_ms=START_MS + 1))
    assert "away" not in ended.sentence


def test_without_a_directory_nothing_changes() -> None:
    """The alert's bytes are those of a directory that knows nobody in it."""
    plain = build(incident(), Activity.CREATE, START_MS, 80).body
    assert build(incident(), Activity.CREATE, START_MS, 80, directory=NOBODY).body == plain
    stranger = Directory([DirectoryEntry(id="x", name="Anna")])
    assert build(incident(), Activity.CREATE, START_MS, 80, directory=stranger).body == plain
    assert b'"names"' not in plain


@pytest.mark.parametrize("word", [word for word in HOSTILE if word.isprintable() and 0 < len(word) < 256])
def test_a_name_cannot_leave_its_quotes(word: str) -> None:
    """What somebody calls himself in a directory is quoted as a log's text is."""
    entry = DirectoryEntry(id=ACTOR, name=word, owner=word)
    found = published(incident(), entry)
    assert found.sentence.count("“") == found.sentence.count("”")
    assert word.replace("“", "�").replace("”", "�") in found.steps[0].message.text
