from __future__ import annotations

import pytest

from detector.alert.summary import describe, title
from detector.message import message
from detector.triage.incident import Incident
from streams.locale import Language, Translator
from streams.locale.alerts import alert_text
from tests.detector.incidents import EXPLANATIONS, finding, incident, notice, of_network, steps, strange

ENGLISH, FRENCH = Translator(Language.ENGLISH), Translator(Language.FRENCH)
INCIDENTS = {
    "theft": incident(),
    "export": incident(finding(detector="export", span="operation")),
    "drip": incident(strange("drip", facts={"days": 4.0, "week_rows": 900.0, "typical_day": 20.0})),
    "chain": incident(strange("chain", facts={"recon": 1.0, "bulk": 1.0})),
    "network": of_network(),
    "silence": notice(),
    "clock": notice("clock"),
    "volume": notice("series", ""),
}


@pytest.mark.parametrize("name", INCIDENTS)
def test_everything_that_an_alert_says_is_said_in_french(name: str) -> None:
    """Title, sentences and steps; none falls back to English."""
    about: Incident = INCIDENTS[name]
    for said in (
        title(about, EXPLANATIONS),
        *describe(about, EXPLANATIONS),
        *(step.message for step in steps(about)),
    ):
        french = alert_text(FRENCH, said)
        assert french != said.text
        assert alert_text(ENGLISH, said) == said.text
        assert not {"the", "of", "rows", "took", "since"} & set(french.split())


def test_an_alert_is_a_sentence_in_french() -> None:
    """Who took how many rows of what, when, from where; what is usual; why it matters; what to do."""
    about = INCIDENTS["theft"]
    assert alert_text(FRENCH, describe(about, EXPLANATIONS)) == (
        "L’intégration “Sky Sync” (0054R)\u202f: extraction de 60\u202f000 lignes (Case 40\u202f000, Contact"
        " 20\u202f000) par export en masse le 2026-03-02 entre 00:01 et 00:10 UTC, depuis 192.0.2.77 avec"
        " “python-requests/2.32”. En une heure\u202f: 60\u202f000 lignes par export en masse\u202f; environ"
        " 3\u202f200 d’habitude, maximum attendu 21\u202f000, d’après 14 de ses propres jours. Aucun des 900"
        " jours de ses pairs n’en approche. Les enregistrements Case contiennent ce que des clients"
        " ont écrit au service client. À faire\u202f: demander au responsable de l’intégration si c’était"
        " prévu\u202f; sinon, révoquer ses jetons tout de suite."
    )


def test_what_no_catalogue_knows_stays_english() -> None:
    """The message of a detector that is not ours, as a whole: no sentence is half in French."""
    rows = message("count.row", ("{n} row", "{n} rows"), n=2)
    assert alert_text(FRENCH, message("acme.reason", "It moved {rows}", rows=rows)) == "It moved 2 rows"
    assert alert_text(FRENCH, [rows, rows]) == "2 lignes 2 lignes"
