-- Who is told what happens, and what they have not been told yet.

CREATE TABLE webhook (
    id              BYTEA   NOT NULL PRIMARY KEY,
    name            TEXT    NOT NULL,
    url             TEXT    NOT NULL,
    -- what is told, as a JSON list
    topics          TEXT    NOT NULL,
    enabled         BIGINT NOT NULL,
    give_up_secs    BIGINT NOT NULL,
    -- sealed; the one before signs, too, until its time is over
    secret          BYTEA   NOT NULL,
    old_secret      BYTEA,
    old_until_us    BIGINT,
    created_by      TEXT    NOT NULL,
    created_us      BIGINT NOT NULL,
    -- the number of the event of the audit log that it is told next
    audit_next      BIGINT NOT NULL,
    delivered       BIGINT NOT NULL,
    -- for want of room in its queue
    dropped         BIGINT NOT NULL,
    -- of those that were given up, the oldest
    forgotten       BIGINT NOT NULL,
    last_success_us BIGINT,
    last_failure_us BIGINT,
    last_error      TEXT
);

-- No reference to the webhook: what is stored with records must not fail for one that was deleted just now.
CREATE TABLE webhook_delivery (
    id         BYTEA   NOT NULL PRIMARY KEY,
    webhook_id BYTEA   NOT NULL,
    kind       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_us BIGINT NOT NULL,
    due_us     BIGINT NOT NULL,
    -- 1 when it was given up
    dead       BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    first_us   BIGINT,
    last_us    BIGINT,
    error      TEXT
);
-- "what is due", "what was given up": of one webhook at a time, the oldest first.
CREATE INDEX webhook_delivery_by_due ON webhook_delivery (webhook_id, dead, due_us, id);
