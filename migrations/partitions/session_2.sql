-- What a console narrows a list by; few values, found within a short walk.
ALTER TABLE session_{p} ADD COLUMN profile TEXT;
ALTER TABLE session_{p} ADD COLUMN ssid    TEXT;
ALTER TABLE session_{p} ADD COLUMN vlan    TEXT;

-- "what did this user do", by the name that the NAS told: those of whom no identity is known have
-- no other.
CREATE INDEX session_{p}_by_user ON session_{p} (user_name, id) WHERE user_name IS NOT NULL;
