"""What a directory changes in triage: whom settings mean, and which networks are an account's own."""

from __future__ import annotations

from typing import Any

import pytest

from detector.directory_entry import DirectoryEntry, DirectoryKind
from detector.settings import Announced, Settings, TriageSettings
from detector.signal import evidence
from detector.units import DAY_MS
from tests.detector.make import START_MS, event, new
from tests.detector.triage.triages import AlertingTriage as Triage
from tests.detector.triage.triages import crossed, found, tell

SYNC = DirectoryEntry(id="u", name="Mail Sync", mail="sync@example.com", networks=("192.0.2.0/24",))
APP = DirectoryEntry(id="Post App", kind=DirectoryKind.APP, networks=("192.0.2.0/24",))
ALERTING: dict[str, Any] = {"alert_risk": 0, "least_risk": 0}


@pytest.mark.parametrize("pattern", ["u", "Mail Sync", "mail s*", "SYNC@example.com"])
def test_expected_rows_mean_an_account_by_any_of_its_names(pattern: str) -> None:
    """An id, a name or a mail address, with the directory that knows them; without it only the id."""
    triage = TriageSettings(expected_rows={pattern: 5_000.0})
    known = Settings(triage=triage, directory=(SYNC,))
    assert len(tell(Triage(known, {}), crossed(1, 5_000))) == 0
    assert len(tell(Triage(Settings(triage=triage), {}), crossed(1, 5_000))) == (pattern != "u")


def test_the_name_that_records_carry_counts_as_well() -> None:
    """Without any directory."""
    config = Settings(triage=TriageSettings(expected_rows={"anna berg": 5_000.0}))
    assert tell(Triage(config, {}), crossed(1, 5_000, actor_name="Anna Berg")) == []
    assert len(tell(Triage(config, {}), crossed(1, 5_000, actor_name="Bo"))) == 1


def test_an_announced_window_covers_by_name() -> None:
    """As `identities` say, by the directory."""
    window = Announced(reason="x", from_ms=START_MS, until_ms=START_MS + DAY_MS, identities=("Mail Sync",))
    config = Settings(triage=TriageSettings(announced=(window,)), directory=(SYNC,))
    assert tell(Triage(config, {}), crossed(1, 50_000)) == []


@pytest.mark.parametrize(
    ("directory", "strange"),
    [
        ((), True),
        ((SYNC,), False),
        ((APP,), False),
        ((DirectoryEntry(id="x", networks=("192.0.2.0/24",)),), True),
    ],
)
def test_a_network_that_is_said_to_be_its_own_is_not_new(
    directory: tuple[DirectoryEntry, ...], strange: bool
) -> None:
    """The account's, or that of the app that it acts through; nobody else's."""
    signal = found(
        1, "novelty", 0.0, rows=900, objects={"Contact": 900},
        news=[new("network", "192.0.2.0/24", news=0.0, days=300.0, rows=900)],
        evidence=evidence(event(1, ip="192.0.2.7", app="post app"), 900),
    )  # fmt: skip
    config = Settings(triage=TriageSettings(**ALERTING), directory=directory)
    assert bool(tell(Triage(config, {}), signal)) is strange
