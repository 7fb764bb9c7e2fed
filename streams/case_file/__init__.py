"""The case file: a folder in BagIt layout that a stranger verifies with stock tools."""
