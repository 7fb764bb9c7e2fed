"""Every metric that a worker exports, as a value; the documentation, rules and dashboards are tested against it.

Labels are few and never a person, an address or an app.
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
    Definition("events_total", "counter", ("source", "operation"), "Events read, by adapter and operation."),
    Definition(
        "rows_taken_total",
        "counter",
        ("source", "category"),
        "Rows that left, each counted once, by adapter and data category.",
    ),
    Definition(
        "dead_letters_total",
        "counter",
        ("source", "reason"),
        "Records that could not be read, by adapter and reason.",
    ),
    Definition(
        "duplicate_events_total", "counter", (), "Events the vendor delivered again, not counted again."
    ),
    Definition(
        "late_events_total", "counter", ("source",), "Events that came after their day had been learned."
    ),
    Definition(
        "repeated_events_total", "counter", (), "Events passed over because they had been applied before."
    ),
    Definition(
        "unordered_events_total", "counter", (), "Events let through early because too many were held back."
    ),
    Definition(
        "forgotten_operations_total",
        "counter",
        (),
        "Operations a full ledger has forgotten; what they report again is counted again.",
    ),
    Definition(
        "evicted_identities_total",
        "counter",
        (),
        "Identities forgotten because a partition had too many; each is new should it return.",
    ),
    Definition(
        "signals_total", "counter", ("detector",), "Signals raised by identities going over their own bound."
    ),
    Definition(
        "refused_signals_total", "counter", (), "Signals refused because a partition had too many tenants."
    ),
    Definition(
        "provisional_signals_total",
        "counter",
        (),
        "Signals judged before the days that they rest on were complete.",
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
        "From event to alert, without closings: until the record arrived (source), and from then on (own).",
        (0.5, 1, 2, 5, 15, 60, 300, 3600, 21600, 86400),
    ),
    Definition(
        "incidents_open", "gauge", ("severity",), "Published incidents that are open here, by severity."
    ),
    Definition("risk_max", "gauge", (), "The highest risk of an incident that is open here, 0 to 100."),
    Definition(
        "notification_deadline_timestamp_seconds",
        "gauge",
        ("incident",),
        "By when the authority must be notified of a confirmed breach; absent once it has been.",
    ),
    Definition(
        "dropped_decisions_total",
        "counter",
        (),
        "Decisions dropped because they no longer have any effect and there were too many.",
    ),
    Definition("profiles", "gauge", ("kind",), "Identities known here, by kind of actor."),
    Definition("state_bytes", "gauge", ("stage",), "Saved state held here, keys and values."),
    Definition("held_events", "gauge", (), "Events held back until every partition is as far."),
    Definition("held_signals", "gauge", (), "Signals waiting for the days that they rest on to be complete."),
    Definition(
        "source_lag_seconds",
        "gauge",
        ("source",),
        "How long after its time the newest event of the batch last read arrived, by adapter.",
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
        "Records published but not yet committed as processed; absent while it is not known.",
    ),
    Definition(
        "commit_timestamp_seconds",
        "gauge",
        (),
        "When the partition that is slowest here last moved or had nothing to do.",
    ),
    Definition(
        "batch_seconds",
        "histogram",
        ("stage",),
        "Computing on one batch of records, by stage.",
        (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10),
    ),
    Definition(
        "restore_seconds",
        "histogram",
        ("stage",),
        "Reading a partition's state back, by stage.",
        (0.5, 1, 2, 5, 15, 60, 300),
    ),
    Definition("rebalances_total", "counter", (), "How often partitions were given to this worker anew."),
    Definition("build_info", "gauge", ("version",), "Always 1; the version of crmwatch."),
)
"""Every metric there is; documentation and dashboards are tested against it."""
