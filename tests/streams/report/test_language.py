from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from typer.testing import CliRunner

from streams.cli.main import app
from streams.locale import Language
from streams.locale.catalogue import catalogue
from tests.streams.report.test_report import world

VOID = {"meta", "br", "input"}
SHORT = 4
"""An English message of fewer words is looked for as a whole text, a longer one anywhere."""


class Texts(HTMLParser):
    """A page's texts, without those marked as English and those of a log: code, and cells that are set apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter an element."""
        given = dict(attrs)
        around, hidden = self.open[-1] if self.open else ("", False)
        hidden = (
            hidden
            or tag in ("style", "code")
            or (tag != "html" and given.get("lang") == "en")
            or (around, tag) == ("td", "bdi")
        )
        self.found += [value for name, value in attrs if name in ("title", "aria-label") and value]
        if tag not in VOID:
            self.open.append((tag, hidden))

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        """Keep its text."""
        if data.strip() and not (self.open and self.open[-1][1]):
            self.found.append(" ".join(data.split()))


def english() -> Iterator[re.Pattern[str]]:
    """What every message that has a translation of its own looks like in English."""
    for domain in ("screens", "alerts"):
        for message in catalogue(Language.FRENCH, domain):
            both = zip(
                *([text] if isinstance(text, str) else text for text in (message.id, message.string or "")),
                strict=True,
            )
            for text, translation in both:
                literal = re.sub(r"\{[^}]*\}", " ", text)
                if text == translation or not re.search(r"[a-z]{3}", literal):
                    continue
                pattern = r".+?".join(map(re.escape, re.split(r"\{[^}]*\}", text)))
                yield re.compile(rf"\b{pattern}" if len(literal.split()) >= SHORT else f"^{pattern}$")


def texts_of(page: Path) -> list[str]:
    """The texts of a page in a file."""
    return Texts(page.read_text(encoding="utf-8")).found


def test_a_french_report_says_nothing_in_english(tmp_path: Path) -> None:
    """No message of the pages or of the alerts is in it as it is in English; a report in English has many."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "day.jsonl").write_bytes(world())
    left = {}
    for language in ("fr", "en"):
        page = tmp_path / f"{language}.html"
        command = ["replay", str(logs), "--report", str(page), "--lang", language, "--json"]
        assert CliRunner().invoke(app, command).exit_code == 0
        text = page.read_text(encoding="utf-8")
        assert f'<html lang="{language}">' in text
        texts = texts_of(page)
        left[language] = {
            pattern.pattern: found for pattern in english() for found in texts if pattern.search(found)
        }
    assert left["fr"] == {}
    assert len(left["en"]) > 100
    french = " ".join(texts_of(tmp_path / "fr.html"))
    assert "Lignes extraites" in french
    assert "l’intégration 0054R9000000000QAA a extrait" in french, french[:400]
    assert "Demander au responsable de l’intégration" in french


def test_a_language_that_is_not_spoken_is_refused(tmp_path: Path) -> None:
    """By name, before anything is read."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["replay", str(tmp_path), "--lang", "de"])
    assert result.exit_code == 2
    assert "'de' is not one of 'en', 'fr'" in result.stderr
