-- Who is in quarantine. It is read once, when the server starts; decisions are taken from memory. What has ended is in the
-- audit log.

CREATE TABLE containment (
    id          BLOB    NOT NULL PRIMARY KEY,
    -- one of the two
    identity_id BLOB,
    mac         TEXT,
    profile     TEXT    NOT NULL,
    cause       TEXT    NOT NULL,
    set_by      TEXT    NOT NULL,
    -- of the playbook that ends it; one without is an operator's
    run_id      BLOB,
    since_us    INTEGER NOT NULL,
    until_us    INTEGER
) STRICT;
