from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

import detector
from detector.message import Message, message, render

FRENCH = {
    "rows": "{n} lignes",
    "taken": "{rows} prises par {who}",
    "next": "Puis : {step!l}",
    "all": "{things}",
}


def french(message: Message) -> str:
    """The message in French."""
    return render(message, lambda code, n: FRENCH.get(code), number=lambda n: f"<{n}>", listed=" et ".join)


def taken(n: int = 1200) -> Message:
    """So many rows, taken by somebody."""
    rows = message("rows", ("{n} row", "{n} rows"), n=n)
    return message("taken", "{who} took {rows}", who="{braces}", rows=rows)


def test_english_is_filled_in() -> None:
    """Numbers are grouped, the plural follows ``n``, and text from a log stays as it is."""
    assert taken().text == "{braces} took 1,200 rows"
    assert taken(1).text == "{braces} took 1 row"
    things = message("all", "{things}", things=["a", message("b", "b!"), "c"])
    assert things.text == "a, b! and c"
    assert message("next", "Next: {step!l}", step=message("s", "Ask.")).text == "Next: ask."


def test_another_language_is_filled_in() -> None:
    """Parts are translated by their own templates, numbers and lists by the language's own rules."""
    assert french(taken()) == "<1200> lignes prises par {braces}"
    assert french(message("all", "{things}", things=["a", "b"])) == "a et b"


@pytest.mark.parametrize(
    "unknown",
    [
        message("unheard_of", "In English."),
        message("taken", "In English.", who="u", rows=message("unheard_of", "x")),
        message("taken", "In English.", other=1),
    ],
)
def test_what_has_no_template_stays_english(unknown: Message) -> None:
    """A missing template, of the message or of a part of it, or a parameter that is not there."""
    assert french(unknown) == "In English."


def test_a_message_survives_being_published() -> None:
    """Only the whole carries English text: its parts have codes and parameters alone."""
    body = msgspec.json.encode(taken())
    assert msgspec.json.decode(body, type=Message) == taken()
    assert msgspec.json.decode(body)["params"]["rows"] == {"code": "rows", "params": {"n": 1200}}


@pytest.mark.parametrize("template", ["{who.__class__}", "{who[0]}", "{0}", "{}"])
def test_a_template_reaches_no_attribute(template: str) -> None:
    """Only parameters by their names are filled in."""
    with pytest.raises((KeyError, IndexError)):
        message("a", template, who="u")


def modules() -> list[ModuleType]:
    """Every module of the detector."""
    walked = pkgutil.walk_packages(detector.__path__, "detector.")
    return [importlib.import_module(module.name) for module in walked]


def literals() -> dict[str, list[Any]]:
    """Every code that the source makes a message of, with its templates."""
    found: dict[str, list[Any]] = {}
    for path in Path(detector.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "message"
                and len(node.args) > 1
            ):
                code, template = node.args[:2]
                if isinstance(code, ast.Constant) and isinstance(template, (ast.Constant, ast.Tuple)):
                    found.setdefault(code.value, []).append(ast.literal_eval(template))
    return found


def test_a_code_has_one_template() -> None:
    """The same code is never two English sentences, in the source or in a table."""
    written = literals()
    assert len(written) > 40
    for code, templates in written.items():
        assert all(template == templates[0] for template in templates), code
    tables = [module.TEMPLATES for module in modules() if hasattr(module, "TEMPLATES")]
    assert len(tables) > 5
    codes = [code for table in tables for code in table]
    assert len(codes) == len(set(codes))
    assert not set(codes) & set(written)
