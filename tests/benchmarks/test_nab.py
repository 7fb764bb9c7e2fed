from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.nab import PROFILES, Labelled, at, best, detect, load, rewards

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "nab.py"


def series(rows: int = 1000, windows: tuple[tuple[int, int], ...] = ((500, 600),)) -> Labelled:
    """Rows of which some lie in windows; their values do not matter here."""
    window, worth = rewards(rows, windows)
    return Labelled(
        [60_000 * row for row in range(rows)], [0.0] * rows, min(int(0.15 * rows), 750), window, worth
    )


def marked(*rows: int, length: int = 1000) -> dict[str, np.ndarray]:
    """A detector that is sure of some rows and of nothing else."""
    scores = np.zeros(length)
    scores[list(rows)] = 1.0
    return {"a": scores}


def test_the_scale_goes_from_silence_to_perfection() -> None:
    """What says nothing has 0, what says every window at its first row and nothing else has 100, in each profile."""
    corpus = {"a": series(windows=((300, 350), (500, 600)))}
    for profile in PROFILES:
        assert best(corpus, {"a": np.zeros(1000)}, profile).score == 0
        perfect = best(corpus, marked(300, 500), profile)
        assert perfect.score == pytest.approx(100)
        assert (perfect.found, perfect.false, perfect.threshold) == (2, 0, 1.0)


def test_late_is_worth_less_and_a_false_alarm_costs() -> None:
    """A window counts by its earliest row that was found; rows after it cost little, far from any they cost all, and a
    false alarm costs twice as much where few are wanted.
    """
    corpus = {"a": series()}

    def score(profile: str, *rows: int) -> float:
        return at(corpus, marked(*rows), profile, 1.0).score

    early, middle, late = (score("standard", row) for row in (510, 550, 599))
    assert 100 > early > middle > late > 50 * 0.9
    assert score("standard", 510, 599, 550) == early
    assert score("standard", 500, 601) == pytest.approx(100, abs=0.5)
    assert score("standard", 500, 999) == pytest.approx(100 - 100 * 0.11 / 2)
    assert score("standard", 500, 200) == pytest.approx(100 - 100 * 0.11 / 2)
    assert score("low FP", 500, 200) == pytest.approx(100 - 100 * 0.22 / 2)
    assert score("low FN", 500, 200) == pytest.approx(100 - 100 * 0.11 / 3)


def test_the_first_rows_are_not_scored() -> None:
    """An alarm in the first 15 % of a series costs nothing."""
    corpus = {"a": series()}
    assert at(corpus, marked(149, 500), "standard", 1.0).score == pytest.approx(100)
    assert at(corpus, marked(150, 500), "standard", 1.0).score < 95


def test_rows_of_one_score_are_reached_together() -> None:
    """A threshold cannot take one of two rows with the same score, so the best one takes both or none."""
    corpus = {"a": series()}
    scores = marked(500, 200)
    assert best(corpus, scores, "standard").false == 1
    assert at(corpus, scores, "standard", 1.0) == best(corpus, scores, "standard")


def test_a_corpus_is_read_and_run(tmp_path: Path) -> None:
    """Series are read with their windows' first and last row, and a burst in a quiet series is found."""
    for folder in ("labels", "data/x"):
        (tmp_path / folder).mkdir(parents=True)
    stamps = [np.datetime64("2026-03-02T00:00:00") + np.timedelta64(5 * row, "m") for row in range(2000)]
    lines = [
        f"{str(stamp).replace('T', ' ')},{900 if row == 1500 else 10 + row % 7}"
        for row, stamp in enumerate(stamps)
    ]
    (tmp_path / "data/x/y.csv").write_text("timestamp,value\n" + "\n".join(lines) + "\n")
    first, last = (str(stamps[row]).replace("T", " ") + ".000000" for row in (1490, 1510))
    (tmp_path / "labels/combined_windows.json").write_text(f'{{"x/y.csv": [["{first}", "{last}"]]}}')
    corpus = load(tmp_path)
    found = corpus["x/y.csv"]
    assert np.flatnonzero(found.window == 0).tolist() == list(range(1490, 1511))
    assert found.probation == 300
    assert found.times_ms[1] - found.times_ms[0] == 300_000
    result = best(corpus, detect(corpus, {}), "standard")
    assert result.found == 1
    assert result.score > 80


def test_without_the_data_it_says_so(tmp_path: Path) -> None:
    """Where the corpus is not, one sentence says it, and that is no failure."""
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "nothing was run" in ran.stdout
    assert ran.stderr == ""
