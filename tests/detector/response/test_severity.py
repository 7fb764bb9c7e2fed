from __future__ import annotations

import pytest

from detector.catalogue import Category
from detector.response.severity import CONTEXT, Ease, Loss, SeverityInputs, SeverityLevel, severity


@pytest.mark.parametrize(
    ("categories", "inputs", "score", "level"),
    [
        ([Category.CONTACT], SeverityInputs(), 2.0, SeverityLevel.MEDIUM),
        ([Category.CONTACT, Category.CUSTOMER_SERVICE], SeverityInputs(), 3.0, SeverityLevel.HIGH),
        ([Category.HEALTH], SeverityInputs(), 5.0, SeverityLevel.VERY_HIGH),
        ([Category.CONTACT], SeverityInputs(malicious=False, ease=Ease.LIMITED), 1.0, SeverityLevel.LOW),
        (
            [Category.CONTACT],
            SeverityInputs(context=3, context_reason="by volume", integrity=Loss.PARTIAL),
            4.25,
            SeverityLevel.VERY_HIGH,
        ),
    ],
)
def test_the_score_is_the_sum_of_its_inputs(
    categories: list[Category], inputs: SeverityInputs, score: float, level: SeverityLevel
) -> None:
    """The gravest category counts, and so does what somebody adjusted."""
    found = severity(categories, 101, inputs)
    assert (found.score, found.level, found.many_persons) == (score, level, True)
    assert found.score == found.context * found.ease + found.circumstances


def test_what_is_not_known_is_said() -> None:
    """Without a category the context is assumed, and without a number nothing is said of many persons."""
    found = severity([], None)
    assert (found.assumed, found.many_persons) == (True, None)
    assert set(CONTEXT) == set(Category)
