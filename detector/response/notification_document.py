"""Drafts as documents: the answers in the order of each form, the register, and letters by group of data taken."""

from __future__ import annotations

import msgspec

from detector.catalogue import Category
from detector.message import Message, Template, message
from detector.response.notification import Notification
from detector.response.notification_extent import Extent
from detector.response.notification_facts import Facts
from detector.response.notification_words import category, say

__all__ = ["TEMPLATES", "Document", "Row", "Section", "documents"]

TEMPLATES: dict[str, Template] = {
    "letter.title": "Letter to the persons concerned: {category}",
    "letter.public": "Public communication",
    "letter.to_controller": "Letter from the processor to the controller",
    "letter.to_processor": "Letter from the controller to the processor",
    "letter.what": "What happened",
    "letter.data": "Which of your data",
    "letter.follows": "What may follow",
    "letter.did": "What we have done",
    "letter.you": "What you can do",
    "letter.contact": "Whom to ask",
    "letter.ask": "What we ask of you",
    "letter.happened": "Somebody who had no right to do so read data in the system with which we look after our "
    "customers.",
    "letter.yours": "Of you, this was read: {category}.",
    "letter.groups": "This was read: {categories}.",
    "letter.no_groups": "Which data were read is not yet known. We will write again when it is.",
    "letter.unaffected": "These were not read: {categories}.",
    "letter.unaffected_fields": "These were not read as such: {categories}. Text written freely that was read may hold "
    "some of it.",
    "letter.official": "Write to us or call us only through what you find on our own website, {website}. This letter "
    "holds no link.",
    "letter.complain": "You may complain to the data protection authority, in France the CNIL. Help after a fraud: "
    "17Cyber and cybermalveillance.gouv.fr.",
    "letter.may.contact": "Mails, messages or calls in our name that try to win your trust.",
    "letter.may.customer_service": "Messages that quote your real complaint or request to seem genuine.",
    "letter.may.loyalty": "Attempts to use your points or to enter your loyalty account.",
    "letter.may.credentials": "Attempts to sign in as you, here or elsewhere.",
    "letter.may.identity_documents": "Accounts or contracts opened in your name.",
    "letter.may.payment": "Payments or orders that you did not make.",
    "letter.may.health": "Others may learn what you told us about your health or the assistance you need.",
    "letter.may.other": "Others may learn what these data say about you.",
    "letter.do.contact": "Be wary of unexpected mails, messages and calls in our name. We never ask for a password, a "
    "code or a card number.",
    "letter.do.customer_service": "Never act on a message because it quotes your case. Open the case yourself from our "
    "website and answer there.",
    "letter.do.loyalty": "Check your balance and change your PIN. We never ask for it.",
    "letter.do.credentials": "Change your password now, and everywhere else where you use the same one.",
    "letter.do.identity_documents": "Watch for accounts opened in your name, and report any to the police.",
    "letter.do.payment": "Check your bank statements and tell your bank at once about what you do not know.",
    "letter.do.health": "We are sorry. Call us if you would rather speak to somebody about it.",
    "letter.do.other": "Be wary of whoever knows these data about you.",
    "letter.do.free_text": "If you ever wrote a password, a card number or a passport number to us, treat it as known: "
    "change it or have it blocked.",
    "letter.processor.told": "On {time} we became aware of a breach of personal data that we process for you. We tell "
    "you without undue delay (Article 33(2) GDPR).",
    "letter.processor.told_open": "We tell you without undue delay of a breach of personal data that we process for "
    "you (Article 33(2) GDPR).",
    "letter.processor.revoked": "End every token, session and secret of the integration, and say when.",
    "letter.processor.logs": "Keep all logs of the integration, and send those of the time of the breach.",
    "letter.processor.when": "Say when and how you became aware, and who else is concerned.",
    "letter.processor.cause": "Say how access was gained, and whether it has ended.",
}
"""What letters say."""

_CNIL = (
    ("type", ("phase", "earlier_number")),
    (
        "organisation",
        (
            "organisation",
            "siren",
            "sector",
            "size",
            "representative",
            "contact",
            "processors",
            "joint_controllers",
            "supplier",
        ),
    ),
    ("violation", ("start", "end", "awareness", "discovery", "delay", "facts")),
    ("nature", ("nature",)),
    ("cause", ("cause", "intent", "side")),
    ("data", ("categories", "not_touched", "records_count")),
    ("persons", ("person_kinds", "persons_count")),
    ("protections", ("encryption", "pseudonymisation", "access")),
    ("consequences", ("consequences", "weight", "risk", "enisa")),
    ("measures", ("measures_before", "measures_taken", "measures_planned")),
    ("informed", ("informed", "no_letter", "ordered")),
    ("cross_border", ("countries", "authorities", "nis2")),
)
_GDPR = (
    ("type", ("phase", "earlier_number", "organisation", "processors", "joint_controllers")),
    (
        "nature",
        (
            "facts",
            "nature",
            "cause",
            "intent",
            "side",
            "start",
            "end",
            "categories",
            "person_kinds",
            "persons_count",
            "records_count",
        ),
    ),
    ("contact", ("contact",)),
    ("consequences", ("consequences", "weight", "risk", "enisa")),
    ("measures", ("measures_before", "measures_taken", "measures_planned", "informed")),
    ("violation", ("awareness", "discovery", "delay")),
    ("cross_border", ("countries", "authorities")),
)
_REGISTER = (
    (
        "facts",
        (
            "start",
            "end",
            "awareness",
            "facts",
            "nature",
            "cause",
            "categories",
            "records_count",
            "persons_count",
        ),
    ),
    ("effects", ("consequences", "weight", "risk", "enisa")),
    ("measures", ("measures_taken", "measures_planned", "informed", "no_letter")),
    ("type", ("phase", "delay", "not_notified")),
)
FORMS = {"cnil": _CNIL, "gdpr": _GDPR, "register": _REGISTER}
"""Document for an authority → its parts, and the answers in them in order."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with its question, or paragraphs of a letter."""

    id: str = ""
    question: Message | None = None
    values: tuple[Message | str, ...]
    known: bool = True
    evidence: tuple[str, ...] = ()


class Section(msgspec.Struct, frozen=True):
    """A part of a document."""

    title: Message
    rows: tuple[Row, ...]


class Document(msgspec.Struct, frozen=True):
    """A draft of one document; `name` is its file's."""

    name: str
    title: Message
    sections: tuple[Section, ...]
    copied: bool
    """Whether it is copied answer by answer into a form."""


def documents(draft: Notification, facts: Facts, extent: Extent) -> tuple[Document, ...]:
    """Every draft: two forms, the register, letters by group of data, a public text, two letters of suppliers."""
    forms = tuple(_form(name, draft) for name in FORMS)
    letters = tuple(
        _letter(f"letter-{group.category.value.replace('_', '-')}", (group.category,), facts, extent)
        for group in extent.groups
        if group.category is not Category.INTERNAL
    )
    public = _letter("public", tuple(group.category for group in extent.groups), facts, extent)
    return (*forms, *letters, public, _to_controller(draft, facts), _to_processor(facts))


def _form(name: str, draft: Notification) -> Document:
    sections = []
    for part, ids in FORMS[name]:
        answers = [draft.answer(one) for one in ids]
        rows = tuple(
            Row(id=one.id, question=one.question, values=one.values, known=one.known, evidence=one.evidence)
            for one in answers
        )
        sections.append(Section(say(f"part.{part}"), rows))
    changed = tuple(
        Row(
            id=change.id,
            values=(
                say(
                    "change.row",
                    question=draft.answer(change.id).question,
                    before=list(change.before),
                    after=list(change.after),
                    reason=change.reason,
                ),
            ),
        )
        for phase in (*draft.history, draft.changes)
        for change in phase
    )
    if changed:
        sections.append(Section(say("part.changes"), changed))
    return Document(name, say(f"form.{name}"), tuple(sections), copied=True)


def _letter(name: str, kinds: tuple[Category, ...], facts: Facts, extent: Extent) -> Document:
    named = [category(kind) for kind in kinds]
    public = name == "public"
    if not kinds:
        data: list[Message | str] = [_said("letter.no_groups")]
    elif public:
        data = [_said("letter.groups", categories=named)]
    else:
        data = [_said("letter.yours", category=named[0])]
    if extent.not_touched:
        text = any(group.free_text for group in extent.groups)
        code = "letter.unaffected_fields" if text else "letter.unaffected"
        data.append(_said(code, categories=[category(kind) for kind in extent.not_touched]))
    words = list(dict.fromkeys(_word(kind) for kind in kinds)) or ["other"]
    advice = [_said(f"letter.do.{word}") for word in words]
    if any(group.free_text for group in extent.groups if group.category in kinds):
        advice.append(_said("letter.do.free_text"))
    website = facts.organisation.website or say("unknown", reason=say("unknown.nobody"))
    parts: tuple[tuple[str, list[Message | str]], ...] = (
        ("what", [_said("letter.happened"), *([facts.violation.facts] if facts.violation.facts else [])]),
        ("data", data),
        ("follows", [_said(f"letter.may.{word}") for word in words]),
        ("did", list(facts.measures.taken) or [say("unknown", reason=say("unknown.nobody"))]),
        ("you", [*advice, _said("letter.official", website=website), _said("letter.complain")]),
        ("contact", [facts.organisation.contact or say("unknown", reason=say("unknown.nobody"))]),
    )
    title = _said("letter.public") if public else _said("letter.title", category=named[0])
    return _document(name, title, parts)


def _to_controller(draft: Notification, facts: Facts) -> Document:
    told = (
        _said("letter.processor.told", time=draft.awareness[-1].aware.text)
        if draft.awareness
        else _said("letter.processor.told_open")
    )
    parts: tuple[tuple[str, list[Message | str]], ...] = (
        ("what", [told, *draft.answer("facts").values, *draft.answer("nature").values]),
        ("data", [*draft.answer("categories").values, *draft.answer("records_count").values]),
        ("follows", list(draft.answer("consequences").values)),
        ("did", list(draft.answer("measures_taken").values)),
        ("contact", [facts.organisation.contact or say("unknown", reason=say("unknown.nobody"))]),
    )
    return _document("processor-to-controller", _said("letter.to_controller"), parts)


def _to_processor(facts: Facts) -> Document:
    asked = [_said(f"letter.processor.{word}") for word in ("revoked", "logs", "when", "cause")]
    parts: tuple[tuple[str, list[Message | str]], ...] = (
        ("what", [facts.violation.facts or _said("letter.happened")]),
        ("ask", list(asked)),
        ("contact", [facts.organisation.contact or say("unknown", reason=say("unknown.nobody"))]),
    )
    return _document("controller-to-processor", _said("letter.to_processor"), parts)


def _document(name: str, title: Message, parts: tuple[tuple[str, list[Message | str]], ...]) -> Document:
    sections = tuple(Section(_said(f"letter.{part}"), (Row(values=tuple(values)),)) for part, values in parts)
    return Document(name, title, sections, copied=False)


def _word(kind: Category) -> str:
    return kind.value if f"letter.do.{kind.value}" in TEMPLATES else "other"


def _said(code: str, **params: object) -> Message:
    return message(code, TEMPLATES[code], **params)
