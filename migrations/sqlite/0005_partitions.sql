-- Records lie in a table for each stretch of time, so that what is old is dropped
-- rather than deleted row by row. Which there are: `from_us` to `until_us`.
CREATE TABLE partitions (
    family   TEXT    NOT NULL,
    from_us  INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    -- the end of its tables' names
    suffix   TEXT    NOT NULL,
    PRIMARY KEY (family, from_us)
) STRICT, WITHOUT ROWID;

-- Up to where the journal of each server is stored here.
CREATE TABLE journal_place (
    journal BLOB    NOT NULL PRIMARY KEY,
    file    INTEGER NOT NULL,
    place   INTEGER NOT NULL
) STRICT;

-- What was recorded before is moved when the server starts.
ALTER TABLE decision   RENAME TO decision_before;
ALTER TABLE session    RENAME TO session_before;
ALTER TABLE accounting RENAME TO accounting_before;
DROP INDEX decision_by_mac;
DROP INDEX decision_by_identity;
DROP INDEX decision_by_nas;
DROP INDEX decision_by_reason;
DROP INDEX decision_observed;
DROP INDEX session_by_key;
DROP INDEX session_by_mac;
DROP INDEX session_by_state;
DROP TABLE probe;
