"""Log files to the access topic."""
