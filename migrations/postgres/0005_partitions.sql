-- Records lie in a table for each stretch of time, so that what is old is dropped
-- rather than deleted row by row. Which there are: `from_us` to `until_us`.
CREATE TABLE partitions (
    family   TEXT    NOT NULL,
    from_us  BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    -- the end of its tables' names
    suffix   TEXT    NOT NULL,
    PRIMARY KEY (family, from_us)
);

-- Up to where the journal of each server is stored here.
CREATE TABLE journal_place (
    journal BYTEA   NOT NULL PRIMARY KEY,
    file    BIGINT NOT NULL,
    place   BIGINT NOT NULL
);
