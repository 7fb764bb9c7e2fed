"""The shapes that attacks take, and how hard they are to see."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Difficulty", "Shape", "difficulty_of"]


class Shape(StrEnum):
    """The ways of taking."""

    STOLEN_TOKEN = "stolen_token"  # noqa: S105 - no secret
    LOOKALIKE_APP = "lookalike_app"
    NIGHT_AGENT = "night_agent"
    LOW_AND_SLOW = "low_and_slow"
    REPORT_SCRAPING = "report_scraping"
    UI_PAGING = "ui_paging"
    FILE_DOWNLOAD = "file_download"
    DISTRIBUTED = "distributed"
    GUEST_ENUMERATION = "guest_enumeration"
    RAMP = "ramp"
    LEAVER = "leaver"
    SESSION_HIJACK = "session_hijack"
    ADAPTIVE = "adaptive"


class Difficulty(StrEnum):
    """How hard it is to see."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


def difficulty_of(seed: int, shape: Shape) -> Difficulty:
    """The level of a shape in a seed's world: three seeds in a row show each shape at each level.

    >>> {difficulty_of(seed, Shape.RAMP) for seed in (7, 8, 9)} == set(Difficulty)
    True
    """
    return list(Difficulty)[(seed + list(Shape).index(shape)) % 3]
