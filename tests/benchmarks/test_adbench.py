from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.adbench import FILES, average_precision, features, roc_auc, run

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "adbench.py"


def test_roc_auc_counts_pairs() -> None:
    """Of an anomaly and another row the anomaly has the higher score so often; equal scores count half."""
    labels = np.array([0, 1, 0, 1])
    assert roc_auc(labels, np.array([0.1, 0.9, 0.2, 0.8])) == 1
    assert roc_auc(labels, np.array([0.9, 0.1, 0.8, 0.2])) == 0
    assert roc_auc(labels, np.array([0.1, 0.9, 0.8, 0.2])) == 0.75
    assert roc_auc(labels, np.ones(4)) == 0.5
    assert np.isnan(roc_auc(np.zeros(4, dtype=int), np.ones(4)))


def test_average_precision_is_the_mean_precision_at_an_anomaly() -> None:
    """Rows of one score are reached together, whatever their order."""
    labels = np.array([1, 0, 1, 0])
    assert average_precision(labels, np.array([0.9, 0.1, 0.8, 0.2])) == 1
    assert average_precision(labels, np.array([0.9, 0.8, 0.7, 0.1])) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(labels, np.ones(4)) == average_precision(labels[::-1], np.ones(4)) == 0.5
    assert np.isnan(average_precision(np.zeros(4, dtype=int), np.ones(4)))


def test_features_have_fixed_limits() -> None:
    """Whatever else is in the set, a value is the same feature, within 0 and 1."""
    for dataset in FILES:
        raw = np.array([[-1e9, 0.0, 5.0, 1e9]])
        alone = [features(dataset, raw[:, [column]])[0, 0] for column in range(4)]
        assert features(dataset, raw)[0].tolist() == alone
        assert alone == sorted(alone)
        assert (alone[0], alone[-1]) == (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grids", "HST", "HST, our features", "LODA"])
def test_a_row_is_scored_before_it_is_learned(name: str, tmp_path: Path) -> None:
    """In a small set a few far-off rows are found by each detector, alike each time for the same seed."""
    random = np.random.default_rng(1)
    raw = random.normal(50, 3, (1200, 9))
    labels = (np.arange(1200) % 97 == 90).astype(int)
    labels[:600] = 0
    raw[labels == 1] = 20_000.0
    np.savez(tmp_path / FILES["shuttle"], X=raw, y=labels)
    first, second = (run(tmp_path, "shuttle", "stored", name, None, 3) for _ in range(2))
    assert first.roc_auc == second.roc_auc
    assert first.average_precision == second.average_precision
    assert first.roc_auc > 0.6
    assert first.microseconds > 0


def test_without_the_data_it_says_so(tmp_path: Path) -> None:
    """Where the sets are not, one sentence says it, and that is no failure."""
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "nothing was run" in ran.stdout
    assert ran.stderr == ""
