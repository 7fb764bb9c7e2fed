"""A notification of a breach: what is answered to each question, in phases that keep what they replace.

Answers are made once and put into the order of each form. Nothing is left out because it is missing: an answer is
*not yet known* with a reason. Numbers come from the extent alone, each with its evidence, as two bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from detector.decision import AwarenessSource
from detector.errors import CrmwatchError
from detector.message import Message
from detector.response.notification_extent import Extent
from detector.response.notification_facts import Facts, Informed
from detector.response.notification_words import category, figure, hours, say
from detector.response.severity import severity

__all__ = [
    "Answer",
    "AwarenessEntry",
    "Change",
    "Notification",
    "NotificationError",
    "NotificationPhase",
    "ShownTime",
    "named",
    "notification",
    "read_notification",
]

VERSION = 1
_ENTERED = ("organisation", "representative", "contact", "processors", "joint_controllers", "supplier")
"""Answers that name the organisation's own people and partners, as Article 33(3)(b) asks."""


class NotificationError(CrmwatchError, ValueError):
    """Why there is no draft; one sentence for a person."""


class NotificationPhase(StrEnum):
    """Where a notification in phases stands (Article 33(4))."""

    INITIAL = "initial"
    COMPLEMENTARY = "complementary"
    FINAL = "final"


class ShownTime(msgspec.Struct, frozen=True):
    """A moment, and how it is shown: in the zone it was entered in."""

    time_ms: int
    text: str


class AwarenessEntry(msgspec.Struct, frozen=True, kw_only=True):
    """When the organisation became aware, as somebody entered it."""

    aware: ShownTime
    source: AwarenessSource
    reason: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered to one question."""

    id: str
    question: Message
    values: tuple[Message | str, ...]
    """Messages of ours, and text that people entered."""
    known: bool
    evidence: tuple[str, ...] = ()
    """What a number rests on: places in the extent, and positions of records."""


class Change(msgspec.Struct, frozen=True):
    """An answer of the earlier phase that another one replaced."""

    id: str
    before: tuple[Message | str, ...]
    after: tuple[Message | str, ...]
    reason: str


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A draft; its JSON is what the next phase continues from."""

    version: int = VERSION
    incident: str
    phase: NotificationPhase
    number: int
    """1 for the initial one."""
    drafted: ShownTime
    awareness: tuple[AwarenessEntry, ...]
    """The oldest first; the last holds."""
    deadline: ShownTime | None
    """By when the authority must be notified; the latest possible without awareness."""
    answers: tuple[Answer, ...]
    changes: tuple[Change, ...] = ()
    """What it replaced of the earlier phase; empty for the initial one."""
    history: tuple[tuple[Change, ...], ...] = ()
    """The changes of the phases in between, the oldest first."""

    def answer(self, of: str) -> Answer:
        """The answer to a question."""
        return next(one for one in self.answers if one.id == of)


def notification(
    facts: Facts,
    extent: Extent,
    *,
    phase: NotificationPhase,
    drafted: ShownTime,
    awareness: tuple[AwarenessEntry, ...] = (),
    deadline: ShownTime | None = None,
    span: tuple[ShownTime | None, ShownTime | None] = (None, None),
    earlier: Notification | None = None,
    why: str = "",
) -> Notification:
    """The draft of a phase. Raises `NotificationError` for one that the law or the earlier phase does not allow."""
    _check(facts, phase, drafted, deadline if awareness else None, earlier)
    number = 1 if earlier is None else earlier.number + 1
    unknown = {name: say("unknown", reason=reason) for name, reason in facts.unknown.items()}
    answers = tuple(
        _answer(name, values, unknown, evidence)
        for name, values, evidence in (
            *_head(facts, phase, number),
            *_violation(facts, extent, drafted, awareness, deadline, span),
            *_data(extent),
            *_judgement(facts, extent),
        )
    )
    stray = unknown.keys() - {answer.id for answer in answers}
    if stray:
        raise NotificationError(f"unknown.{min(stray)} names no answer")
    changes = () if earlier is None else _changes(earlier, answers, why)
    return Notification(
        incident=extent.incident,
        phase=phase,
        number=number,
        drafted=drafted,
        awareness=awareness,
        deadline=deadline,
        answers=answers,
        changes=changes,
        history=()
        if earlier is None
        else (*earlier.history, *([earlier.changes] if earlier.changes else [])),
    )


def read_notification(data: bytes) -> Notification:
    """The draft of an earlier phase. Raises `NotificationError`."""
    try:
        found = msgspec.json.decode(data, type=Notification)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotificationError(f"not a notification: {error}") from error
    if found.version != VERSION:
        raise NotificationError(f"a notification of version {found.version}; this release reads {VERSION}")
    return found


def named(draft: Notification, names: Iterable[str]) -> list[tuple[str, str]]:
    """Where a draft holds one of the names: answer and name. The organisation's own contacts may be named.

    A name of fewer than four letters is not looked for: it would be found in ordinary words.
    """
    wanted = sorted({name.casefold() for name in names if len(name) >= 4})
    changes = [change for phase in (*draft.history, draft.changes) for change in phase]
    said = [(one.id, one.values) for one in draft.answers]
    said += [(one.id, (*one.before, *one.after, one.reason)) for one in changes]
    found = []
    for answer, values in said:
        if answer not in _ENTERED:
            text = " ".join(_text(value) for value in values).casefold()
            found += [(answer, name) for name in wanted if name in text]
    return found


def _check(
    facts: Facts,
    phase: NotificationPhase,
    drafted: ShownTime,
    due: ShownTime | None,
    earlier: Notification | None,
) -> None:
    if phase is NotificationPhase.INITIAL and earlier is not None:
        raise NotificationError("an initial notification has no earlier one")
    if phase is NotificationPhase.COMPLEMENTARY and earlier is None:
        raise NotificationError("a complementary notification needs the earlier one")
    if (
        earlier is not None
        and earlier.phase is NotificationPhase.FINAL
        and phase is not NotificationPhase.FINAL
    ):
        raise NotificationError("the earlier notification is final: correct it by another final one")
    late = due is not None and drafted.time_ms > due.time_ms
    if late and earlier is None and not facts.violation.delay_reasons:
        raise NotificationError(
            f"the 72 hours ended on {due.text if due else ''}: violation.delay_reasons must say why it is late"
        )


_Raw = tuple[str, tuple[Message | str, ...], tuple[str, ...]]


def _answer(
    name: str, values: tuple[Message | str, ...], unknown: Mapping[str, Message], evidence: tuple[str, ...]
) -> Answer:
    given = tuple(value for value in values if value)
    known = bool(given) and not all(isinstance(value, Message) and value.code == "unknown" for value in given)
    if not known:
        given = (unknown[name],) if name in unknown else given or (_nobody(),)
    return Answer(id=name, question=say(f"ask.{name}"), values=given, known=known, evidence=evidence)


def _nobody() -> Message:
    return say("unknown", reason=say("unknown.nobody"))


def _head(facts: Facts, phase: NotificationPhase, number: int) -> Iterable[_Raw]:
    ours = facts.organisation
    shown = say(f"phase.{phase}", **({"n": number - 1} if phase is NotificationPhase.COMPLEMENTARY else {}))
    yield "phase", (shown,), ()
    none = say("answer.none") if number == 1 else ""
    yield "earlier_number", (facts.violation.earlier_number or none,), ()
    yield "organisation", (ours.name,), ()
    yield "siren", (ours.siren,), ()
    yield "sector", (ours.sector,), ()
    yield "size", (ours.size,), ()
    yield "representative", (ours.representative,), ()
    yield "contact", (ours.contact,), ()
    yield "processors", ours.processors, ()
    yield "joint_controllers", ours.joint_controllers, ()
    yield "supplier", (facts.supplier.name, facts.supplier.told_us), ()


def _violation(
    facts: Facts,
    extent: Extent,
    drafted: ShownTime,
    awareness: tuple[AwarenessEntry, ...],
    deadline: ShownTime | None,
    span: tuple[ShownTime | None, ShownTime | None],
) -> Iterable[_Raw]:
    told = facts.violation
    start, end = (say("time.entered", time=one.text) if one else _no_extent(extent) for one in span)
    yield "start", (start,), _at(extent, "start_ms")
    yield "end", (say("time.ongoing") if extent.ongoing else end,), _at(extent, "end_ms")
    yield "awareness", tuple(_awareness(awareness, deadline)), ()
    yield "discovery", (told.discovery,), ()
    late = bool(awareness and deadline) and deadline is not None and drafted.time_ms > deadline.time_ms
    passed = hours(drafted.time_ms - awareness[-1].aware.time_ms) if awareness else 0
    delay = (say("time.late", hours=passed), told.delay_reasons) if late else (told.delay_reasons,)
    yield "delay", delay if any(delay) else (say("answer.none"),), ()
    yield "facts", (told.facts,), ()
    lost: list[Message] = [say("nature.confidentiality")]
    if extent.written:
        lost.append(say("nature.integrity"))
    if extent.deleted:
        lost.append(say("nature.availability"))
    if extent.written is None or extent.deleted is None:
        lost.append(say("nature.unwritten"))
    yield "nature", tuple(lost), ()
    yield "cause", (say(f"cause.{told.cause}"),) if told.cause else (), ()
    intent = None if told.malicious is None else "malicious" if told.malicious else "accidental"
    yield "intent", (say(f"intent.{intent}"),) if intent else (), ()
    side = None if told.internal is None else "internal" if told.internal else "external"
    yield "side", (say(f"side.{side}"),) if side else (), ()


def _awareness(entries: tuple[AwarenessEntry, ...], deadline: ShownTime | None) -> Iterable[Message]:
    if not entries:
        if deadline is None:
            yield say("unknown", reason=say("unknown.awareness_open"))
        else:
            yield say("unknown", reason=say("unknown.awareness", time=deadline.text))
        return
    entry = entries[-1]
    source = say(f"source.{entry.source}")
    yield say("time.awareness", time=entry.aware.text, source=source, reason=entry.reason)
    if deadline is not None:
        yield say("time.deadline", time=deadline.text)
    for old in entries[:-1]:
        yield say("time.corrected", time=old.aware.text, reason=old.reason)


def _data(extent: Extent) -> Iterable[_Raw]:
    unknown = _no_extent(extent)
    kinds = tuple(
        say("data.free_text", category=category(group.category))
        if group.free_text
        else category(group.category)
        for group in extent.groups
    )
    yield "categories", kinds or (unknown,), tuple(f"extent#/groups/{n}" for n in range(len(kinds)))
    text = any(group.free_text for group in extent.groups)
    spared = tuple(
        say("data.not_as_field", category=category(one)) if text else category(one)
        for one in extent.not_touched
    )
    yield "not_touched", spared or (unknown,), _at(extent, "not_touched") if spared else ()
    for name, total, by_group in (
        ("records_count", extent.records, [group.records for group in extent.groups]),
        ("persons_count", extent.persons, [group.persons for group in extent.groups]),
    ):
        place = name.partition("_")[0]
        values = [figure(total) if total.known or total.reason else unknown]
        evidence = [f"extent#/{place}", *total.evidence] if total.known else []
        for n, one in enumerate(by_group):
            if one.known:
                values.append(
                    say("figure.of_group", category=category(extent.groups[n].category), figure=figure(one))
                )
                evidence += [f"extent#/groups/{n}/{place}", *one.evidence]
        yield name, tuple(values), tuple(dict.fromkeys(evidence))


def _judgement(facts: Facts, extent: Extent) -> Iterable[_Raw]:
    persons, risk, measures = facts.persons, facts.risk, facts.measures
    yield "person_kinds", tuple(say(f"kind.{kind}") for kind in persons.kinds), ()
    yield "encryption", (facts.protections.encryption,), ()
    yield "pseudonymisation", (facts.protections.pseudonymisation,), ()
    yield "access", (facts.protections.access,), ()
    yield "consequences", tuple(say(f"consequence.{one}") for one in risk.consequences), ()
    yield "weight", (say(f"weight.{risk.weight}"),) if risk.weight else (), ()
    yield "risk", (say(f"risk.{risk.level}", reason=risk.reason),) if risk.level else (), ()
    yield (
        "enisa",
        tuple(_enisa(facts, extent)),
        tuple(f"extent#/groups/{n}" for n in range(len(extent.groups))),
    )
    yield "measures_before", measures.before, ()
    yield "measures_taken", measures.taken, ()
    yield "measures_planned", measures.planned, ()
    yield "informed", (_informed(facts),), ()
    yield "no_letter", (say(f"no_letter.{persons.exemption}"),) if persons.exemption else (), ()
    ordered = None if persons.ordered is None else "yes" if persons.ordered else "no"
    yield "ordered", (say(f"answer.{ordered}"),) if ordered else (), ()
    abroad = facts.cross_border
    none = (say("answer.none"),) if abroad.none else ()
    yield "countries", abroad.countries or none, ()
    yield "authorities", abroad.authorities or none, ()
    significant = facts.nis2.significant
    word = say(f"answer.{'yes' if significant else 'no'}")
    judged = () if significant is None else (say("answer.because", answer=word, reason=facts.nis2.because),)
    yield "nis2", judged, ()
    yield "not_notified", (facts.not_notified.reason or say("answer.none"),), ()


def _enisa(facts: Facts, extent: Extent) -> Iterable[Message]:
    inputs = facts.risk.enisa
    found = severity((group.category for group in extent.groups), extent.persons.lower, inputs)
    yield say(
        "enisa.sum",
        score=found.score,
        level=say(f"enisa.{found.level}"),
        context=found.context,
        ease=found.ease,
        circumstances=found.circumstances,
    )
    if found.assumed:
        yield say("enisa.assumed")
    if inputs.context is not None:
        yield say("enisa.adjusted", reason=inputs.context_reason)
    if found.many_persons:
        yield say("enisa.many")
    if found.unintelligible:
        yield say("enisa.unintelligible")
    yield say("enisa.helps")


def _informed(facts: Facts) -> Message:
    persons = facts.persons
    match persons.informed:
        case Informed.YES if persons.informed_count is not None and persons.informed_on and persons.means:
            return say(
                "informed.yes",
                count=persons.informed_count,
                date=persons.informed_on,
                means=persons.means,
            )
        case Informed.YES:
            return say("informed.yes_open")
        case Informed.WILL_BE if persons.reason:
            return say("informed.will_be_why", reason=persons.reason)
        case Informed.WILL_BE:
            return say("informed.will_be")
        case Informed.NO:
            return say("informed.no", reason=persons.reason)
    return say("informed.undecided")


def _changes(earlier: Notification, answers: tuple[Answer, ...], why: str) -> tuple[Change, ...]:
    old = {answer.id: answer.values for answer in earlier.answers}
    changed = tuple(
        Change(answer.id, old[answer.id], answer.values, why)
        for answer in answers
        if answer.id in old
        and old[answer.id] != answer.values
        and answer.id not in ("phase", "earlier_number")
    )
    if changed and not why:
        fields = ", ".join(change.id for change in changed)
        raise NotificationError(f"this phase replaces answers ({fields}): say why")
    return changed


def _no_extent(extent: Extent) -> Message:
    return say("unknown", reason=extent.reason or say("unknown.extent"))


def _at(extent: Extent, name: str) -> tuple[str, ...]:
    return (f"extent#/{name}",) if getattr(extent, name) else ()


def _text(value: Message | str) -> str:
    return value if isinstance(value, str) else value.text
