-- Things as they are seen on the wire, and what does not fit together about them.
-- Derived from decisions and accounting, and bounded: what has not been seen for
-- long is forgotten. Days are UTC days since 1970.

CREATE TABLE endpoint (
    id         BYTEA   NOT NULL PRIMARY KEY,
    -- certificate:..., mac:... or login:...; what the next contact is met by
    key        TEXT    NOT NULL,
    ephemeral  BIGINT NOT NULL,
    first_us   BIGINT NOT NULL,
    last_us    BIGINT NOT NULL,
    last_day   BIGINT NOT NULL,
    randomized BIGINT NOT NULL,
    vendor     TEXT,
    category   TEXT,
    -- the rest as JSON: addresses, places, fingerprint with evidence
    details    TEXT    NOT NULL
);

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
    endpoint_id BYTEA NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
    PRIMARY KEY (mac, endpoint_id)
);
CREATE INDEX endpoint_mac_by_endpoint ON endpoint_mac (endpoint_id);

-- "what was on this switch, on this port". When is in the endpoint's details.
CREATE TABLE endpoint_place (
    nas_name    TEXT NOT NULL,
    endpoint_id BYTEA NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
    PRIMARY KEY (nas_name, endpoint_id)
);
CREATE INDEX endpoint_place_by_endpoint ON endpoint_place (endpoint_id);
