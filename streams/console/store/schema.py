"""The index's tables."""

from __future__ import annotations

__all__ = ["SCHEMA", "SCHEMA_VERSION"]

SCHEMA_VERSION = "6"
"""An index of another version is deleted and built anew."""

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE offsets (topic TEXT, part INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, part)) WITHOUT ROWID;
CREATE TABLE unreadable (
    topic TEXT, part INTEGER, position INTEGER, reason TEXT NOT NULL, PRIMARY KEY (topic, part, position)
) WITHOUT ROWID;

-- An incident as its newest alert has it, and what operators have decided about it.
CREATE TABLE incidents (
    uid TEXT PRIMARY KEY, tenant TEXT NOT NULL, identity TEXT NOT NULL, network TEXT NOT NULL, source TEXT NOT NULL,
    title TEXT NOT NULL, detectors TEXT NOT NULL, actor TEXT NOT NULL,
    severity INTEGER NOT NULL, risk INTEGER NOT NULL, rows INTEGER NOT NULL,
    start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    acknowledged_ms INTEGER, acknowledged_by TEXT NOT NULL DEFAULT '', assignee TEXT NOT NULL DEFAULT '',
    confirmed_ms INTEGER, aware_ms INTEGER, deadline_ms INTEGER, notified_ms INTEGER, muted_until_ms INTEGER,
    ended_ms INTEGER, ended_as TEXT NOT NULL DEFAULT '',
    open INTEGER NOT NULL,
    body BLOB NOT NULL, positions BLOB NOT NULL
);
CREATE INDEX incidents_open ON incidents (risk DESC, severity DESC, time_ms DESC, uid) WHERE open;
CREATE INDEX incidents_troubles ON incidents (time_ms, source, uid, title) WHERE open AND source != '';
CREATE INDEX incidents_waiting ON incidents (severity, muted_until_ms)
    WHERE open AND acknowledged_ms IS NULL AND confirmed_ms IS NULL;
CREATE INDEX incidents_time ON incidents (time_ms);
CREATE INDEX incidents_identity ON incidents (identity);
CREATE INDEX incidents_confirmed ON incidents (confirmed_ms) WHERE confirmed_ms IS NOT NULL;
CREATE INDEX incidents_due ON incidents (deadline_ms) WHERE deadline_ms IS NOT NULL AND notified_ms IS NULL;

-- Every alert of an incident; the same bytes twice are one.
CREATE TABLE versions (
    uid TEXT, digest BLOB, part INTEGER NOT NULL, position INTEGER NOT NULL, arrived_ms INTEGER,
    time_ms INTEGER NOT NULL, activity INTEGER NOT NULL, severity INTEGER NOT NULL, risk INTEGER NOT NULL,
    rows INTEGER NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (uid, digest)
) WITHOUT ROWID;

-- Every event that any alert of an incident has quoted.
CREATE TABLE evidence (
    uid TEXT, event TEXT, time_ms INTEGER, operation TEXT NOT NULL, rows INTEGER, objects TEXT NOT NULL,
    identity TEXT NOT NULL, address TEXT NOT NULL, network TEXT NOT NULL, agent TEXT NOT NULL, app TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (uid, event)
) WITHOUT ROWID;
CREATE INDEX evidence_address ON evidence (address);
CREATE INDEX evidence_network ON evidence (network);
CREATE INDEX evidence_agent ON evidence (agent);
CREATE INDEX evidence_app ON evidence (app);
CREATE INDEX evidence_identity ON evidence (identity);

-- What an incident can be found by.
CREATE TABLE terms (kind TEXT, value TEXT, uid TEXT, PRIMARY KEY (kind, value, uid)) WITHOUT ROWID;
CREATE INDEX terms_uid ON terms (uid);

-- Each decision once; `body` is its canonical encoding.
CREATE TABLE decisions (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, time_ms INTEGER NOT NULL, incident TEXT NOT NULL, identity TEXT NOT NULL,
    withdraws TEXT NOT NULL, until_ms INTEGER, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX decisions_incident ON decisions (incident);
CREATE INDEX decisions_identity ON decisions (identity);
CREATE INDEX decisions_withdraws ON decisions (withdraws) WHERE withdraws != '';
CREATE VIEW decisions_in_force AS
    SELECT * FROM decisions AS held WHERE withdraws = '' AND NOT EXISTS (
        SELECT 1 FROM decisions WHERE withdraws != '' AND withdraws = held.id
        AND kind = held.kind AND incident = held.incident AND identity = held.identity
    );

-- Activity by tick of ten minutes and by the shard that counted; a tick published again takes its own place.
CREATE TABLE ticks (
    tenant TEXT, start_ms INTEGER, shard INTEGER, category TEXT, rows INTEGER NOT NULL,
    PRIMARY KEY (tenant, start_ms, shard, category)
) WITHOUT ROWID;
CREATE INDEX ticks_start ON ticks (start_ms);
CREATE TABLE arrivals (
    tenant TEXT, start_ms INTEGER, shard INTEGER, source TEXT, events INTEGER NOT NULL,
    PRIMARY KEY (tenant, source, start_ms, shard)
) WITHOUT ROWID;
CREATE INDEX arrivals_start ON arrivals (start_ms);

-- Identities as they are published, newest record each.
CREATE TABLE identities (
    identity TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, last_ms INTEGER NOT NULL, record BLOB NOT NULL
);

-- Who is who: the directory's topic.
CREATE TABLE directory (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;

-- Which identities use a network, a program or an app, by its checksum, and on which day last.
CREATE TABLE uses (
    checksum INTEGER, identity TEXT, day INTEGER NOT NULL, PRIMARY KEY (checksum, identity)
) WITHOUT ROWID;
CREATE INDEX uses_identity ON uses (identity);
"""
