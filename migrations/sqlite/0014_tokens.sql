-- What scripts and agents show to the API instead of signing in.

CREATE TABLE api_token (
    id           BLOB    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    -- SHA-256 of the value, which is shown once and kept nowhere; each request looks one up
    digest       BLOB    NOT NULL UNIQUE,
    -- what it may do, as a JSON list
    permissions  TEXT    NOT NULL,
    created_by   TEXT    NOT NULL,
    created_us   INTEGER NOT NULL,
    expires_us   INTEGER NOT NULL,
    last_used_us INTEGER,
    revoked_us   INTEGER
) STRICT;
