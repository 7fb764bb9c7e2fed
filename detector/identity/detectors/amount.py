"""What detectors of quantities say: how much it was, what is usual, the most to be expected, and how that is known."""

from __future__ import annotations

from detector import phrase
from detector.anomaly import Anomaly
from detector.message import Message, Template, message

__all__ = ["TEMPLATES", "amount_reason"]

OWN_DAYS = 5
"""From so many days of its own on, an identity is judged by itself."""
TEMPLATES: dict[str, Template] = {
    "window.hour": "one hour",
    "window.day": "one day",
    "window.week": "one week",
}
"""Messages by code that are made from a closed vocabulary."""


def amount_reason(anomaly: Anomaly, known_days: int) -> Message:
    """What the quantity was, what is usual, the most to be expected, and how that is known."""
    channel, _, unit = anomaly.channel.partition(":")
    parts: dict[str, object] = {"usual": phrase.usual(anomaly.typical), "basis": _basis(anomaly)}
    most = phrase.truncated(anomaly.bound)
    # An anomaly that only supports an alert may lie below; then the most to be expected explains nothing.
    bounded = max(0, round(anomaly.typical)) < most < anomaly.value
    if bounded:
        parts["usual"] = message(
            "usual.at_most", "{usual}, at most {most} expected", usual=parts["usual"], most=most
        )
    if unit == "calls":
        calls = phrase.operations(channel, anomaly.value)
        return message(
            "amount.calls",
            ("In {window} there was {calls}; {usual}, {basis}", "In {window} there were {calls}; {usual}, {basis}"),
            n=anomaly.value, window=_window(anomaly.span), calls=calls, **parts,
        )  # fmt: skip
    count = phrase.counted(anomaly.value, phrase.COUNTED.get(unit, "row"))
    if anomaly.span == "operation":
        operation = phrase.operation(channel)
        template = "A single {operation} had {count}; {usual}, {basis}"
        return message("amount.operation", template, operation=operation, count=count, **parts)
    way = phrase.way(channel)
    window = _window(anomaly.span)
    if way is None:
        return message(
            "amount.window",
            "In {window} it took out {count}; {usual}, {basis}",
            window=window,
            count=count,
            **parts,
        )
    return message(
        "amount.window_way",
        "In {window} it took out {count} {way}; {usual}, {basis}",
        window=window,
        count=count,
        way=way,
        **parts,
    )


def _window(span: str) -> Message:
    code = f"window.{span}" if f"window.{span}" in TEMPLATES else "window.day"
    return message(code, TEMPLATES[code])


def _basis(anomaly: Anomaly) -> Message:
    if anomaly.own_days >= OWN_DAYS:
        return message("basis.own", "known from {days} of its own days", days=anomaly.own_days)
    if anomaly.own_days:
        days = phrase.counted(anomaly.own_days, "day")
        return message("basis.peers", "judged by its peers, with {days} of its own known", days=days)
    return message("basis.first", "judged by its peers: it has not done this before")
