"""Worlds that never were: a company's CRM traffic from a seed, in a vendor's format, with thefts in it.

`world` is a small stream for the demo; `scenario` a labelled world of weeks; `score` holds alerts against it.
"""

from detector.simulation.baselines import Baseline, Baselines
from detector.simulation.labels import Labels, read_labels
from detector.simulation.scenario import Format, LogFile, Scenario, Simulation
from detector.simulation.score import Publication, Score, evaluate, publication, score
from detector.simulation.world import Theft, World, records

__all__ = [
    "Baseline",
    "Baselines",
    "Format",
    "Labels",
    "LogFile",
    "Publication",
    "Scenario",
    "Score",
    "Simulation",
    "Theft",
    "World",
    "evaluate",
    "publication",
    "read_labels",
    "records",
    "score",
]
