-- What each NAS normally says, by the address that it sends from; learned from its
-- requests, and bounded: what has been silent for longest makes room.

CREATE TABLE nas_behaviour (
    address  TEXT    NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,
    first_us INTEGER NOT NULL,
    last_us  INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    -- what it says, as JSON
    learned  TEXT    NOT NULL
) STRICT;

-- Signals are about an endpoint or about a NAS.
CREATE TABLE signal_of_either (
    id          BLOB    NOT NULL PRIMARY KEY,
    endpoint_id BLOB    REFERENCES endpoint (id) ON DELETE CASCADE,
    nas_name    TEXT,
    -- where that NAS sends from
    nas_address TEXT,
    at_us       INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    CHECK ((endpoint_id IS NULL) = (nas_name IS NOT NULL) AND (nas_name IS NULL) = (nas_address IS NULL))
) STRICT;
INSERT INTO signal_of_either (id, endpoint_id, at_us, kind, detail)
    SELECT id, endpoint_id, at_us, kind, detail FROM signal;
DROP TABLE signal;
ALTER TABLE signal_of_either RENAME TO signal;

-- "what is wrong with this device", "with this switch", "where is this seen": newest first.
CREATE INDEX signal_by_endpoint ON signal (endpoint_id, id) WHERE endpoint_id IS NOT NULL;
CREATE INDEX signal_by_nas      ON signal (nas_name, id)    WHERE nas_name IS NOT NULL;
CREATE INDEX signal_by_kind     ON signal (kind, id);
