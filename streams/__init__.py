"""crmwatch moves data here: files, Kafka through Faust, HTTP, the terminal."""
