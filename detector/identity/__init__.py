"""Is this unusual *for you*? What is kept of one identity, and the detectors that look at it alone."""
