"""Kafka without Faust: connections, topics, and the messages on them."""
