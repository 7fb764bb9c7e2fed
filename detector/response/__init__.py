"""The crisis cell's work: what an intruder reached and what not, the clocks, drafts, suppliers and the case file."""
