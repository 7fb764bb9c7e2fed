"""Makes the evidence model: simulated worlds are replayed, and what triage was asked about them becomes a table."""
