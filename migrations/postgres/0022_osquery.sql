-- Hosts whose osquery was enrolled.

CREATE TABLE osquery_node (
    id              BYTEA   NOT NULL PRIMARY KEY,
    -- what the host is called by --host_identifier
    host_identifier TEXT    NOT NULL,
    -- whose certificate enrolled it; empty if it was a secret
    identity_id     BYTEA   NOT NULL,
    -- SHA-256 of its node key
    key_digest      BYTEA   NOT NULL UNIQUE,
    hardware_serial TEXT    NOT NULL,
    hostname        TEXT    NOT NULL,
    platform        TEXT    NOT NULL,
    os_version      TEXT    NOT NULL,
    osquery_version TEXT    NOT NULL,
    enrolled_us     BIGINT  NOT NULL,
    seen_us         BIGINT  NOT NULL,
    -- a secret that many know does not take the place of a certificate
    UNIQUE (host_identifier, identity_id)
);
-- "which were silent for longest", when there are too many
CREATE INDEX osquery_by_seen ON osquery_node (identity_id, seen_us);
