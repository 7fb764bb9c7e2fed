"""Collects every message of screens and alerts; run as a module, it updates the catalogues."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import write_po

import detector
from detector.message import Template
from streams.locale import Language
from streams.locale.catalogue import catalogue, path_of

STREAMS = Path(__file__).parents[3] / "streams"
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    **DEFAULT_KEYWORDS,
    "gettext_noop": None,
    "ngettext_noop": (1, 2),
    "Column": (2,),
    "Table": (2,),
    "incident_table": (2,),
    "NotFound": None,
    "ActionError": None,
    "EnteredTimeError": None,
    "RawRecordError": None,
    "_sorry": (3,),
}
"""What is called with a message, and at which place."""
DETECTOR = STREAMS.parent / "detector"
FOLDERS = ("console", "drafts", "locale", "report")
TRANSLATED = tuple(language for language in Language if language is not Language.ENGLISH)


def screens() -> Catalog:
    """Every message in the code and the templates of the console and the report."""
    messages = Catalog(project="crmwatch", domain="screens")
    for folder in FOLDERS:
        found = extract_from_dir(
            STREAMS / folder,
            method_map=[("**.py", _calls), ("**.jinja", "jinja2")],
            options_map={"**.jinja": {"silent": "false"}},
            keywords=KEYWORDS,
        )
        for file, _line, message, _comments, context in found:
            messages.add(message, locations=[(f"{folder}/{file}", None)], context=context)
    return messages


def alerts() -> Catalog:
    """Every message of the alerts, its code as context: from tables of templates and from where messages are made."""
    found: dict[str, Template] = {}
    for module in pkgutil.walk_packages(detector.__path__, "detector."):
        found |= getattr(importlib.import_module(module.name), "TEMPLATES", {})
    for path in sorted(DETECTOR.rglob("*.py")):
        found |= _made(ast.parse(path.read_bytes()))
    messages = Catalog(project="crmwatch", domain="alerts")
    for code, template in found.items():
        messages.add(template, context=code)
    return messages


def _made(module: ast.Module) -> Iterator[tuple[str, Template]]:
    """What is given to `message` as a code and a template, or as a name that was given one just before."""
    nodes = sorted(
        (node for node in ast.walk(module) if isinstance(node, (ast.Call, ast.Assign))),
        key=lambda node: (node.lineno, isinstance(node, ast.Call)),
    )
    template: Any = None
    for node in nodes:
        if isinstance(node, ast.Assign):
            if ast.unparse(node.targets[0]) == "template" and isinstance(node.value, ast.Constant):
                template = node.value.value
        elif getattr(node.func, "id", "") == "message" and isinstance(node.args[0], ast.Constant):
            given = node.args[1]
            yield node.args[0].value, template if isinstance(given, ast.Name) else ast.literal_eval(given)


def _calls(
    file: IO[bytes], keywords: Mapping[str, Any], comments: Collection[str], options: Mapping[str, Any]
) -> Iterator[tuple[int, str, tuple[str | None, ...], list[str]]]:
    """Babel's contract for Python code; its own extractor misses calls within calls."""
    for node in ast.walk(ast.parse(file.read())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in keywords:
                values = [
                    argument.value if isinstance(argument, ast.Constant) else None for argument in node.args
                ]
                yield node.lineno, name, tuple(v if isinstance(v, str) else None for v in values), []


def update(language: Language) -> None:
    """Bring a language up to date: add what is new, drop what is gone."""
    for domain, messages in (("screens", screens()), ("alerts", alerts())):
        known = catalogue(language, domain)
        known.update(messages, no_fuzzy_matching=True)
        known.obsolete.clear()
        write(known, path_of(language, domain))


def write(messages: Catalog, path: Path) -> None:
    """Write a catalogue in a stable order, without the dates and names of a header."""
    header = (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {messages.locale_identifier}\\n"\n'
        f'"Plural-Forms: {messages.plural_forms}\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    )
    with path.open("wb") as file:
        file.write(header.encode())
        write_po(file, messages, width=120, omit_header=True, sort_output=True, include_lineno=False)


if __name__ == "__main__":
    for code in TRANSLATED:
        update(code)
