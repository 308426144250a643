-- What was applied: who is known, who may ask, what the rules are, and who
-- changed it when. Decisions are taken from memory; this is read when
-- `inventory_state` says that it has changed.

CREATE TABLE inventory_state (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL
) STRICT;
INSERT INTO inventory_state (one, generation) VALUES (1, 0);

-- Sites, groups, NASes, bindings and profiles, each as a document says it.
CREATE TABLE object (
    kind       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    -- a shared secret, sealed with the key that lies beside the database
    secret     BLOB,
    updated_us INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
    id          BLOB    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    owner       TEXT,
    purpose     TEXT,
    autonomy    INTEGER,
    environment TEXT,
    expires_us  INTEGER,
    groups      TEXT    NOT NULL,
    attributes  TEXT    NOT NULL,
    credentials TEXT    NOT NULL,
    created_us  INTEGER NOT NULL,
    updated_us  INTEGER NOT NULL,
    UNIQUE (kind, name)
) STRICT;

-- Revisions never change and are never removed: a decision names the one it
-- was taken by.
CREATE TABLE policy_revision (
    number     INTEGER NOT NULL PRIMARY KEY,
    -- of the text, as decisions name it
    digest     TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    tests      TEXT,
    comment    TEXT    NOT NULL,
    author     TEXT    NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;

-- The last row names the revision in force.
CREATE TABLE policy_activation (
    number   INTEGER NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL REFERENCES policy_revision (number),
    -- 'activate'; 'rollback', which undoes one; 'pin', which adds a test to one
    how      TEXT    NOT NULL,
    author   TEXT    NOT NULL,
    at_us    INTEGER NOT NULL
) STRICT;

CREATE TABLE change (
    id     BLOB    NOT NULL PRIMARY KEY,
    at_us  INTEGER NOT NULL,
    author TEXT    NOT NULL,
    kind   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    action TEXT    NOT NULL,
    -- field by field, what it was and what it is
    fields TEXT    NOT NULL
) STRICT;
-- "who changed this, and when"
CREATE INDEX change_by_object ON change (kind, name, id);

-- Addresses that ask and are no NAS's, to be adopted.
CREATE TABLE unknown_nas (
    address  TEXT    NOT NULL PRIMARY KEY,
    first_us INTEGER NOT NULL,
    last_us  INTEGER NOT NULL,
    packets  INTEGER NOT NULL,
    -- its latest packet: what it says of itself, and what a secret is tried on
    packet   BLOB    NOT NULL
) STRICT;
