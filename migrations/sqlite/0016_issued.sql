-- Certificates that this server has issued.

CREATE TABLE issued_certificate (
    -- in lower-case hexadecimal
    serial        TEXT    NOT NULL PRIMARY KEY,
    issuer        TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    identity_id   BLOB    NOT NULL,
    not_before_us INTEGER NOT NULL,
    not_after_us  INTEGER NOT NULL,
    issued_us     INTEGER NOT NULL,
    issued_by     TEXT    NOT NULL,
    revoked_us    INTEGER
) STRICT;
-- "all certificates of this identity", when it is revoked
CREATE INDEX issued_by_identity ON issued_certificate (identity_id);
-- "what expires next"
CREATE INDEX issued_by_end ON issued_certificate (not_after_us, serial);
