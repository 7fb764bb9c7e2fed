"""Is this worth a human? Surprises become risk, and signals of one story one incident."""
