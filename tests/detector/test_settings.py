from __future__ import annotations

from typing import Any

import msgspec
import pytest

from detector.settings import DetectionSettings, Settings, TriageSettings


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
        (DetectionSettings, "warm_windows", 0),
        (DetectionSettings, "prior_weight", 0.0),
        (DetectionSettings, "prior_rows_hour", -1.0),
        (DetectionSettings, "prior_deviation", float("inf")),
        (TriageSettings, "alert_risk", 101),
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
