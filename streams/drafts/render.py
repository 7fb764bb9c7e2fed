"""A document in a language, as HTML or Markdown: all entered text is escaped, nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from html import escape

from detector.message import Message
from detector.response.notification_document import Document
from detector.response.notification_words import say
from streams.locale import Translator, gettext_noop
from streams.locale.alerts import alert_text
from streams.locale.log_text import visible

__all__ = ["html", "markdown"]

DRAFT = say("form.draft")
EVIDENCE = gettext_noop("Evidence")
COPY = gettext_noop("Copy")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "h2{border-bottom:1px solid #ccc}dt{font-weight:600}dd{margin:0 0 1rem}.open{color:#a00}"
    "code{font-size:.85em}button{float:right}"
)
_SCRIPT = (
    "document.querySelectorAll('button').forEach(b=>b.onclick=()=>"
    "navigator.clipboard.writeText([...b.nextElementSibling.children].map(p=>p.innerText).join('\\n')))"
)
_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|<>~-])")


def html(document: Document, t: Translator) -> str:
    """One page, with a copy button at each answer of a form."""
    parts = [
        f'<!doctype html>\n<html lang="{t.language}">\n<meta charset="utf-8">',
        f"<title>{_html(document.title, t)}</title>",
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline';"
        " script-src 'unsafe-inline'\">",
        f"<style>{_STYLE}</style>\n<h1>{_html(document.title, t)}</h1>",
        f"<p><em>{_html(DRAFT, t)}</em></p>",
    ]
    for section in document.sections:
        parts.append(f"<h2>{_html(section.title, t)}</h2>\n<dl>")
        for row in section.rows:
            if row.question is not None:
                parts.append(f"<dt>{_html(row.question, t)}</dt>")
            copy = f"<button>{escape(t.gettext(COPY))}</button>" if document.copied and row.question else ""
            text = "".join(f"<p>{_html(value, t)}</p>" for value in row.values)
            parts.append(f"<dd{'' if row.known else ' class=open'}>{copy}<div>{text}</div>")
            if row.evidence:
                places = ", ".join(f"<code>{escape(str(visible(place)))}</code>" for place in row.evidence)
                parts.append(f"<small>{escape(t.gettext(EVIDENCE))}: {places}</small>")
            parts.append("</dd>")
        parts.append("</dl>")
    if document.copied:
        parts.append(f"<script>{_SCRIPT}</script>")
    return "\n".join((*parts, "</html>\n"))


def markdown(document: Document, t: Translator) -> str:
    """The same as Markdown; what people entered cannot become markup."""
    lines = [f"# {_marked(document.title, t)}", "", f"*{_marked(DRAFT, t)}*"]
    for section in document.sections:
        lines += ["", f"## {_marked(section.title, t)}"]
        for row in section.rows:
            if row.question is not None:
                lines += ["", f"**{_marked(row.question, t)}**"]
            for value in row.values:
                lines += ["", _marked(value, t)]
            if row.evidence:
                places = ", ".join(_escaped(place) for place in row.evidence)
                lines += ["", f"{t.gettext(EVIDENCE)}: {places}"]
    return "\n".join((*lines, ""))


def _html(value: Message | str, t: Translator) -> str:
    return escape(str(visible(alert_text(t, value))))


def _marked(value: Message | str, t: Translator) -> str:
    return _escaped(alert_text(t, value))


def _escaped(text: str) -> str:
    return _MARKS.sub(r"\\\1", " ".join(str(visible(text)).split()))
