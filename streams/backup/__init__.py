"""Copies what workers and operators have stored to one file, and puts it into a cluster."""
