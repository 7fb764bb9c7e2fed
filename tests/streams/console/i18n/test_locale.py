from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from detector.alert import reason as ground
from detector.alert import runbook as measures
from detector.alert import source_notice as notice
from detector.alert import summary as sentence
from detector.alert.finding import read
from detector.catalogue import Category
from detector.decision import Kind, Outcome
from detector.event import ActorKind, Operation
from streams.console.i18n import french_alerts
from streams.console.i18n.french import FRENCH
from streams.console.i18n.labels import LABELS
from streams.console.i18n.locale import Language, Translator, accepted
from streams.console.web.auth import Role
from streams.report.timeline import TimelineStage
from tests.streams.report.make import body

CONSOLE = Path(__file__).parents[4] / "streams" / "console"
MESSAGES = {
    "Column": (1,),
    "Table": (1,),
    "BoardReason": (0, 1),
    "NotFound": (0,),
    "ActionError": (0,),
    "RawRecordError": (0,),
    "_sorry": (2,),
    "incident_table": (1,),
    "self": (0,),
}
"""What is called with a message, and at which place."""


def messages() -> set[str]:
    """Every message that the console can say: in templates, in code, and the names of closed words."""
    found = set(LABELS.values()) | {role.word for role in Role}
    for path in CONSOLE.glob("templates/*.jinja"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"\bt\(\s*'((?:[^'\\]|\\.)*)'", text))
        for pair in re.findall(r"\bt\.many\([^']*?'((?:[^'\\]|\\.)*)',\s*'((?:[^'\\]|\\.)*)'", text):
            found |= set(pair)
    for path in CONSOLE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                for place in (0, 1) if name == "many" else MESSAGES.get(name, ()):
                    where = place + 1 if name == "many" else place
                    given = node.args[where] if len(node.args) > where else None
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        found.add(given.value)
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
                names = [ast.unparse(target) for target in node.targets]
                if names == ["(message, status)"] or names == ["message, status"]:
                    first = node.value.elts[0]
                    assert isinstance(first, ast.Constant)
                    found.add(first.value)
    return found


def fields(message: str) -> set[str]:
    """What is filled in."""
    return {field for _, field, _, _ in string.Formatter().parse(message) if field is not None}


def test_every_message_is_said_in_french_and_no_other() -> None:
    """The catalogue has exactly the messages that there are, each translated with the same values in it."""
    assert set(FRENCH) == messages()
    for english, french in FRENCH.items():
        assert fields(english) == fields(french), english
        assert bool(english) == bool(french)


def test_every_closed_word_has_a_name() -> None:
    """Whatever stands as a code in a table can be said; what is none of ours is shown as it is."""
    words = Translator()
    for code in (
        *Category,
        *Operation,
        *ActorKind,
        *Kind,
        *Outcome,
        *(f"{kind} (identity)" for kind in Kind),
        *(f"{kind} withdrawn" for kind in Kind),
        *(f"stage:{stage.value}" for stage in TimelineStage),
    ):
        assert str(code) in LABELS
    assert words.word("bulk_export") == "bulk exports"
    assert words.word("x{y}") == "x{y}"


def test_numbers_and_plurals_are_those_of_the_language() -> None:
    """In French none is singular and thousands are set apart by a narrow space."""
    english, french = Translator(Language.ENGLISH), Translator(Language.FRENCH)
    assert [english.many(n, "{n} incident", "{n} incidents") for n in (0, 1, 2000)] == [
        "0 incidents",
        "1 incident",
        "2,000 incidents",
    ]
    assert [french.many(n, "{n} row", "{n} rows") for n in (0, 1, 2000)] == [
        "0 ligne",
        "1 ligne",
        "2\u202f000 lignes",
    ]
    assert english.number(None) == "–"
    assert english.joined(["a", "b", "c"]) == "a, b and c"
    assert french.joined(["a", "b"]) == "a et b"
    assert [english.duration(minutes * 60_000) for minutes in (5, 60, 90, 72 * 60, 5 * 1440)] == [
        "5 min",
        "1 h",
        "1 h 30 min",
        "72 h",
        "5 d",
    ]
    assert french.duration(7 * 1440 * 60_000) == "7 j"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,en;q=0.5", "fr"),
        ("en;q=0.5,fr;q=0.9", "fr"),
        ("de", "en"),
        ("x;q=y,fr", "fr"),
    ],
)
def test_the_browsers_language_is_spoken(header: str, language: str) -> None:
    """The first of those that it asks for and that are spoken; English otherwise."""
    assert accepted(header) == language


def test_every_title_and_step_of_an_alert_is_said_in_french() -> None:
    """As the detector writes them, whoever and whatever they are about."""
    steps = {step for group in measures._STEPS.values() for step in group}
    steps |= {*measures._NETWORK_STEPS, *measures._SOURCE_STEPS, *measures._VOLUME_STEPS}
    assert set(french_alerts.STEPS) == steps
    who = "“x{0}\n”"
    titles = [
        f"Unusually large {one} by {who}" for one, _ in (*ground._SINGLE.values(), ground._OTHER_OPERATION)
    ]
    titles += [
        f"Unusually many {more}: {who}" for _, more in (*ground._SINGLE.values(), ground._OTHER_OPERATION)
    ]
    titles += [
        f"Unusually many {unit} {way}: {who}"
        for unit in ("rows", "kilobytes")
        for way in (*ground.DONE.values(), "taken out")
    ]
    titles += [
        f"New {sentence._SORT_TITLES.get(what, what)} for {who}" for what in (*ground._SORTS, "origin")
    ]
    titles += ["12 accounts on one new network: 192.0.2.0/24", *notice._TROUBLES.values()]
    titles += ["Unusually many rows from all identities together", f"Unusual access by {who}"]
    titles += [
        "More than usual for days: x",
        "An account driven by a program: x",
        "The steps of a theft: x",
        "The vendor's own finding about x",
        "A known-bad origin for x",
    ]
    for title in titles:
        french = french_alerts.title(title)
        assert french, title
        assert not re.search(r"\b(rows|by|for|Unusually|new|queries|de (exports|opérations))\b", french), (
            french
        )
        if who in title:
            assert french.endswith(who)
    assert french_alerts.title("something else") == ""


def test_an_alert_is_told_in_french() -> None:
    """Who took how much of what, when, from where, and what was expected."""
    assert french_alerts.sentence(read(body(), {}, ())) == (
        "L’intégration sync (u) a sorti 6\u202f000 lignes (Case 6\u202f000), le 2026-03-11 entre 03:00 et 03:06 UTC,"
        " depuis 192.0.2.77. On attendait au plus 1\u202f500 lignes en 24 h. Surtout\u202f: contenus du service client."
    )
