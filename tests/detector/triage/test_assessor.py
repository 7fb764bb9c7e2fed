from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.anomaly import Anomaly
from detector.detectors import BUILT_IN
from detector.explanation import Explanations
from detector.settings import TriageSettings
from detector.triage.assessor import MOST_CONTRIBUTIONS, MOST_STATED, Assessor, fade_of
from detector.triage.evidence import EvidenceModel, EvidenceTrees, shipped
from detector.triage.features import FEATURES, LEARNED, Features
from detector.triage.incident import Incident
from detector.triage.risk import MOST_RANK, impact
from detector.units import DAY_MS
from tests.detector.incidents import finding, incident, of_network, strange
from tests.detector.make import START_MS

EXPLANATIONS = BUILT_IN.explanations
NAMES = sorted(EXPLANATIONS.names)
STATED = [name for name in NAMES if name not in LEARNED]
AMOUNTS = ("volume", "export", "drip")
NOW_MS = START_MS + 600_000
FADE = 1 / (2 * DAY_MS)
SHIPPED = Assessor(shipped(), EXPLANATIONS, FADE)
FLAT = EvidenceModel(EvidenceTrees(depth=1, base=-2000, feature=(), threshold=(), value=(), base_rate=0.1))
"""A model that finds every incident equally likely: log-odds of −2."""
PLACE = FEATURES.index("volume")
STEP = EvidenceModel(
    EvidenceTrees(
        depth=1, base=-3000, feature=((PLACE,),), threshold=((2.0,),), value=((0, -500, 4000),), base_rate=0.1
    )
)
"""A model that looks at the surprise at the volume: −3.5 up to 2, then 1."""


def rank(one: Incident, assessor: Assessor = SHIPPED, time_ms: int = NOW_MS) -> int:
    """Its rank."""
    return assessor.assess(one, time_ms).rank


def raised(detector: str, surprise: float) -> Anomaly:
    """What a detector says with such a surprise."""
    if detector in AMOUNTS:
        return finding(detector=detector, surprise=surprise)
    return strange(detector, surprise)


# --- a law of every detector and any model that ships


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20)
@given(st.sampled_from(["volume", "novelty", "chain"]), st.floats(1, 5), st.floats(1, 5), st.floats(0, 4))
def test_more_surprise_is_never_less_likely_a_theft(
    name: str, other: str, beside: float, surprise: float, more: float
) -> None:
    """Any detector more surprised, all else being equal, leaves the incident's rank or raises it."""
    rest = [] if other == name else [raised(other, beside)]
    before, after = (incident(*rest, raised(name, said)) for said in (surprise, surprise + more))
    assert rank(after) >= rank(before)
    if name in ("origin", "population"):
        before.network = after.network = "192.0.2.0/24"
        assert rank(after) >= rank(before)


@pytest.mark.parametrize("name", STATED)
@settings(max_examples=20)
@given(st.floats(0.1, 5))
def test_a_detector_that_states_its_own_is_heard(name: str, surprise: float) -> None:
    """Each detector that no model has learned raises the rank by any surprise worth a tenth, up to its cap."""
    assessor = Assessor(FLAT, EXPLANATIONS, FADE)
    alone, beside = incident(finding()), incident(finding(), strange(name, surprise))
    stated = min(MOST_STATED, EXPLANATIONS[name].log_odds * surprise)
    assert EXPLANATIONS[name].log_odds > 0
    assert assessor.stated(beside, NOW_MS) == {name: stated}
    assert rank(beside, assessor) == round(10 * (-2.0 + stated)) > rank(alone, assessor) == -20
    assert rank(beside) >= rank(incident(finding())) or rank(alone) == MOST_RANK


def test_an_unknown_detector_adds_at_most_its_cap() -> None:
    """A plug-in's detector, or one that is installed no longer, is heard like the others, and never beyond 6."""
    assessor = Assessor(FLAT, Explanations(()), FADE)
    ranks = [
        rank(incident(strange("dormant", surprise)), assessor) for surprise in (0.0, 1.0, 2.0, 4.0, 400.0)
    ]
    assert ranks == [-20, -5, 10, 40, 40]


# --- what it adds up


def test_the_rank_is_the_log_odds_in_tenths() -> None:
    """The model's word and what detectors state add up, rounded to tenths and held within ± `MOST_RANK`."""
    assessor = Assessor(STEP, EXPLANATIONS, FADE)
    assert rank(incident(finding(surprise=1.0)), assessor) == -35
    assert rank(incident(finding(surprise=3.0)), assessor) == 10
    intel = EXPLANATIONS["intel"].log_odds
    both = incident(finding(surprise=3.0), strange("intel", 1.0))
    assert rank(both, assessor) == round(10 * (1.0 + min(MOST_STATED, intel)))
    for base, expected in ((-90_000, -MOST_RANK), (90_000, MOST_RANK)):
        model = EvidenceModel(
            EvidenceTrees(depth=1, base=base, feature=(), threshold=(), value=(), base_rate=0.1)
        )
        assert rank(incident(), Assessor(model, EXPLANATIONS, FADE)) == expected


def test_the_impact_stands_beside_it() -> None:
    """An assessment holds the impact of what was taken, whatever the model thinks."""
    for one in (incident(), of_network(), incident(parts=[])):
        assert SHIPPED.assess(one, NOW_MS).impact == impact(one)


@pytest.mark.parametrize("half_life_seconds", [86_400, 172_800])
def test_evidence_fades(half_life_seconds: int) -> None:
    """After a half-life learned and stated surprise count as half of it would; a half-life of 0 keeps them whole."""
    fade = fade_of(TriageSettings(half_life_seconds=half_life_seconds))
    assessor = Assessor(STEP, EXPLANATIONS, fade)
    one = incident(finding(surprise=3.0), strange("vendor", 2.0))
    half = incident(finding(surprise=1.5), strange("vendor", 1.0))
    later_ms = NOW_MS + half_life_seconds * 1000
    assert rank(one, assessor, later_ms) == rank(half, assessor) < rank(one, assessor)
    for_ever = Assessor(STEP, EXPLANATIONS, fade_of(TriageSettings(half_life_seconds=0)))
    assert rank(one, for_ever, later_ms + 99 * DAY_MS) == rank(one, assessor)


def test_contributions_are_ranked() -> None:
    """By feature of the model, and by detector that states its own, the weightiest first."""
    assessor = Assessor(STEP, EXPLANATIONS, FADE)
    one = incident(finding(surprise=3.0), strange("intel", 0.5))
    assert assessor.contributions(one, NOW_MS) == (
        ("volume", 4.0),
        ("intel", 0.5 * EXPLANATIONS["intel"].log_odds),
    )
    assert assessor.contributions(incident(finding(surprise=1.0)), NOW_MS) == (("volume", -0.5),)


def test_only_the_weightiest_contributions_are_named() -> None:
    """At most `MOST_CONTRIBUTIONS`, whatever their sign, equal ones by their names."""
    places = range(12)
    model = EvidenceModel(
        EvidenceTrees(
            depth=1,
            base=0,
            feature=tuple((place,) for place in places),
            threshold=tuple((-1.0,) for _ in places),
            value=tuple((0, 0, (-1) ** place * 100 * (place // 2 + 1)) for place in places),
            base_rate=0.1,
        )
    )
    found = Assessor(model, EXPLANATIONS, FADE).contributions(incident(), NOW_MS)
    assert len(found) == MOST_CONTRIBUTIONS
    assert [(-abs(weight), name) for name, weight in found] == sorted(
        (-abs(weight), name) for name, weight in found
    )
    assert {name for name, _ in found} == set(FEATURES[4:12])


def test_what_is_assessed_can_be_listened_to() -> None:
    """Whoever asks is told each incident that is assessed, when, and its features."""
    asked: list[tuple[Incident, int, Features]] = []
    assessor = Assessor(FLAT, EXPLANATIONS, FADE, asked=lambda *one: asked.append(one))
    one = incident()
    assessor.assess(one, NOW_MS)
    assessor.contributions(one, NOW_MS)
    assert asked == [(one, NOW_MS, assessor.features(one, NOW_MS))]
