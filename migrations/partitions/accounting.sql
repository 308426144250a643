-- Each accounting record once, one table for each week of what they tell; {p} is
-- its first day. The digest is what makes two records the same, and begins with the
-- record's time, so that new ones are appended.
CREATE TABLE accounting_{p} (
    digest          BLOB    NOT NULL PRIMARY KEY,
    received_us     INTEGER NOT NULL,
    event_us        INTEGER NOT NULL,
    nas_name        TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    status          INTEGER NOT NULL,
    acct_session_id TEXT    NOT NULL,
    station         TEXT    NOT NULL,
    input_octets    INTEGER,
    output_octets   INTEGER,
    session_time    INTEGER
) STRICT, WITHOUT ROWID;

-- "when did this NAS restart": few.
CREATE INDEX accounting_{p}_restarts ON accounting_{p} (event_us) WHERE status IN (7, 8);
