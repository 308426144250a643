-- What is usual of each identity, as JSON: read once, when the server starts, and written once a minute for those that were
-- seen. Found by its key alone.
CREATE TABLE baseline (
    identity_id BLOB NOT NULL PRIMARY KEY,
    body        TEXT NOT NULL
) STRICT;
