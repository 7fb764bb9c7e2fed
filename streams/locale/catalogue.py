"""Gettext catalogues, compiled in memory once: no build step writes ``.mo`` files."""

from __future__ import annotations

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

__all__ = ["catalogue", "path_of", "translations"]


def path_of(language: str, domain: str) -> Path:
    """Where the catalogue of a language is, or would be."""
    return Path(__file__).parent / language / "LC_MESSAGES" / f"{domain}.po"


def catalogue(language: str, domain: str) -> Catalog:
    """The catalogue as its file says. Raises `FileNotFoundError` for a language without one."""
    with path_of(language, domain).open("rb") as file:
        return read_po(file, locale=language, domain=domain)


@cache
def translations(language: str, domain: str) -> NullTranslations:
    """Message to translation; a language without a catalogue keeps the English text."""
    if not path_of(language, domain).is_file():
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language, domain))
    compiled.seek(0)
    return GNUTranslations(compiled)
