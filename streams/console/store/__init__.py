"""The console's SQLite store: what the topics say, indexed for the pages."""
