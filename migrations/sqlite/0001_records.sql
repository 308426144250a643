-- What was decided, what accounting told, and the stays on the network that
-- follow from it. Times are UTC microseconds; ids are the 16 octets of a UUIDv7,
-- so that a primary key is also the order of creation, and pages are read along it.

CREATE TABLE decision (
    id            BLOB    NOT NULL PRIMARY KEY,
    at_us         INTEGER NOT NULL,
    outcome       TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    nas_name      TEXT    NOT NULL,
    identity_name TEXT,
    mac           TEXT,
    -- 0: the NAS is only observed, and it was not carried out
    enforced      INTEGER NOT NULL,
    -- the whole record as JSON; the columns above repeat what is searched by
    body          TEXT    NOT NULL
) STRICT;

-- "what happened to this device", "... to this identity", "... on this switch",
-- "who fails for this reason": each newest first, one page at a time.
CREATE INDEX decision_by_mac      ON decision (mac, id)           WHERE mac IS NOT NULL;
CREATE INDEX decision_by_identity ON decision (identity_name, id) WHERE identity_name IS NOT NULL;
CREATE INDEX decision_by_nas      ON decision (nas_name, id);
CREATE INDEX decision_by_reason   ON decision (reason, id);
-- "what would be refused if it were enforced": few, and only at times
CREATE INDEX decision_observed    ON decision (id) WHERE enforced = 0;

-- Each acknowledged record once: the digest is what makes two records the same,
-- and begins with the record's time, so that new ones are appended.
CREATE TABLE accounting (
    digest          BLOB    NOT NULL PRIMARY KEY,
    received_us     INTEGER NOT NULL,
    event_us        INTEGER NOT NULL,
    nas_name        TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    status          INTEGER NOT NULL,
    acct_session_id TEXT    NOT NULL,
    station         TEXT    NOT NULL,
    input_octets    INTEGER NOT NULL,
    output_octets   INTEGER NOT NULL,
    session_time    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id              BLOB    NOT NULL PRIMARY KEY,
    nas_name        TEXT    NOT NULL,
    -- which device of that NAS, since one entry of the configuration may stand
    -- for many
    device          TEXT    NOT NULL,
    acct_session_id TEXT    NOT NULL,
    station         TEXT    NOT NULL,
    -- how many earlier stays had the same names: some NAS count from 1
    -- again when they restart
    reuse           INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    started_us      INTEGER NOT NULL,
    last_us         INTEGER NOT NULL,
    restarted_us    INTEGER,
    input_octets    INTEGER NOT NULL,
    output_octets   INTEGER NOT NULL,
    input_packets   INTEGER NOT NULL,
    output_packets  INTEGER NOT NULL,
    session_time    INTEGER NOT NULL,
    mac             TEXT,
    user_name       TEXT,
    details         TEXT    NOT NULL
) STRICT;

-- A record finds its session by what the NAS calls it.
CREATE UNIQUE INDEX session_by_key ON session (nas_name, device, acct_session_id, station, reuse);
-- "where is this device", "who is on".
CREATE INDEX session_by_mac   ON session (mac, id) WHERE mac IS NOT NULL;
CREATE INDEX session_by_state ON session (state, id);

-- One row that is rewritten to learn whether the disk takes writes again.
CREATE TABLE probe (one INTEGER NOT NULL PRIMARY KEY, at_us INTEGER NOT NULL) STRICT;
