-- Conflicts that were resolved; the greatest place is the newest.
CREATE TABLE sync_conflict_history (
    place INTEGER PRIMARY KEY,
    op_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    state TEXT NOT NULL
) STRICT;

-- How far the waiting edits of an entity are, for queries of the app's; one without operations has
-- no entry.
CREATE VIEW sync_entity_states (kind, entity_id, state) AS
SELECT kind, entity_id,
    CASE
        WHEN status = 'stuck' THEN 'stuck'
        WHEN status = 'deferred' THEN 'conflict'
        WHEN fate = 'unknown' THEN 'sending'
        ELSE 'pending'
    END
FROM sync_outbox AS head
WHERE NOT EXISTS (
    SELECT 1 FROM sync_outbox AS older
    WHERE older.kind = head.kind AND older.entity_id = head.entity_id AND older.seq < head.seq
);
