"""A run's report for people: one HTML page, which needs nothing else."""

from streams.report.dead_letters import DeadLetters
from streams.report.findings import Findings
from streams.report.report import write

__all__ = ["DeadLetters", "Findings", "write"]
