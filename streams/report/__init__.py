"""A run's report for people: one HTML page, which needs nothing else."""

from streams.report.incident import Incidents
from streams.report.letters import DeadLetters
from streams.report.report import write

__all__ = ["DeadLetters", "Incidents", "write"]
