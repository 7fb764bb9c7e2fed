"""The metrics that a worker exports, as values; tests compare documentation, rules and dashboards with them.

Labels are few and never name a person, an address or an app.
"""

from __future__ import annotations

import msgspec

__all__ = ["METRICS", "Definition"]


class Definition(msgspec.Struct, frozen=True):
    """A metric's name (without the prefix ``crmwatch_``), type, labels, meaning and, for a histogram, buckets."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


METRICS = (
    Definition("records_read_total", "counter", ("topic",), "Records read, by topic."),
    Definition("bytes_read_total", "counter", ("topic",), "Bytes of the records read, by topic."),
    Definition(
        "dropped_records_total",
        "counter",
        ("topic",),
        "Records that retention deleted before anybody had read them, by topic.",
    ),
    Definition(
        "unread_partitions",
        "gauge",
        ("topic",),
        "Partitions that no worker reads, by topic; a topic that does not exist counts as one.",
    ),
    Definition("events_total", "counter", ("source", "operation"), "Events read, by adapter and operation."),
    Definition(
        "rows_taken_total",
        "counter",
        ("source", "category"),
        "Rows taken, each counted once, by adapter and data category.",
    ),
    Definition(
        "dead_letters_total",
        "counter",
        ("source", "reason"),
        "Records that could not be read, by adapter and reason.",
    ),
    Definition(
        "duplicate_events_total",
        "counter",
        (),
        "Events that the vendor delivered more than once; they count once.",
    ),
    Definition(
        "refused_events_total",
        "counter",
        (),
        "Events refused before anybody had shown a credential; nothing is learned from them.",
    ),
    Definition(
        "late_events_total", "counter", ("source",), "Events that arrived after their day was learned."
    ),
    Definition("redelivered_events_total", "counter", (), "Events that Kafka redelivered; they are skipped."),
    Definition(
        "out_of_order_events_total",
        "counter",
        (),
        "Events processed out of order because the buffer was full.",
    ),
    Definition(
        "evicted_operations_total",
        "counter",
        (),
        "Operations evicted from a full ledger; if reported again, they count again.",
    ),
    Definition(
        "evicted_identities_total",
        "counter",
        (),
        "Identities evicted because a partition had too many; each is new if it returns.",
    ),
    Definition(
        "signals_total",
        "counter",
        ("detector",),
        "Signals raised by identities that exceeded their own bound.",
    ),
    Definition("displaced_tenants_total", "counter", (), "Tenants that made room for newer ones."),
    Definition(
        "dropped_signals_total", "counter", (), "Signals dropped because a partition had too many tenants."
    ),
    Definition(
        "provisional_signals_total",
        "counter",
        (),
        "Signals judged before the days they are compared with were complete.",
    ),
    Definition(
        "alerts_total",
        "counter",
        ("severity", "detector"),
        "Alerts published, by severity and strongest detector.",
    ),
    Definition(
        "detection_delay_seconds",
        "histogram",
        ("part",),
        "From event to alert, closings excluded: until the record arrived (source), and from then on (pipeline).",
        (0.5, 1, 2, 5, 15, 60, 300, 3600, 21600, 86400),
    ),
    Definition(
        "incidents_open", "gauge", ("severity",), "Published incidents open on this worker, by severity."
    ),
    Definition("risk_max", "gauge", (), "The highest risk of an incident open on this worker, in percent."),
    Definition(
        "notification_deadline_timestamp_seconds",
        "gauge",
        ("incident", "awareness"),
        "Deadline to notify the authority of a breach, the latest possible while awareness is missing.",
    ),
    Definition(
        "mutes",
        "gauge",
        ("kind",),
        "Mutes and expectations in force, which keep alerts from being published.",
    ),
    Definition(
        "dropped_decisions_total",
        "counter",
        (),
        "Decisions dropped because they no longer had any effect and there were too many.",
    ),
    Definition("profiles", "gauge", ("kind",), "Identities known to this worker, by kind of actor."),
    Definition("state_bytes", "gauge", ("stage",), "Saved state that this worker holds, keys and values."),
    Definition("buffered_events", "gauge", (), "Events waiting for every partition to catch up."),
    Definition(
        "buffered_signals", "gauge", (), "Signals waiting for the days they are compared with to be complete."
    ),
    Definition(
        "source_lag_seconds",
        "gauge",
        ("source",),
        "Age on arrival of the newest event in the last batch, by adapter.",
    ),
    Definition(
        "source_last_event_timestamp_seconds",
        "gauge",
        ("source",),
        "Event time of the newest event read, by adapter.",
    ),
    Definition(
        "consumer_lag",
        "gauge",
        ("topic", "partition"),
        "Records published but not yet committed as processed; absent while unknown.",
    ),
    Definition(
        "last_progress_timestamp_seconds",
        "gauge",
        (),
        "When this worker's slowest partition last made progress or had nothing to do.",
    ),
    Definition(
        "batch_seconds",
        "histogram",
        ("stage",),
        "Computing time of one step of a shard's work, during which nothing else runs, by stage.",
        (0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 2, 10),
    ),
    Definition(
        "restore_seconds",
        "histogram",
        ("stage",),
        "Time to restore a partition's state, by stage.",
        (0.5, 1, 2, 5, 15, 60, 300),
    ),
    Definition("rebalances_total", "counter", (), "How often partitions were reassigned to this worker."),
    Definition("build_info", "gauge", ("version",), "Always 1; the version of crmwatch."),
)
"""Every metric of a worker, in the order of the documentation."""
