-- Things as they are seen on the wire, and what does not fit together about them.
-- Derived from decisions and accounting, and bounded: what has not been seen for
-- long is forgotten. Days are UTC days since 1970.

CREATE TABLE endpoint (
    id         BLOB    NOT NULL PRIMARY KEY,
    -- certificate:..., mac:... or login:...; what the next contact is met by
    key        TEXT    NOT NULL,
    ephemeral  INTEGER NOT NULL,
    first_us   INTEGER NOT NULL,
    last_us    INTEGER NOT NULL,
    last_day   INTEGER NOT NULL,
    randomized INTEGER NOT NULL,
    vendor     TEXT,
    category   TEXT,
    -- the rest as JSON: addresses, places, fingerprint with evidence
    details    TEXT    NOT NULL
) STRICT;

-- A contact finds its endpoint.
CREATE UNIQUE INDEX endpoint_by_key ON endpoint (key);
-- "all printers", "all of this vendor", newest first, one page at a time.
CREATE INDEX endpoint_by_vendor   ON endpoint (vendor, id)   WHERE vendor IS NOT NULL;
CREATE INDEX endpoint_by_category ON endpoint (category, id) WHERE category IS NOT NULL;
-- What has not been seen for longest is forgotten first; by the day, so that a
-- contact seldom touches the index.
CREATE INDEX endpoint_by_day ON endpoint (ephemeral, last_day);

-- "who has this address": a contact finds the other endpoints that have it too.
CREATE TABLE endpoint_mac (
    mac         TEXT NOT NULL,
    endpoint_id BLOB NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
    PRIMARY KEY (mac, endpoint_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX endpoint_mac_by_endpoint ON endpoint_mac (endpoint_id);

-- "what was on this switch, on this port". When is in the endpoint's details.
CREATE TABLE endpoint_place (
    nas_name    TEXT NOT NULL,
    endpoint_id BLOB NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
    PRIMARY KEY (nas_name, endpoint_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX endpoint_place_by_endpoint ON endpoint_place (endpoint_id);

CREATE TABLE signal (
    id          BLOB    NOT NULL PRIMARY KEY,
    endpoint_id BLOB    NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
    at_us       INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    detail      TEXT    NOT NULL
) STRICT;

-- "what is wrong with this device", "where is this seen": newest first.
CREATE INDEX signal_by_endpoint ON signal (endpoint_id, id);
CREATE INDEX signal_by_kind     ON signal (kind, id);
