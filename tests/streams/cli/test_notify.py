from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detector.decision import Kind, encode
from detector.units import HOUR_MS
from streams.cli.main import app
from tests.detector.make import START_MS, decision
from tests.streams.locale.english import Texts, english

FACTS = """
[organisation]
name = "X"
[[awareness]]
at = "2026-03-28 10:20"
zone = "Europe/Paris"
source = "supplier"
reason = "Z"
"""
EXTENT = {
    "persons": {"lower": 9, "upper": 12, "evidence": ["<script>:1"]},
    "groups": [{"category": "customer_service", "free_text": True}, {"category": "contact"}],
    "not_touched": ["payment"],
}


def drafted(folder: Path, facts: str = FACTS, *more: str) -> Result:
    """The command's result over these facts."""
    (folder / "facts.toml").write_text(facts, encoding="utf-8")
    (folder / "extent.json").write_text(json.dumps(EXTENT), encoding="utf-8")
    given = ["notify", str(folder / "facts.toml"), str(folder / "out"), "--incident", "crmwatch-1"]
    given += ["--extent", str(folder / "extent.json"), "--at", "2026-03-29T00:00Z", *more]
    return CliRunner().invoke(app, given)


def test_all_drafts_are_written_in_both_languages(tmp_path: Path) -> None:
    """French without an English sentence; the deadline is 72 plain hours later over a change of summer time."""
    result = drafted(tmp_path)
    assert result.exit_code == 0, result.output
    assert "by 2026-03-31 11:20+02:00" in result.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    kinds = ("cnil", "gdpr", "register", "public", "letter-contact", "letter-customer-service")
    letters = ("processor-to-controller", "controller-to-processor")
    assert names == {"notification.json", "documents.json"} | {
        f"{kind}.{language}.{form}"
        for kind in (*kinds, *letters)
        for language in ("en", "fr")
        for form in ("html", "md")
    }
    patterns = list(english())
    for path in (tmp_path / "out").glob("*.fr.html"):
        page = path.read_text(encoding="utf-8")
        assert 'lang="fr"' in page
        assert "<script>:1" not in page
        for text in Texts(page.partition("<script>document")[0]).found:
            assert not [pattern for pattern in patterns if pattern.search(text)], (path.name, text)


def test_without_awareness_it_shows_the_latest_deadline_possible(tmp_path: Path) -> None:
    """In words, from the confirmation; an awareness among the decisions is the answer."""
    breach = decision(Kind.BREACH, START_MS, "crmwatch-1")
    (tmp_path / "d").write_bytes(encode(breach) + b"\n")
    said = drafted(tmp_path, "", "--decisions", str(tmp_path / "d")).output
    assert "breach, awareness not entered" in said
    assert "at the latest" in said
    aware = decision(Kind.AWARENESS, START_MS, "crmwatch-1", aware_ms=START_MS - HOUR_MS, zone="UTC")
    (tmp_path / "d").write_bytes(encode(breach) + b"\n" + encode(aware) + b"\n")
    facts = '[violation]\ndelay_reasons = "R"\n'
    said = drafted(tmp_path, facts, "--decisions", str(tmp_path / "d")).output
    assert "not entered" not in said
    assert "at the latest" not in said


@pytest.mark.parametrize(
    ("facts", "more", "said"),
    [
        ("x = 1", (), "x"),
        ("[", (), ""),
        (FACTS, ("--at", "2026-04-02T00:00Z"), "delay_reasons"),
        (FACTS, ("--phase", "complementary"), "needs the earlier one"),
        (FACTS.replace("03-28 10:20", "03-29 02:30"), (), "summer time"),
        (FACTS, ("--decisions", "/nowhere"), "No such file"),
    ],
)
def test_what_may_not_be_drafted_is_refused(
    tmp_path: Path, facts: str, more: tuple[str, ...], said: str
) -> None:
    """With code 2 and one sentence; nothing is written."""
    result = drafted(tmp_path, facts, *more)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()
