"""crmwatch moves data here: files, Kafka through Faust, HTTP, the terminal."""

__version__ = "0.1.0"
