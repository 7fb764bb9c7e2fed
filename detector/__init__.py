"""crmwatch decides here: bytes and values in, values out; no Kafka, no clock, no network, no environment."""
