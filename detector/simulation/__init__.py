"""Worlds that never were: a company's CRM traffic from a seed, in a vendor's format, with thefts in it."""

from detector.simulation.world import Theft, World, records

__all__ = ["Theft", "World", "records"]
