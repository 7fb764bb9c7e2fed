"""Detectors of one identity, one a file; `registry` finds them."""
