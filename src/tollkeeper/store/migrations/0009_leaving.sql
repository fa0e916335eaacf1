-- Leaving: who is deleted is nobody any more at once, and what is theirs goes set by set. Their sums stay as nobody's.
-- And the log of activity is read: by whom it is about, by who acted, and as a whole.

ALTER TABLE accounts ADD COLUMN leaving_since timestamptz;
COMMENT ON COLUMN accounts.leaving_since IS 'Deleted: no address, no way in, and what is left is on its way out.';
CREATE INDEX accounts_leaving ON accounts (id) WHERE leaving_since IS NOT NULL;

CREATE INDEX activity_newest ON activity (id);
-- By bytes, whatever the order of text is here: an operator who acts as somebody is found by how the actor begins.
CREATE INDEX activity_by_actor ON activity (actor COLLATE "C", id);

CREATE TABLE left_rollups (
    hour_at            timestamptz NOT NULL,
    plan_name          text        NOT NULL,
    model              text        NOT NULL,
    category           text        NOT NULL,
    request_type       text        NOT NULL,
    completed          bigint      NOT NULL,
    failed             bigint      NOT NULL,
    tokens_used        bigint      NOT NULL,
    tokens_input       bigint      NOT NULL,
    tokens_output      bigint      NOT NULL,
    tokens_cached      bigint      NOT NULL,
    tokens_cache_write bigint      NOT NULL,
    tokens_reasoning   bigint      NOT NULL,
    cost_nanos         numeric(38) NOT NULL,
    unpriced           bigint      NOT NULL,
    timed              bigint      NOT NULL,
    duration_ms        numeric(38) NOT NULL,
    rated              bigint      NOT NULL,
    rating             bigint      NOT NULL,
    latencies          bigint[]    NOT NULL,
    PRIMARY KEY (hour_at, plan_name, model, category, request_type)
);
COMMENT ON TABLE left_rollups IS 'What requests of deleted users had added to overall_rollups: those sums stay, and can still be proved.';

-- An operator who acts as a user does so in a login session of that user, which ends with their own.
ALTER TABLE sessions ADD COLUMN acted_from uuid REFERENCES sessions (id) ON DELETE CASCADE;
COMMENT ON COLUMN sessions.acted_from IS 'The login session of the operator who acts as this user; null: the user themselves.';
CREATE INDEX sessions_acted_from ON sessions (acted_from) WHERE acted_from IS NOT NULL;

CREATE TABLE first_operator_links (
    token_hash bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE first_operator_links IS 'Links that make somebody the first operator, told on the console at the start, as long as there is none.';
