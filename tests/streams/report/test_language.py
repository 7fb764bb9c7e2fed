from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.main import app
from tests.streams.locale.english import Texts, english_in
from tests.streams.report.test_report import world


@pytest.mark.slow
def test_a_french_report_says_nothing_in_english(tmp_path: Path) -> None:
    """No message of the pages or of the alerts is in it as it is in English; a report in English has many."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "day.jsonl").write_bytes(world())
    pages = {}
    for language in ("fr", "en"):
        page = tmp_path / f"{language}.html"
        command = ["replay", str(logs), "--report", str(page), "--lang", language, "--json"]
        assert CliRunner().invoke(app, command).exit_code == 0
        pages[language] = page.read_text(encoding="utf-8")
        assert f'<html lang="{language}">' in pages[language]
    assert english_in(pages["fr"]) == {}
    assert len(english_in(pages["en"])) > 100
    french = " ".join(Texts(pages["fr"]).found)
    assert "Lignes extraites" in french
    assert "l’intégration 0054R9000000000QAA a extrait" in french
    assert "Demander au responsable de l’intégration" in french


def test_a_language_that_is_not_spoken_is_refused(tmp_path: Path) -> None:
    """By name, before anything is read."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["replay", str(tmp_path), "--lang", "de"])
    assert result.exit_code == 2
    assert "'de' is not one of 'en', 'fr'" in result.stderr
