"""A real Apache Kafka broker as a child process, for the demo, the tests and a laptop."""
