-- The tables of each stretch of time are made in steps (migrations/partitions), and what those of
-- an earlier version lack is done when the database is opened: up to which step each is.
ALTER TABLE partitions ADD COLUMN step BIGINT NOT NULL DEFAULT 1;
