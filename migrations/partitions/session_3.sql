-- "who is on at this switch": the open sessions of one NAS lie far apart among those of a week.
CREATE INDEX session_{p}_live_by_nas ON session_{p} (nas_name, id) WHERE state <> 'stopped';
