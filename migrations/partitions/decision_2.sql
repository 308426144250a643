-- What a console narrows a list by. SSIDs and VLANs are few, so that a page finds its rows within a
-- short walk; they want no index of their own.
ALTER TABLE decision_{p} ADD COLUMN profile TEXT;
ALTER TABLE decision_{p} ADD COLUMN ssid    TEXT;
ALTER TABLE decision_{p} ADD COLUMN vlan    TEXT;

-- "who was let in with this profile": one for quarantine is seldom granted and often asked for. Profiles
-- are few, so that what is written goes to the ends of a few ranges.
CREATE INDEX decision_{p}_by_profile     ON decision_{p} (profile, id)  WHERE profile IS NOT NULL;
-- "who was not let in", "... on this switch": a small part, and what most people look for. What is
-- let in costs nothing here.
CREATE INDEX decision_{p}_refused        ON decision_{p} (id)           WHERE outcome <> 'accept';
CREATE INDEX decision_{p}_refused_by_nas ON decision_{p} (nas_name, id) WHERE outcome <> 'accept';
