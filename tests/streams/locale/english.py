"""Finds English messages in a page of another language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser

from streams.locale import Language
from streams.locale.catalogue import catalogue

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


@cache
def patterns() -> tuple[re.Pattern[str], ...]:
    """All of them."""
    return tuple(english())


def english_in(page: str) -> dict[str, str]:
    """English messages in a page, each with the text that it is in."""
    texts = Texts(page).found
    return {pattern.pattern: text for pattern in patterns() for text in texts if pattern.search(text)}
