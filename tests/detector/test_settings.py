from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from detector.directory import peers_of
from detector.event import ActorKind
from detector.settings import Announced, DetectionSettings, Indicator, Settings, TriageSettings


def test_the_defaults_are_within_their_bounds() -> None:
    """What nobody has set is itself a value that may be set, and comes back from its own bytes."""
    assert msgspec.convert(msgspec.to_builtins(Settings()), Settings) == Settings()


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        (DetectionSettings, "late_seconds", -1),
        (DetectionSettings, "bound_deviations", -0.1),
        (DetectionSettings, "growth", 1.0),
        (DetectionSettings, "fading", 0.0),
        (DetectionSettings, "fading", 1.5),
        (DetectionSettings, "warm_days", 0),
        (DetectionSettings, "cold_days", 0),
        (DetectionSettings, "peers", {"night": 5}),
        (DetectionSettings, "indicators", {"192.0.2.7": {"score": 3.0}}),
        (DetectionSettings, "indicators", {"192.0.2.7": {"name": "x", "score": 101.0}}),
        (DetectionSettings, "prior_weight", 0.0),
        (DetectionSettings, "prior_rows_hour", -1.0),
        (DetectionSettings, "prior_deviation", float("inf")),
        (TriageSettings, "alert_risk", 101),
        (TriageSettings, "alert_budget", 0.0),
        (TriageSettings, "certain_risk", -1),
        (TriageSettings, "half_life_seconds", -1),
        (TriageSettings, "expected_rows", {"sync": -1.0}),
        (TriageSettings, "announced", [{"reason": "x", "from_ms": 0}]),
        (TriageSettings, "update_growth", 0.5),
        (TriageSettings, "population_days", 0),
        (TriageSettings, "evidence_events", 0),
        (TriageSettings, "no_such_key", 1),
    ],
)
def test_what_would_break_the_engine_is_refused(section: type[Any], key: str, value: object) -> None:
    """Values that would divide by zero, flood or never speak are refused where settings are read."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({key: value}, section)


@pytest.mark.parametrize("section", [Indicator, Announced])
def test_a_window_must_hold_some_time(section: type[Any]) -> None:
    """What is over before it begins is refused."""
    given = {"name": "x"} if section is Indicator else {"reason": "x"}
    assert msgspec.convert(given | {"from_ms": 5, "until_ms": 6}, section).until_ms == 6
    with pytest.raises(
        msgspec.ValidationError, match="from_ms must be before until_ms, but 6 is not before 6"
    ):
        msgspec.convert(given | {"from_ms": 6, "until_ms": 6}, section)


@pytest.mark.parametrize(
    ("value", "instead"),
    [
        ("0.0.0.0/0", "wider than a /8: name parts of it"),
        ("2000::/3", "wider than a /16: name parts of it"),
        ("192.0.2.7/24", "bits beyond its /24: leave them 0"),
        ("10.0.0.0/8", None),
        ("192.0.2.0/28", None),
        ("2001:db8::/32", None),
        ("2001:DB8:7::/48", None),
        ("192.0.2.7", None),
        ("192.0.2.0/24", None),
        ("2001:db8:7::/48", None),
        ("python-requests/2.32", None),
    ],
)
def test_an_indicator_must_be_one_that_something_can_carry(value: str, instead: str | None) -> None:
    """A network of any size is taken, but for one so wide that it names nobody or with bits beyond its prefix."""
    given = {"indicators": {value: {"name": "x"}}}
    if instead is None:
        assert list(msgspec.convert(given, DetectionSettings).indicators) == [value]
        return
    with pytest.raises(msgspec.ValidationError, match=re.escape(instead)):
        msgspec.convert(given, DetectionSettings)


def test_an_announced_window_is_about_some_identities() -> None:
    """From its first moment to before its last, for the actors that it names or whose pattern it names."""
    window = Announced(reason="migration", from_ms=100, until_ms=200, identities=("sync-*", "0051"))
    assert [window.covers("sync-9", at) for at in (99, 100, 199, 200)] == [False, True, True, False]
    assert window.covers("0051", 150)
    assert not window.covers("00511", 150)
    assert window.overlaps(("0051",), 0, 100)
    assert not window.overlaps(("0051",), 200, 300)
    assert Announced(reason="quarter's end", from_ms=0, until_ms=9).covers("anybody", 5)


def test_peers_are_found_in_the_order_given() -> None:
    """The first group that names an actor is its; who is in none is compared with its kind."""
    settings = DetectionSettings(peers={"night": ("0057*",), "all": ("005*",)})
    assert [peers_of(settings, actor, ActorKind.GUEST) for actor in ("00571", "00581", "9")] == [
        "night", "all", "guest",
    ]  # fmt: skip
