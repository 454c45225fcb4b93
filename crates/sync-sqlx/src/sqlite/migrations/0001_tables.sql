-- What the library remembers, beside the user's tables. Plain columns, text ids and stamps: triggers
-- and other programs can read and write them.

CREATE TABLE sync_outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    op_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    op TEXT NOT NULL CHECK (op IN ('upsert', 'delete')),
    payload TEXT,
    changed TEXT,
    written_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    verdict TEXT,
    precondition TEXT,
    round INTEGER NOT NULL DEFAULT 0,
    fate TEXT NOT NULL DEFAULT 'never_sent',
    ever_sent INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'pending',
    try_count INTEGER NOT NULL DEFAULT 0,
    trouble_count INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,
    last_error TEXT,
    -- the version of the app's schema that the payload was written under
    schema_version INTEGER NOT NULL DEFAULT 1,
    CHECK ((op = 'upsert') = (payload IS NOT NULL))
) STRICT;
CREATE INDEX sync_outbox_entity ON sync_outbox (kind, entity_id);

-- A state is 'absent', 'live' or 'deleted'; the parked slot is empty where parked_state is null.
CREATE TABLE sync_shadow (
    kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    base_state TEXT NOT NULL,
    base_record TEXT,
    base_stamp TEXT,
    base_tag TEXT,
    parked_state TEXT,
    parked_record TEXT,
    parked_stamp TEXT,
    parked_tag TEXT,
    schema_version INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (kind, entity_id)
) STRICT, WITHOUT ROWID;

-- One entry per row that the server wrote. A rowid table: random ids in a clustered index would slow
-- down a first pull.
CREATE TABLE sync_versions (
    kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    stamp TEXT,
    tag TEXT,
    generation INTEGER NOT NULL DEFAULT 0,
    removed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX sync_versions_entity ON sync_versions (kind, entity_id);
CREATE INDEX sync_versions_removed ON sync_versions (kind) WHERE removed = 1;

CREATE TABLE sync_extra (
    kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    fields TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX sync_extra_entity ON sync_extra (kind, entity_id);

CREATE TABLE sync_conflicts (
    op_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_quarantine (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    schema_version INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_cursors (
    kind TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Notes: account, epoch, lease and the like.
CREATE TABLE sync_meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
