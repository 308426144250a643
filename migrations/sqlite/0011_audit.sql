-- The audit log: who changed what, in a chain. Rows are added at the end and never
-- change.

CREATE TABLE audit_event (
    -- its place, from 0 and without gaps: also the index of its leaf in the Merkle tree
    seq         INTEGER NOT NULL PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE,
    at_us       INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    object_kind TEXT    NOT NULL,
    object_name TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    -- the whole event as canonical JSON, with the hash of the one before: what is
    -- hashed. The columns above repeat what is searched by
    body        TEXT    NOT NULL,
    -- SHA-256 of 0x00 and the body, as RFC 6962 hashes leaves
    hash        BLOB    NOT NULL
) STRICT;

-- "what did she do", "who did this", "who touched this", each with the latest first
CREATE INDEX audit_by_actor  ON audit_event (actor, seq);
CREATE INDEX audit_by_action ON audit_event (action, seq);
CREATE INDEX audit_by_object ON audit_event (object_kind, object_name, seq);
CREATE INDEX audit_by_time   ON audit_event (at_us);

-- How many there are, and the hash of the last. Who appends takes this row first, so
-- that two processes write one after the other.
CREATE TABLE audit_head (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL,
    hash BLOB    NOT NULL
) STRICT;
INSERT INTO audit_head (one, size, hash)
VALUES (1, 0, X'0000000000000000000000000000000000000000000000000000000000000000');

-- Signed statements of how many events there were, and of the root over them.
CREATE TABLE audit_checkpoint (
    size  INTEGER NOT NULL PRIMARY KEY,
    at_us INTEGER NOT NULL,
    note  TEXT    NOT NULL
) STRICT;

-- Up to where a receiver has been told.
CREATE TABLE audit_export (
    receiver TEXT    NOT NULL PRIMARY KEY,
    next_seq INTEGER NOT NULL,
    at_us    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
