-- Records lie in tables that are made for each stretch of time: see 0005 and
-- migrations/partitions.
SELECT 1;
