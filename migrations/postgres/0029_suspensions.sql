-- Which runs of playbooks want an identity suspended. Who is suspended and has no row here is so by an operator's word, which no run
-- takes back.
CREATE TABLE suspension (
    identity_id BYTEA NOT NULL,
    run_id      BYTEA NOT NULL,
    PRIMARY KEY (identity_id, run_id)
);
INSERT INTO suspension (identity_id, run_id)
    SELECT identity_id, id FROM playbook_run
    WHERE state IN ('running', 'held', 'contained', 'failed') AND identity_id IS NOT NULL
      AND EXISTS (SELECT 1 FROM identity WHERE identity.id = playbook_run.identity_id AND identity.status = 'suspended') AND EXISTS (
        SELECT 1 FROM jsonb_array_elements(playbook_run.body::jsonb -> 'steps') AS step
        WHERE step #>> '{step,do}' = 'suspend' AND step ->> 'outcome' = 'done' AND step ->> 'changed' = 'true');

-- When a signal came, beside when that was which it tells: a late one is news all the same. Nothing of those from before.
ALTER TABLE signal ADD COLUMN received_us BIGINT;
