"""What each page shows, from the store to HTML."""
