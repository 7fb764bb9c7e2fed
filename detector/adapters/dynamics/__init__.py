"""Dynamics 365, as Microsoft 365's unified audit log records it."""
