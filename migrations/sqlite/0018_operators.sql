-- The people who administer the server, and how they sign in.

CREATE TABLE operator (
    id            BLOB    NOT NULL PRIMARY KEY,
    -- as it was given, and in lower case: no two are told apart by case alone
    name          TEXT    NOT NULL,
    name_key      TEXT    NOT NULL UNIQUE,
    email         TEXT,
    -- what they are here for, as a JSON list
    roles         TEXT    NOT NULL,
    -- where, as a JSON list; NULL is everywhere
    sites         TEXT,
    disabled      INTEGER NOT NULL,
    -- issuer and subject, if a provider of identities vouches for them
    provider      TEXT    UNIQUE,
    created_us    INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    -- Argon2id, as a PHC string
    password      TEXT,
    -- what an authenticator app shares with the server, sealed; and the last step of time whose code was used
    totp          BLOB,
    totp_step     INTEGER NOT NULL,
    -- SHA-256 of each recovery code that is left, one after the other
    recovery      BLOB    NOT NULL
) STRICT;

CREATE TABLE operator_passkey (
    -- the id that the authenticator gave it; each sign-in looks one up
    credential    BLOB    NOT NULL PRIMARY KEY,
    operator      BLOB    NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    fixed         BLOB    NOT NULL,
    changing      BLOB    NOT NULL,
    created_us    INTEGER NOT NULL,
    last_used_us  INTEGER
) STRICT;
-- those of one operator
CREATE INDEX operator_passkey_operator ON operator_passkey (operator);

CREATE TABLE operator_link (
    -- SHA-256 of the link's secret part
    digest        BLOB    NOT NULL PRIMARY KEY,
    -- whom it lets in; NULL is the first operator, who is not there yet
    operator      BLOB    REFERENCES operator (id) ON DELETE CASCADE,
    expires_us    INTEGER NOT NULL
) STRICT;

CREATE TABLE operator_sign_in (
    -- SHA-256 of what the browser's cookie holds; each request looks one up
    digest        BLOB    NOT NULL PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE,
    operator      BLOB    NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
    means         TEXT    NOT NULL,
    whole         INTEGER NOT NULL,
    at_us         INTEGER NOT NULL,
    seen_us       INTEGER NOT NULL,
    address       TEXT    NOT NULL,
    browser       TEXT    NOT NULL
) STRICT;
-- those of one operator
CREATE INDEX operator_sign_in_operator ON operator_sign_in (operator);

-- Whose token it is: it may do no more than they, and is good no longer than they; NULL is nobody's.
ALTER TABLE api_token ADD COLUMN operator BLOB REFERENCES operator (id) ON DELETE CASCADE;
-- Where it is good, as a JSON list; NULL is everywhere.
ALTER TABLE api_token ADD COLUMN sites TEXT;

-- Policies that wait for a second pair of eyes.
CREATE TABLE policy_proposal (
    id            BLOB    NOT NULL PRIMARY KEY,
    -- what was asked for, as JSON
    request       TEXT    NOT NULL,
    -- who asked: as the audit log tells them, and as they are known to the server
    proposed_by   TEXT    NOT NULL,
    proposer      TEXT    NOT NULL,
    proposed_us   INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    -- open, approved or rejected
    status        TEXT    NOT NULL,
    decided_by    TEXT,
    decided_us    INTEGER,
    remark        TEXT
) STRICT;
