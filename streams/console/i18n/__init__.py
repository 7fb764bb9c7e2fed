"""The console's languages."""
