-- What tk_start decides of each item of a set: one array of these instead of fifteen.
CREATE TYPE tk_decision AS (
    verdict     text,
    id          uuid,
    started_at  timestamptz,
    expires_at  timestamptz,
    started_on  date,
    plan_name   text,
    version     bigint,
    tokens      bigint,      -- reserved
    nanos       bigint,
    rates       jsonb,
    limits      jsonb,
    reason      text,        -- which limit or feature refused
    allowed     bigint,
    needed      bigint,
    upgrade_to  text
);
COMMENT ON TYPE tk_decision IS 'What became of one item of a starting set.';
