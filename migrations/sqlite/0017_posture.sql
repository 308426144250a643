-- How identities are doing, as far as it was reported. It is read once, when the server
-- starts; decisions are taken from memory.

CREATE TABLE posture (
    identity_id BLOB    NOT NULL PRIMARY KEY,
    -- how it was judged when this was written; compliance policies may have changed since
    status      TEXT    NOT NULL,
    updated_us  INTEGER NOT NULL,
    -- what each source said last, and since when checks fail, as JSON
    body        TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
