-- Signals of all sources in one table: what is seen of endpoints and NASes, what detectors find, and what other systems
-- tell. Those about an identity or a MAC address add to its risk, which is read once, when the server starts.

ALTER TABLE signal DROP CONSTRAINT signal_check;
ALTER TABLE signal
    ADD COLUMN identity_id    BYTEA,
    ADD COLUMN mac            TEXT,
    -- what led to the identity or the MAC address
    ADD COLUMN ip             TEXT,
    ADD COLUMN session_id     BYTEA,
    ADD COLUMN severity       TEXT   NOT NULL DEFAULT 'high',
    ADD COLUMN source         TEXT   NOT NULL DEFAULT 'cordon',
    -- what the source calls it: it is taken in once
    ADD COLUMN source_id      TEXT,
    -- the same kind, source and topic told again takes the place of the earlier one
    ADD COLUMN topic          TEXT   NOT NULL DEFAULT '',
    ADD COLUMN half_life_secs BIGINT,
    -- what the source knows besides, as JSON
    ADD COLUMN evidence       TEXT   NOT NULL DEFAULT '{}',
    -- what somebody said about it: acknowledged, or dismissed, which adds to no risk any more
    ADD COLUMN settled        TEXT,
    ADD COLUMN settled_us     BIGINT,
    ADD COLUMN settled_by     TEXT,
    ADD COLUMN settled_reason TEXT;

-- "what speaks against them": newest first.
CREATE INDEX signal_by_identity ON signal (identity_id, id) WHERE identity_id IS NOT NULL;
CREATE INDEX signal_by_mac      ON signal (mac, id)         WHERE mac IS NOT NULL;
-- What is sent again is found.
CREATE UNIQUE INDEX signal_by_source ON signal (source, source_id) WHERE source_id IS NOT NULL;
