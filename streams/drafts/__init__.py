"""Drafts as files: one folder with HTML, Markdown and JSON in every language."""
