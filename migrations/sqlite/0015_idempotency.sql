-- What was answered to requests with an Idempotency-Key, for a day.

CREATE TABLE idempotency (
    -- of who asked, for what, and by which key
    digest     BLOB    NOT NULL PRIMARY KEY,
    -- of the body: the same key with another one is a mistake
    body       BLOB    NOT NULL,
    created_us INTEGER NOT NULL,
    -- null while it is being answered, and for good where the answer is not kept
    status     INTEGER,
    answer     TEXT
) STRICT, WITHOUT ROWID;
-- what is older than a day goes
CREATE INDEX idempotency_by_time ON idempotency (created_us);
