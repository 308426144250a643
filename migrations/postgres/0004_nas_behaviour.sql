-- What each NAS normally says, by the address that it sends from; learned from its
-- requests, and bounded: what has been silent for longest makes room.

CREATE TABLE nas_behaviour (
    address  TEXT    NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,
    first_us BIGINT NOT NULL,
    last_us  BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    -- what it says, as JSON
    learned  TEXT    NOT NULL
);

-- Signals are about an endpoint or about a NAS.
CREATE TABLE signal (
    id          BYTEA   NOT NULL PRIMARY KEY,
    endpoint_id BYTEA   REFERENCES endpoint (id) ON DELETE CASCADE,
    nas_name    TEXT,
    -- where that NAS sends from
    nas_address TEXT,
    at_us       BIGINT NOT NULL,
    kind        TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    CHECK ((endpoint_id IS NULL) = (nas_name IS NOT NULL) AND (nas_name IS NULL) = (nas_address IS NULL))
);

-- "what is wrong with this device", "with this switch", "where is this seen": newest first.
CREATE INDEX signal_by_endpoint ON signal (endpoint_id, id) WHERE endpoint_id IS NOT NULL;
CREATE INDEX signal_by_nas      ON signal (nas_name, id)    WHERE nas_name IS NOT NULL;
CREATE INDEX signal_by_kind     ON signal (kind, id);
