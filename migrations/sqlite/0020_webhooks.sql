-- Who is told what happens, and what they have not been told yet.

CREATE TABLE webhook (
    id              BLOB    NOT NULL PRIMARY KEY,
    name            TEXT    NOT NULL,
    url             TEXT    NOT NULL,
    -- what is told, as a JSON list
    topics          TEXT    NOT NULL,
    enabled         INTEGER NOT NULL,
    give_up_secs    INTEGER NOT NULL,
    -- sealed; the one before signs, too, until its time is over
    secret          BLOB    NOT NULL,
    old_secret      BLOB,
    old_until_us    INTEGER,
    created_by      TEXT    NOT NULL,
    created_us      INTEGER NOT NULL,
    -- the number of the event of the audit log that it is told next
    audit_next      INTEGER NOT NULL,
    delivered       INTEGER NOT NULL,
    -- for want of room in its queue
    dropped         INTEGER NOT NULL,
    -- of those that were given up, the oldest
    forgotten       INTEGER NOT NULL,
    last_success_us INTEGER,
    last_failure_us INTEGER,
    last_error      TEXT
) STRICT;

-- No reference to the webhook: what is stored with records must not fail for one that was deleted just now.
CREATE TABLE webhook_delivery (
    id         BLOB    NOT NULL PRIMARY KEY,
    webhook_id BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_us INTEGER NOT NULL,
    due_us     INTEGER NOT NULL,
    -- 1 when it was given up
    dead       INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    first_us   INTEGER,
    last_us    INTEGER,
    error      TEXT
) STRICT;
-- "what is due", "what was given up": of one webhook at a time, the oldest first.
CREATE INDEX webhook_delivery_by_due ON webhook_delivery (webhook_id, dead, due_us, id);
