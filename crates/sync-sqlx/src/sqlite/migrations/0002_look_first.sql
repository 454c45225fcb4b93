-- An operation that may have been applied under another key than the present one: the server is
-- asked for its record before it is sent.
ALTER TABLE sync_outbox ADD COLUMN look_first INTEGER NOT NULL DEFAULT 0;
