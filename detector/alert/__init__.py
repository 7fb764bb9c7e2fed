"""An incident as published: the OCSF finding, its text, its runbook; written and read here."""
