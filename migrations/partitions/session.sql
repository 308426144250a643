-- Stays on the network, one table for each week in which they began; {p} is its
-- first day. Ids begin with their time.
CREATE TABLE session_{p} (
    id              BLOB    NOT NULL PRIMARY KEY,
    -- the first session of the same stay
    stay_id         BLOB    NOT NULL,
    -- of NAS, device, Acct-Session-Id and station, which are of any length
    key             BLOB    NOT NULL,
    -- how many earlier stays had the same names: some NAS count from 1
    -- again when they restart
    reuse           INTEGER NOT NULL,
    nas_name        TEXT    NOT NULL,
    -- which device of that NAS, since one entry of the configuration may stand
    -- for many
    device          TEXT    NOT NULL,
    acct_session_id TEXT    NOT NULL,
    station         TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    started_us      INTEGER NOT NULL,
    last_us         INTEGER NOT NULL,
    -- nothing while it goes on
    ended_us        INTEGER,
    mac             TEXT,
    identity_name   TEXT,
    user_name       TEXT,
    nas_port        TEXT,
    decision_id     BLOB,
    input_octets    INTEGER NOT NULL,
    output_octets   INTEGER NOT NULL,
    details         TEXT    NOT NULL
) STRICT;

-- A record finds its session by what the NAS calls it.
CREATE UNIQUE INDEX session_{p}_by_key ON session_{p} (key, reuse);
-- "where is this device", "who had this address then".
CREATE INDEX session_{p}_by_mac      ON session_{p} (mac, started_us)                WHERE mac IS NOT NULL;
-- "who was on this port then".
CREATE INDEX session_{p}_by_port     ON session_{p} (nas_name, nas_port, started_us);
-- "where is this identity", "what did it do".
CREATE INDEX session_{p}_by_identity ON session_{p} (identity_name, id)              WHERE identity_name IS NOT NULL;
-- "who is on, or may be": those that nobody said have ended are a small part.
CREATE INDEX session_{p}_live        ON session_{p} (id)                             WHERE state <> 'stopped';

-- "who had this address then": of each session the addresses that it had, and
-- since when. Until when is in its details.
CREATE TABLE session_address_{p} (
    address    TEXT    NOT NULL,
    first_us   INTEGER NOT NULL,
    session_id BLOB    NOT NULL,
    PRIMARY KEY (address, session_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_address_{p}_by_time ON session_address_{p} (address, first_us);
