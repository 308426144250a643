-- Runs of playbooks, that they are stopped, and cases for people to look into.

CREATE TABLE playbook_run (
    id          BYTEA   NOT NULL PRIMARY KEY,
    playbook    TEXT    NOT NULL,
    -- one of the two
    identity_id BYTEA,
    mac         TEXT,
    state       TEXT    NOT NULL,
    -- it was taken back while its cause went on: it does not begin anew for the same
    muted       BIGINT NOT NULL,
    began_us    BIGINT NOT NULL,
    -- the steps and what came of them, as JSON
    body        TEXT    NOT NULL
);
CREATE INDEX playbook_run_by_state    ON playbook_run (state, id);
CREATE INDEX playbook_run_by_identity ON playbook_run (identity_id, id) WHERE identity_id IS NOT NULL;
CREATE INDEX playbook_run_muted       ON playbook_run (id) WHERE muted = 1;

-- One row while they are stopped.
CREATE TABLE playbook_stop (
    id         BIGINT NOT NULL PRIMARY KEY,
    stopped_us BIGINT NOT NULL,
    stopped_by TEXT    NOT NULL,
    reason     TEXT    NOT NULL
);

CREATE TABLE incident (
    id          BYTEA   NOT NULL PRIMARY KEY,
    state       TEXT    NOT NULL,
    identity_id BYTEA,
    run_id      BYTEA,
    opened_us   BIGINT NOT NULL,
    -- the title and what people said, as JSON
    body        TEXT    NOT NULL,
    -- what was known when it was opened, as JSON
    evidence    TEXT    NOT NULL
);
CREATE INDEX incident_by_state ON incident (state, id);
