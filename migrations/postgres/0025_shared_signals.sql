-- Shared Signals: what was taken in, who is told, and what they have not been told yet.

-- A token is taken in once: rows stay longer than a token may be old.
CREATE TABLE ssf_received (
    transmitter TEXT    NOT NULL,
    -- SHA-256 of the jti
    digest      BYTEA    NOT NULL,
    at_us       BIGINT NOT NULL,
    PRIMARY KEY (transmitter, digest)
);
CREATE INDEX ssf_received_by_time ON ssf_received (at_us);

CREATE TABLE ssf_stream (
    id              BYTEA    NOT NULL PRIMARY KEY,
    owner           TEXT    NOT NULL,
    owner_name      TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    -- what its receiver says of it, as JSON
    body            TEXT    NOT NULL,
    -- sealed: what the receiver wants to be shown when it is told
    authorization_  BYTEA,
    created_us      BIGINT NOT NULL,
    verified_us     BIGINT,
    delivered       BIGINT NOT NULL,
    -- for want of room in its queue
    dropped         BIGINT NOT NULL,
    -- given up
    dead            BIGINT NOT NULL,
    last_success_us BIGINT,
    last_failure_us BIGINT,
    last_error      TEXT
);

CREATE TABLE ssf_event (
    id         BYTEA    NOT NULL PRIMARY KEY,
    stream_id  BYTEA    NOT NULL,
    -- what happened, as JSON
    body       TEXT    NOT NULL,
    created_us BIGINT NOT NULL,
    due_us     BIGINT NOT NULL,
    attempts   BIGINT NOT NULL
);
CREATE INDEX ssf_event_by_stream ON ssf_event (stream_id, id);

CREATE TABLE ssf_key (
    kid        TEXT    NOT NULL PRIMARY KEY,
    -- sealed
    private    BYTEA    NOT NULL,
    created_us BIGINT NOT NULL,
    -- it signs nothing since, and is still published
    retired_us BIGINT
);

-- What was told last of somebody's risk and compliance: only what differs is told again.
CREATE TABLE ssf_told (
    identity_id BYTEA NOT NULL,
    what        TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (identity_id, what)
);
