"""The words of a notification's answers: their questions, and what crmwatch itself answers."""

from __future__ import annotations

from typing import Any

from detector.catalogue import Category
from detector.message import Message, Template, message
from detector.response.notification_extent import Figure
from detector.units import HOUR_MS

__all__ = ["TEMPLATES", "category", "figure", "say"]

TEMPLATES: dict[str, Template] = {
    # The forms and their parts
    "form.cnil": "Notification of a personal data breach, in the order of the CNIL’s form",
    "form.gdpr": "Notification of a personal data breach (Article 33 GDPR)",
    "form.register": "Register of personal data breaches (Article 33(5) GDPR)",
    "form.draft": "Draft. A person checks it, decides and sends it.",
    "part.type": "Type of notification",
    "part.organisation": "The organisation",
    "part.violation": "The breach",
    "part.nature": "Nature of the breach",
    "part.cause": "Origin and cause",
    "part.data": "Data concerned",
    "part.persons": "Persons concerned",
    "part.protections": "Protection before the breach",
    "part.consequences": "Likely consequences",
    "part.measures": "Measures",
    "part.informed": "Information of the persons",
    "part.cross_border": "Other countries and authorities",
    "part.contact": "Contact point",
    "part.facts": "Facts",
    "part.effects": "Effects",
    "part.changes": "What this phase replaces",
    # The questions
    "ask.phase": "Phase",
    "ask.earlier_number": "Number of the earlier notification",
    "ask.organisation": "Name of the organisation",
    "ask.siren": "SIREN",
    "ask.sector": "Sector",
    "ask.size": "Size",
    "ask.representative": "Representative",
    "ask.contact": "Data protection officer or other contact",
    "ask.processors": "Processors involved",
    "ask.joint_controllers": "Other controllers involved",
    "ask.start": "Start of the breach",
    "ask.end": "End of the breach",
    "ask.awareness": "Date and time of awareness",
    "ask.discovery": "How it was discovered",
    "ask.delay": "Reasons for the delay beyond 72 hours",
    "ask.facts": "What happened",
    "ask.nature": "What was lost",
    "ask.cause": "Cause",
    "ask.intent": "Malicious or accidental",
    "ask.side": "Internal or external",
    "ask.categories": "Categories of data",
    "ask.not_touched": "Categories that were not read",
    "ask.records_count": "Approximate number of records",
    "ask.person_kinds": "Categories of persons",
    "ask.persons_count": "Approximate number of persons",
    "ask.encryption": "Encryption",
    "ask.pseudonymisation": "Pseudonymisation",
    "ask.access": "Access rules",
    "ask.consequences": "Likely consequences for the persons",
    "ask.weight": "Severity of the consequences",
    "ask.risk": "Risk to the persons",
    "ask.enisa": "Severity by ENISA’s method",
    "ask.measures_before": "Measures in place before",
    "ask.measures_taken": "Measures taken",
    "ask.measures_planned": "Measures planned",
    "ask.informed": "Whether the persons are informed",
    "ask.no_letter": "Why they need not be informed one by one (Article 34(3))",
    "ask.ordered": "Whether the authority ordered it (Article 34(4))",
    "ask.countries": "Other countries concerned",
    "ask.authorities": "Other authorities notified",
    "ask.supplier": "Processor through which it happened",
    "ask.nis2": "Significant incident under NIS2",
    "ask.not_notified": "Why no authority is notified",
    # Unknown
    "unknown": "Not yet known: {reason}",
    "unknown.nobody": "nobody has entered it",
    "unknown.extent": "the extent has not been established",
    "unknown.awareness": "nobody has entered when the organisation became aware; it must be notified by {time} UTC at "
    "the latest",
    "unknown.awareness_open": "nobody has entered when the organisation became aware, and no breach was confirmed",
    # Phases
    "phase.initial": "Initial notification",
    "phase.complementary": "Complementary notification, number {n}",
    "phase.final": "Final notification",
    # Figures
    "figure.exact": "{count}",
    "figure.range": "Between {lower} and {upper}",
    "figure.least": "At least {lower}; there is no upper bound yet",
    "figure.because": "{figure} ({reason})",
    "figure.of_group": "{category}: {figure}",
    # Times
    "time.entered": "{time}",
    "time.awareness": "{time}; learned from {source}; reason: {reason}",
    "time.corrected": "Corrected: entered before as {time}; reason: {reason}",
    "time.ongoing": "Still going on",
    "time.deadline": "The 72 hours end on {time}",
    "time.late": "This draft is made {hours} hours after the awareness",
    "source.own_finding": "our own finding",
    "source.supplier": "a supplier",
    "source.customer": "a customer",
    "source.press": "the press",
    "source.thief": "the thief",
    "source.other": "another source",
    # Closed lists
    "nature.confidentiality": "Confidentiality: data were read by somebody who should not",
    "nature.integrity": "Integrity: records were changed",
    "nature.availability": "Availability: records were deleted",
    "nature.unwritten": "Whether records were changed or deleted is not yet known",
    "cause.hacking": "Hacking, malware or phishing",
    "cause.stolen_equipment": "Stolen equipment",
    "cause.lost_equipment": "Lost equipment",
    "cause.publication": "Unintended publication",
    "cause.wrong_recipient": "Data sent to the wrong recipient",
    "cause.misuse": "Misuse of access rights",
    "cause.other": "Another cause",
    "intent.malicious": "Malicious",
    "intent.accidental": "Accidental",
    "side.internal": "Internal",
    "side.external": "External",
    "data.contact": "Contact data and civil status",
    "data.customer_service": "Exchanges with customer service",
    "data.identity_documents": "Identity documents",
    "data.payment": "Economic and financial data",
    "data.credentials": "Identification or access data",
    "data.loyalty": "Loyalty accounts",
    "data.health": "Health data",
    "data.internal": "The company’s own data",
    "data.unclassified": "Data of a kind that is not yet classified",
    "data.not_as_field": "{category}, not read as a field; text written freely that was read may hold it",
    "data.free_text": "{category}, with text written freely: it may hold any kind of data",
    "kind.employees": "Employees",
    "kind.users": "Users",
    "kind.customers": "Customers",
    "kind.prospects": "Prospects",
    "kind.patients": "Patients",
    "kind.minors": "Minors",
    "kind.vulnerable": "Vulnerable persons",
    "consequence.loss_of_control": "Loss of control over their data",
    "consequence.phishing": "Phishing and fraudulent calls that use the data",
    "consequence.identity_theft": "Identity theft",
    "consequence.fraud": "Fraud",
    "consequence.discrimination": "Discrimination",
    "consequence.reputation": "Damage to their reputation",
    "consequence.distress": "Distress",
    "weight.negligible": "Negligible",
    "weight.limited": "Limited",
    "weight.significant": "Significant",
    "weight.maximal": "Maximal",
    "risk.unlikely": "A risk is unlikely, because: {reason}",
    "risk.risk": "A risk, because: {reason}",
    "risk.high": "A high risk, because: {reason}",
    "enisa.sum": "{score} ({level}) = {context} context × {ease} identification + {circumstances} circumstances",
    "enisa.adjusted": "The context was adjusted, because: {reason}",
    "enisa.assumed": "No category is known yet, so the context is assumed",
    "enisa.many": "More than 100 persons",
    "enisa.unintelligible": "The data are unintelligible to whoever took them",
    "enisa.helps": "It helps with Article 33 and does not decide Article 34",
    "enisa.low": "low",
    "enisa.medium": "medium",
    "enisa.high": "high",
    "enisa.very_high": "very high",
    "informed.yes": "Yes, {count} persons on {date}, by {means}",
    "informed.yes_open": "Yes; number, date or means are not yet known",
    "informed.will_be": "They will be",
    "informed.will_be_why": "They will be: {reason}",
    "informed.no": "No, because: {reason}",
    "informed.undecided": "Not yet decided",
    "no_letter.unintelligible": "The data are unintelligible to whoever took them",
    "no_letter.risk_removed": "Later measures removed the high risk",
    "no_letter.disproportionate": "It would take a disproportionate effort; a public communication replaces it",
    "answer.yes": "Yes",
    "answer.no": "No",
    "answer.none": "None",
    "answer.because": "{answer}, because: {reason}",
    # Changes
    "change.row": "{question}: replaced “{before}” by “{after}”, because: {reason}",
}


def say(code: str, **params: Any) -> Message:
    """The message of a code of this module."""
    return message(code, TEMPLATES[code], **params)


def category(of: Category) -> Message:
    """A category of data, in the words of the CNIL's form where it has one."""
    return say(f"data.{of.value}")


def figure(of: Figure) -> Message:
    """A known count as a range, with its reason.

    >>> figure(Figure(1200, 1500, "a log was cut")).text
    'Between 1,200 and 1,500 (a log was cut)'
    """
    if of.lower is None:
        return say("unknown", reason=of.reason or say("unknown.extent"))
    if of.upper is None:
        found = say("figure.least", lower=of.lower)
    elif of.upper == of.lower:
        found = say("figure.exact", count=of.lower)
    else:
        found = say("figure.range", lower=of.lower, upper=of.upper)
    return say("figure.because", figure=found, reason=of.reason) if of.reason else found


def hours(span_ms: int) -> int:
    """Whole hours in a span."""
    return span_ms // HOUR_MS
