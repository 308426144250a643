-- What was counted on each NAS in each period, one table for each stretch of time;
-- {p} is its name.
CREATE TABLE usage_{p} (
    begin_us      INTEGER NOT NULL,
    nas_name      TEXT    NOT NULL,
    input_octets  INTEGER NOT NULL,
    output_octets INTEGER NOT NULL,
    -- accounting records that told something of a session
    records       INTEGER NOT NULL,
    -- sessions that began
    sessions      INTEGER NOT NULL,
    PRIMARY KEY (nas_name, begin_us)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_{p}_by_time ON usage_{p} (begin_us);
