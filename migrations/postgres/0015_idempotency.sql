-- What was answered to requests with an Idempotency-Key, for a day.

CREATE TABLE idempotency (
    -- of who asked, for what, and by which key
    digest     BYTEA  NOT NULL PRIMARY KEY,
    -- of the body: the same key with another one is a mistake
    body       BYTEA  NOT NULL,
    created_us BIGINT NOT NULL,
    -- null while it is being answered, and for good where the answer is not kept
    status     BIGINT,
    answer     TEXT
);
-- what is older than a day goes
CREATE INDEX idempotency_by_time ON idempotency (created_us);
