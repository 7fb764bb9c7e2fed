"""Simulated worlds: a company's CRM traffic from a seed, in a vendor's format, with thefts in it.

`world` is a small stream for the demo; `scenario` a labelled world of weeks; `score` holds alerts against it.
`baselines` is imported on its own: it brings river's forests and scipy.
"""

from detector.simulation.labels import Labels, read_labels
from detector.simulation.scenario import Format, LogFile, Scenario, Simulation
from detector.simulation.score import Score, ScoredAlert, evaluate, score, scored_alert
from detector.simulation.world import Theft, World, records

__all__ = [
    "Format",
    "Labels",
    "LogFile",
    "Scenario",
    "Score",
    "ScoredAlert",
    "Simulation",
    "Theft",
    "World",
    "evaluate",
    "read_labels",
    "records",
    "score",
    "scored_alert",
]
