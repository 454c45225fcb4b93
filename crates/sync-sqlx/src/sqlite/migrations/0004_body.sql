-- How much of an update went out in its present round, so that each repetition has the same bytes.
-- What was sent before this was known goes on as a whole record.
ALTER TABLE sync_outbox ADD COLUMN body TEXT;
UPDATE sync_outbox SET body = 'whole' WHERE ever_sent;
