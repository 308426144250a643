-- Which form of a stream it is: of two who change it at once, the second changes what the first has made of it.
ALTER TABLE ssf_stream ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
