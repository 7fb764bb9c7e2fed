"""Reads logs once more for the crisis cell and keeps what it counts on the disk."""
