"""What an incident's crisis cell must know: what the intruder reached, with bounds, and what not."""
