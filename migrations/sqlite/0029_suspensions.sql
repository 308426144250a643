-- Which runs of playbooks want an identity suspended. Who is suspended and has no row here is so by an operator's word, which no run
-- takes back.
CREATE TABLE suspension (
    identity_id BLOB NOT NULL,
    run_id      BLOB NOT NULL,
    PRIMARY KEY (identity_id, run_id)
) STRICT, WITHOUT ROWID;
INSERT INTO suspension (identity_id, run_id)
    SELECT identity_id, id FROM playbook_run
    WHERE state IN ('running', 'held', 'contained', 'failed') AND identity_id IS NOT NULL
      AND EXISTS (SELECT 1 FROM identity WHERE identity.id = playbook_run.identity_id AND identity.status = 'suspended') AND EXISTS (
        SELECT 1 FROM json_each(playbook_run.body, '$.steps') AS step
        WHERE json_extract(step.value, '$.step.do') = 'suspend' AND json_extract(step.value, '$.outcome') = 'done'
          AND json_extract(step.value, '$.changed'));

-- When a signal came, beside when that was which it tells: a late one is news all the same. Nothing of those from before.
ALTER TABLE signal ADD COLUMN received_us INTEGER;
