"""Worlds that never were: a company's CRM traffic from a seed, in a vendor's format, with thefts in it.

`scenario` makes a company's labelled weeks as files, or its traffic as a stream; `score` holds alerts against labels.
`baselines` is imported on its own: it brings river's forests and scipy.
"""

from detector.simulation.labels import Labels, read_labels
from detector.simulation.scenario import Format, LogFile, Scenario, Simulation
from detector.simulation.score import Score, ScoredAlert, evaluate, score, scored_alert
from detector.simulation.theft import Theft

__all__ = [
    "Format",
    "Labels",
    "LogFile",
    "Scenario",
    "Score",
    "ScoredAlert",
    "Simulation",
    "Theft",
    "evaluate",
    "read_labels",
    "score",
    "scored_alert",
]
