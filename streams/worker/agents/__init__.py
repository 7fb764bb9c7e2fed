"""The three agents' work: ingest (records → events), detect (events → signals), triage (signals → alerts).

Each is one shard's, knows neither Kafka's consumer nor its producer, and runs on the frame in `streams.worker.stage`.
"""

from streams.worker.agents.detect import DetectAgent
from streams.worker.agents.ingest import IngestAgent
from streams.worker.agents.triage import TriageAgent

__all__ = ["DetectAgent", "IngestAgent", "TriageAgent"]
