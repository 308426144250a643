-- What is to be done to sessions that are there, and what came of it.

-- Changes that one cause asked of many sessions.
CREATE TABLE change_wave (
    id   BLOB NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE change_order (
    id         BLOB    NOT NULL PRIMARY KEY,
    session_id BLOB    NOT NULL,
    nas_name   TEXT    NOT NULL,
    wave_id    BLOB,
    -- the decision that had let it in
    decision_id BLOB,
    -- 'waiting', or how it ended
    state      TEXT    NOT NULL,
    -- 1 while it is to be tried: what a server that starts goes on with
    pending    INTEGER NOT NULL,
    -- 1 where it goes at the pace of waves, after all others
    bulk       INTEGER NOT NULL,
    due_us     INTEGER NOT NULL,
    -- the whole record as JSON; the columns above repeat what is searched by
    body       TEXT    NOT NULL
) STRICT;

-- "what is to be done now": few, and found without looking at what is over
CREATE INDEX change_order_due        ON change_order (bulk, due_us, id) WHERE pending = 1;
-- at most one that is to be tried for each session, and what was done to it
CREATE UNIQUE INDEX change_order_one ON change_order (session_id) WHERE pending = 1;
CREATE INDEX change_order_by_session ON change_order (session_id, id);
-- "what was done to who was let in so"
CREATE INDEX change_order_by_decision ON change_order (decision_id, id) WHERE decision_id IS NOT NULL;
CREATE INDEX change_order_by_wave    ON change_order (wave_id, state) WHERE wave_id IS NOT NULL;
