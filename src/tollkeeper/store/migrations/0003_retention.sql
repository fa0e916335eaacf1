-- How long rows and texts are kept: what was pruned is summed here, so that its totals stay and can still be proved.

CREATE TABLE retention (
    is_the_only_row    boolean     PRIMARY KEY DEFAULT true CHECK (is_the_only_row),
    rows_from          timestamptz,
    texts_from         timestamptz,
    texts_refused_from timestamptz,
    updated_at         timestamptz NOT NULL DEFAULT tk_now()
);
COMMENT ON TABLE retention IS 'Since when there are rows and texts; null: since the beginning.';
COMMENT ON COLUMN retention.rows_from IS 'The start of a UTC month. What began before it was dropped, but for what came in afterwards.';
COMMENT ON COLUMN retention.texts_from IS 'No request that began before it has a text.';
COMMENT ON COLUMN retention.texts_refused_from IS 'The same to be: no text comes in any more, and what is there is being cleared.';
INSERT INTO retention DEFAULT VALUES;

CREATE TABLE sealed_rollups (
    user_id            uuid      NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    period             text      NOT NULL CHECK (period IN ('all', 'day')),
    period_start       timestamp NOT NULL,
    model              text      NOT NULL,
    category           text      NOT NULL,
    request_type       text      NOT NULL,
    complexity         text      NOT NULL,
    completed          bigint    NOT NULL,
    failed             bigint    NOT NULL,
    tokens_used        bigint    NOT NULL,
    tokens_input       bigint    NOT NULL,
    tokens_output      bigint    NOT NULL,
    tokens_cached      bigint    NOT NULL,
    tokens_cache_write bigint    NOT NULL,
    tokens_reasoning   bigint    NOT NULL,
    cost_nanos         bigint    NOT NULL,
    unpriced           bigint    NOT NULL,
    timed              bigint    NOT NULL,
    duration_ms        bigint    NOT NULL,
    rated              bigint    NOT NULL,
    rating             bigint    NOT NULL,
    latencies          bigint[]  NOT NULL,
    PRIMARY KEY (user_id, period, period_start, model, category, request_type, complexity)
);
COMMENT ON TABLE sealed_rollups IS 'What pruned rows had added to usage_rollups: since the beginning, and to the days that lie across rows_from.';
CREATE INDEX sealed_rollups_days ON sealed_rollups (period_start) WHERE period = 'day';

CREATE TABLE sealed_sessions (
    user_id     uuid   NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    session_id  text   NOT NULL,
    completed   bigint NOT NULL,
    failed      bigint NOT NULL,
    tokens_used bigint NOT NULL,
    cost_nanos  bigint NOT NULL,
    PRIMARY KEY (user_id, session_id)
);
COMMENT ON TABLE sealed_sessions IS 'What pruned rows had added to chat_sessions. Apart from it: sealing must not hold up who writes there.';

-- A partition that is taken out of the ledger inherits from these until it is summed and dropped: nobody can change its
-- rows any more, and whoever proves numbers still finds them. Only what is summed stands here; rows that were strays in
-- the default partition are moved in as they are.
CREATE TABLE closing_requests (
    id              uuid,
    user_id         uuid REFERENCES accounts (id) ON DELETE CASCADE,
    session_id      text,
    model           varchar(200),
    request_type    varchar(200),
    category        varchar(200),
    complexity      varchar(10),
    status          varchar(10),
    refunded        boolean,
    tokens_used     bigint,
    cost_nanos      bigint,
    cost_source     text,
    duration        bigint,
    reserved_tokens bigint,
    reserved_nanos  bigint,
    plan_name       varchar(50),
    started_on      date,
    started_at      timestamptz,
    expires_at      timestamptz
);
COMMENT ON TABLE closing_requests IS 'Requests on their way out: no longer in chat_requests, not yet sealed.';
CREATE TABLE closing_analytics (
    id                 uuid,
    user_id            uuid REFERENCES accounts (id) ON DELETE CASCADE,
    tokens_input       bigint,
    tokens_output      bigint,
    tokens_cached      bigint,
    tokens_cache_write bigint,
    tokens_reasoning   bigint,
    user_rating        smallint
);
COMMENT ON TABLE closing_analytics IS 'The analytics of closing_requests.';

-- Each partition of analytics refers to the partition of its own month. Between the two whole tables a month could not
-- be taken out without reading all that stays, under a lock that stops everybody.
DO $$
DECLARE
    v_name text;
BEGIN
    ALTER TABLE request_analytics DROP CONSTRAINT request_analytics_user_id_request_id_fkey;
    FOR v_name IN SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
                   WHERE i.inhparent = 'request_analytics'::regclass LOOP
        -- The rows that are there have been checked by the constraint that went.
        EXECUTE format('ALTER TABLE %I ADD FOREIGN KEY (user_id, request_id) REFERENCES %I (user_id, id) NOT VALID',
                       v_name, replace(v_name, 'request_analytics', 'chat_requests'));
    END LOOP;
END
$$;
