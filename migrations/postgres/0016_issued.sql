-- Certificates that this server has issued.

CREATE TABLE issued_certificate (
    -- in lower-case hexadecimal
    serial        TEXT    NOT NULL PRIMARY KEY,
    issuer        TEXT    NOT NULL,
    subject       TEXT    NOT NULL,
    identity_id   BYTEA   NOT NULL,
    not_before_us BIGINT NOT NULL,
    not_after_us  BIGINT NOT NULL,
    issued_us     BIGINT NOT NULL,
    issued_by     TEXT    NOT NULL,
    revoked_us    BIGINT
);
-- "all certificates of this identity", when it is revoked
CREATE INDEX issued_by_identity ON issued_certificate (identity_id);
-- "what expires next"
CREATE INDEX issued_by_end ON issued_certificate (not_after_us, serial);
