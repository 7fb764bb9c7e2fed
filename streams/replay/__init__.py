"""The engine over files, in one process or several."""
