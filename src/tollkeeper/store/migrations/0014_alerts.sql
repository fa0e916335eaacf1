-- Mails about what was done with somebody's account: the log of activity says what there is to tell, this what was told.

CREATE TABLE alerts (
    user_id    uuid        NOT NULL,
    act_id     uuid        NOT NULL,
    is_reveal  boolean     NOT NULL,
    act_at     timestamptz NOT NULL,
    tries      smallint    NOT NULL DEFAULT 1,
    held_until timestamptz NOT NULL,
    done_at    timestamptz,
    sent_at    timestamptz,
    PRIMARY KEY (user_id, act_id),
    CONSTRAINT alerts_user_id_fkey FOREIGN KEY (user_id) REFERENCES accounts (id) ON DELETE CASCADE
);
COMMENT ON TABLE alerts IS 'Acts that a node has taken to tell their user of by mail. Forgotten after two days: older acts are not told.';
COMMENT ON COLUMN alerts.held_until IS 'Until then no other node takes it: the lease of the one that sends it, or the pause after a failure.';
COMMENT ON COLUMN alerts.done_at IS 'Sent, refused for good, or not wanted.';

CREATE TABLE alerts_begin (since timestamptz NOT NULL);
COMMENT ON TABLE alerts_begin IS 'One row: no act before it is mailed. Whoever takes acts holds it.';
INSERT INTO alerts_begin (since) VALUES (tk_now());

-- The condition of claim_alerts, word for word.
CREATE INDEX activity_to_tell ON activity (created_at)
 WHERE action IN ('login.begun', 'passkey.added', 'passkey.removed', 'passkey.refused', 'key.created', 'key.rotated',
                  'github.connected', 'github.disconnected', 'variable.revealed', 'variables.revealed', 'acting.begun',
                  'user.changed', 'account.exported', 'alerts.off')
   AND (action <> 'login.begun' OR detail ->> 'place' = 'new') AND (action <> 'user.changed' OR detail ->> 'role' IS NOT NULL);
