-- What was decided, one table for each week; {p} is its first day. Ids begin with
-- their time, so that a primary key is also the order of creation, and pages are
-- read along it.
CREATE TABLE decision_{p} (
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
CREATE INDEX decision_{p}_by_mac      ON decision_{p} (mac, id)           WHERE mac IS NOT NULL;
CREATE INDEX decision_{p}_by_identity ON decision_{p} (identity_name, id) WHERE identity_name IS NOT NULL;
CREATE INDEX decision_{p}_by_nas      ON decision_{p} (nas_name, id);
CREATE INDEX decision_{p}_by_reason   ON decision_{p} (reason, id);
-- "what would be refused if it were enforced": few, and only at times
CREATE INDEX decision_{p}_observed    ON decision_{p} (id) WHERE enforced = 0;
