-- Signals of all sources in one table: what is seen of endpoints and NASes, what detectors find, and what other systems
-- tell. Those about an identity or a MAC address add to its risk, which is read once, when the server starts.

CREATE TABLE signal_of_any (
    id             BLOB    NOT NULL PRIMARY KEY,
    endpoint_id    BLOB    REFERENCES endpoint (id) ON DELETE CASCADE,
    nas_name       TEXT,
    -- where that NAS sends from
    nas_address    TEXT,
    identity_id    BLOB,
    mac            TEXT,
    -- what led to the identity or the MAC address
    ip             TEXT,
    session_id     BLOB,
    at_us          INTEGER NOT NULL,
    kind           TEXT    NOT NULL,
    severity       TEXT    NOT NULL DEFAULT 'high',
    source         TEXT    NOT NULL DEFAULT 'cordon',
    -- what the source calls it: it is taken in once
    source_id      TEXT,
    -- the same kind, source and topic told again takes the place of the earlier one
    topic          TEXT    NOT NULL DEFAULT '',
    detail         TEXT    NOT NULL,
    half_life_secs INTEGER,
    -- what the source knows besides, as JSON
    evidence       TEXT    NOT NULL DEFAULT '{}',
    -- what somebody said about it: acknowledged, or dismissed, which adds to no risk any more
    settled        TEXT,
    settled_us     INTEGER,
    settled_by     TEXT,
    settled_reason TEXT
) STRICT;
INSERT INTO signal_of_any (id, endpoint_id, nas_name, nas_address, at_us, kind, detail)
    SELECT id, endpoint_id, nas_name, nas_address, at_us, kind, detail FROM signal;
DROP TABLE signal;
ALTER TABLE signal_of_any RENAME TO signal;

-- "what is wrong with this device", "with this switch", "where is this seen", "what speaks against them": newest first.
CREATE INDEX signal_by_endpoint ON signal (endpoint_id, id) WHERE endpoint_id IS NOT NULL;
CREATE INDEX signal_by_nas      ON signal (nas_name, id)    WHERE nas_name IS NOT NULL;
CREATE INDEX signal_by_identity ON signal (identity_id, id) WHERE identity_id IS NOT NULL;
CREATE INDEX signal_by_mac      ON signal (mac, id)         WHERE mac IS NOT NULL;
CREATE INDEX signal_by_kind     ON signal (kind, id);
-- What is sent again is found.
CREATE UNIQUE INDEX signal_by_source ON signal (source, source_id) WHERE source_id IS NOT NULL;
