-- What users use and may: plans, the usage row, chat requests, their analytics, and what dashboards show.

CREATE FUNCTION tk_whole_cents(p_nanos bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS 'SELECT (p_nanos + 5000000) / 10000000';
COMMENT ON FUNCTION tk_whole_cents(bigint) IS 'The one rounding of money: nano-USD to whole cents, half up. Money is never negative.';

CREATE TABLE plans (
    name                   varchar(50) PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_-]*$'),
    rank                   integer     NOT NULL UNIQUE,
    daily_requests         bigint      CHECK (daily_requests >= 0),
    monthly_requests       bigint      CHECK (monthly_requests >= 0),
    max_tokens_per_request bigint      CHECK (max_tokens_per_request >= 0),
    monthly_tokens         bigint      CHECK (monthly_tokens >= 0),
    monthly_cost_nanos     bigint      CHECK (monthly_cost_nanos >= 0),
    features               jsonb       NOT NULL CHECK (jsonb_typeof(features) = 'array'),
    price_per_month        integer     NOT NULL DEFAULT 0 CHECK (price_per_month >= 0),
    billing_cycle          varchar(10) NOT NULL DEFAULT 'monthly' CHECK (billing_cycle IN ('monthly', 'yearly')),
    updated_at             timestamptz NOT NULL DEFAULT tk_now()
);
COMMENT ON TABLE plans IS 'The catalogue. A user''s plan is a snapshot of a row (plan_terms): changing the catalogue changes nobody''s terms.';

INSERT INTO plans (name, rank, daily_requests, monthly_requests, max_tokens_per_request, features, price_per_month) VALUES
    ('free',       0,  10,   100,  8000,  '["chat", "code_generation", "analysis"]', 0),
    ('pro',        10, 50,   1000, 32000, '["chat", "code_generation", "analysis"]', 2000),
    ('enterprise', 20, NULL, NULL, NULL,  '["chat", "code_generation", "analysis"]', 20000);

CREATE TABLE plan_terms (
    user_id                uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    id                     uuid        NOT NULL,
    plan_name              varchar(50) NOT NULL,
    plan_rank              integer     NOT NULL,
    daily_requests         bigint,
    monthly_requests       bigint,
    max_tokens_per_request bigint,
    monthly_tokens         bigint,
    monthly_cost_nanos     bigint,
    features               jsonb       NOT NULL,
    price_per_month        integer     NOT NULL,
    billing_cycle          varchar(10) NOT NULL,
    starts_at              timestamptz NOT NULL,
    expires_at             timestamptz,
    ended_at               timestamptz,
    created_at             timestamptz NOT NULL DEFAULT tk_now(),
    updated_at             timestamptz NOT NULL DEFAULT tk_now(),
    PRIMARY KEY (user_id, id)
);

CREATE VIEW user_plans AS
SELECT t.id, t.user_id, t.plan_name, t.monthly_requests, t.daily_requests, t.max_tokens_per_request, t.features,
       (t.starts_at <= n.now AND t.ended_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > n.now)) AS is_active,
       t.price_per_month, t.billing_cycle, t.starts_at, t.expires_at, t.created_at, t.updated_at,
       t.monthly_tokens, t.monthly_cost_nanos, t.ended_at
  FROM plan_terms AS t CROSS JOIN (SELECT tk_now() AS now) AS n;
COMMENT ON VIEW user_plans IS 'The terms each user had and has. is_active is computed on reading, so it cannot go stale.';

CREATE TABLE usage (
    user_id                uuid        PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    version                bigint      NOT NULL DEFAULT 0,
    is_active              boolean     NOT NULL DEFAULT true,
    -- the terms in force, copied from plan_terms so that one lock covers all that a decision needs
    plan_name              varchar(50) NOT NULL,
    plan_rank              integer     NOT NULL,
    plan_terms_id          uuid        NOT NULL,
    plan_expires_at        timestamptz,
    daily_requests         bigint,
    monthly_requests       bigint,
    max_tokens_per_request bigint,
    monthly_tokens         bigint,
    monthly_cost_nanos     bigint,
    features               text[]      NOT NULL,
    -- the windows: half-open, rolled over by the deciding statement
    day_zone               text        NOT NULL DEFAULT 'UTC',
    month_zone             text        NOT NULL DEFAULT 'UTC',
    next_zone              text,
    zone_changed_at        timestamptz,
    day_on                 date        NOT NULL,
    day_starts_at          timestamptz NOT NULL,
    day_ends_at            timestamptz NOT NULL,
    month_starts_at        timestamptz NOT NULL,
    month_ends_at          timestamptz NOT NULL,
    due_at                 timestamptz NOT NULL,
    -- used in the windows
    day_requests           bigint      NOT NULL DEFAULT 0 CHECK (day_requests >= 0),
    month_requests         bigint      NOT NULL DEFAULT 0 CHECK (month_requests >= 0),
    month_tokens           bigint      NOT NULL DEFAULT 0 CHECK (month_tokens >= 0),
    month_cost_nanos       bigint      NOT NULL DEFAULT 0 CHECK (month_cost_nanos >= 0),
    reserved_tokens        bigint      NOT NULL DEFAULT 0 CHECK (reserved_tokens >= 0),
    reserved_nanos         bigint      NOT NULL DEFAULT 0 CHECK (reserved_nanos >= 0),
    -- since the beginning
    total_requests         bigint      NOT NULL DEFAULT 0,
    total_completed        bigint      NOT NULL DEFAULT 0,
    total_failed           bigint      NOT NULL DEFAULT 0,
    total_tokens_used      bigint      NOT NULL DEFAULT 0,
    total_cost_nanos       bigint      NOT NULL DEFAULT 0,
    total_unpriced         bigint      NOT NULL DEFAULT 0,
    total_timed            bigint      NOT NULL DEFAULT 0,
    total_duration_ms      bigint      NOT NULL DEFAULT 0,
    total_rated            bigint      NOT NULL DEFAULT 0,
    total_rating           bigint      NOT NULL DEFAULT 0,
    last_calculated_at     timestamptz,
    created_at             timestamptz NOT NULL DEFAULT tk_now(),
    updated_at             timestamptz NOT NULL DEFAULT tk_now()
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE usage IS 'One narrow row for each user, the mutex of all that is theirs: it alone owns counters, version, plan and limits in force.';
COMMENT ON COLUMN usage.version IS 'Raised by one with every change of what is used or may be used; every decision returns it.';
COMMENT ON COLUMN usage.due_at IS 'The earliest instant at which the row must be brought current: a window or the plan ends, a request expires.';
COMMENT ON COLUMN usage.reserved_tokens IS 'Of pending requests that started in this month window; released when they finish or expire.';

CREATE TABLE chat_requests (
    id                  uuid         NOT NULL,
    user_id             uuid         NOT NULL REFERENCES accounts (id),
    client_id           text,
    session_id          text         CHECK (length(session_id) <= 200),
    prompt              text,
    response            text,
    model               varchar(200),
    request_type        varchar(200) NOT NULL DEFAULT 'chat',
    category            varchar(200),
    complexity          varchar(10)  CHECK (complexity IN ('low', 'medium', 'high')),
    status              varchar(10)  NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'completed', 'failed')),
    error_code          text,
    error_message       text,
    late                boolean      NOT NULL DEFAULT false,
    refunded            boolean      NOT NULL DEFAULT false,
    outside_plan        boolean      NOT NULL DEFAULT false,
    over_reserved       boolean      NOT NULL DEFAULT false,
    tokens_used         bigint       CHECK (tokens_used BETWEEN 0 AND 2000000000000),
    cost_nanos          bigint       CHECK (cost_nanos >= 0),
    cost                bigint       GENERATED ALWAYS AS (tk_whole_cents(cost_nanos)) STORED,
    cost_source         text         CHECK (cost_source IN ('computed', 'reported', 'unpriced')),
    computed_nanos      bigint,
    reported_nanos      bigint,
    duration            bigint       CHECK (duration BETWEEN 0 AND 1000000000000),
    reserved_tokens     bigint       NOT NULL DEFAULT 0,
    reserved_nanos      bigint       NOT NULL DEFAULT 0,
    max_tokens          bigint,
    unit_prices         jsonb,
    metadata            jsonb,
    plan_name           varchar(50)  NOT NULL,
    version             bigint       NOT NULL,
    started_on          date         NOT NULL,
    finish_hash         bytea,
    finish_limits       jsonb,
    ip_address          text,
    user_agent          text,
    started_at          timestamptz  NOT NULL,
    expires_at          timestamptz  NOT NULL,
    completed_at        timestamptz,
    created_at          timestamptz  NOT NULL,
    PRIMARY KEY (user_id, id)
) PARTITION BY RANGE (id);
COMMENT ON COLUMN chat_requests.started_on IS 'The day in its user''s zone on which the request counts.';
COMMENT ON COLUMN chat_requests.cost IS 'Whole cents, derived; cost_nanos is exact.';
COMMENT ON COLUMN chat_requests.version IS 'The usage row''s version that admitted the request.';
CREATE INDEX chat_requests_pending ON chat_requests (user_id, id) WHERE status = 'pending';
CREATE INDEX chat_requests_session ON chat_requests (user_id, session_id, id) WHERE session_id IS NOT NULL;
CREATE TABLE chat_requests_default PARTITION OF chat_requests DEFAULT;

CREATE TABLE request_analytics (
    id                 uuid         NOT NULL,
    user_id            uuid         NOT NULL,
    request_id         uuid         NOT NULL CHECK (request_id = id),
    request_type       varchar(200) NOT NULL,
    category           varchar(200),
    complexity         varchar(10),
    response_time      bigint,
    tokens_input       bigint       CHECK (tokens_input BETWEEN 0 AND 1000000000000),
    tokens_output      bigint       CHECK (tokens_output BETWEEN 0 AND 1000000000000),
    tokens_cached      bigint       CHECK (tokens_cached BETWEEN 0 AND 1000000000000),
    tokens_cache_write bigint       CHECK (tokens_cache_write BETWEEN 0 AND 1000000000000),
    tokens_reasoning   bigint       CHECK (tokens_reasoning BETWEEN 0 AND 1000000000000),
    user_rating        smallint     CHECK (user_rating BETWEEN 1 AND 5),
    was_successful     boolean      NOT NULL,
    created_at         timestamptz  NOT NULL,
    PRIMARY KEY (user_id, id),
    FOREIGN KEY (user_id, request_id) REFERENCES chat_requests (user_id, id)
) PARTITION BY RANGE (id);
COMMENT ON COLUMN request_analytics.id IS 'The request''s own id: one analytics row for each finished request, in the partition of its month.';
CREATE TABLE request_analytics_default PARTITION OF request_analytics DEFAULT;

CREATE FUNCTION tk_ensure_partitions(p_from timestamptz, p_to timestamptz) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_month timestamp := date_trunc('month', p_from AT TIME ZONE 'UTC');
    v_made  integer := 0;
    v_first uuid;
    v_end   uuid;
    v_name  text;
    v_table text;
    v_rows  boolean;
BEGIN
    WHILE v_month AT TIME ZONE 'UTC' <= p_to LOOP
        v_first := tk_first_uuid7(v_month AT TIME ZONE 'UTC');
        v_end := tk_first_uuid7((v_month + interval '1 month') AT TIME ZONE 'UTC');
        v_name := to_char(v_month, '_YYYY_MM');
        SELECT EXISTS (SELECT FROM chat_requests_default WHERE id >= v_first AND id < v_end) INTO v_rows;
        -- Rows that fell into the default partition stay there: it is a partition as good as any.
        IF to_regclass('chat_requests' || v_name) IS NULL AND NOT v_rows THEN
            FOREACH v_table IN ARRAY ARRAY['chat_requests', 'request_analytics'] LOOP
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                               v_table || v_name, v_table, v_first, v_end);
            END LOOP;
            v_made := v_made + 1;
        END IF;
        v_month := v_month + interval '1 month';
    END LOOP;
    RETURN v_made;
END
    $$;
COMMENT ON FUNCTION tk_ensure_partitions(timestamptz, timestamptz) IS 'Make the monthly partitions of a range in time; only the owner may.';
REVOKE EXECUTE ON FUNCTION tk_ensure_partitions(timestamptz, timestamptz) FROM PUBLIC;

CREATE TABLE request_keys (
    user_id      uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    namespace    text        NOT NULL CHECK (namespace IN ('request', 'idempotency', 'import')),
    key          text        NOT NULL,
    request_id   uuid        NOT NULL,
    payload_hash bytea       NOT NULL,
    answer       jsonb,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (user_id, namespace, key)
);
COMMENT ON TABLE request_keys IS 'Each start happens once: what a client named it, what it sent, and what the first answer needs.';

CREATE TABLE usage_rollups (
    user_id            uuid      NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    period             text      NOT NULL CHECK (period IN ('all', 'day', 'hour')),
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
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE usage_rollups IS 'Finished requests summed: since the beginning, by day in the user''s zone, by UTC hour (there by model only). '' stands for none.';
COMMENT ON COLUMN usage_rollups.latencies IS 'Completed requests counted by tk_latency_bucket(duration), the bucket being the subscript.';
CREATE INDEX usage_rollups_hours ON usage_rollups (period_start) WHERE period = 'hour';

CREATE TABLE overall_rollups (
    hour_at            timestamptz NOT NULL,
    plan_name          text        NOT NULL,
    model              text        NOT NULL,
    category           text        NOT NULL,
    request_type       text        NOT NULL,
    slot               smallint    NOT NULL,
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
    PRIMARY KEY (hour_at, plan_name, model, category, request_type, slot)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON COLUMN overall_rollups.cost_nanos IS 'Wider than one user''s: nobody''s large numbers may overflow what all share.';
COMMENT ON COLUMN overall_rollups.slot IS 'Which backend wrote: concurrent sets meet no hot row. Readers sum over it.';

CREATE TABLE chat_sessions (
    user_id     uuid        NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    session_id  text        NOT NULL,
    started_at  timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    completed   bigint      NOT NULL DEFAULT 0,
    failed      bigint      NOT NULL DEFAULT 0,
    tokens_used bigint      NOT NULL DEFAULT 0,
    cost_nanos  bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, session_id)
) WITH (fillfactor = 70);
COMMENT ON TABLE chat_sessions IS 'Conversations: opened by their first start, summed as their requests finish.';
CREATE INDEX chat_sessions_newest ON chat_sessions (user_id, started_at DESC, session_id);

CREATE TABLE model_prices (
    model          text        NOT NULL CHECK (length(model) BETWEEN 1 AND 200),
    effective_from timestamptz NOT NULL,
    rates          jsonb       NOT NULL CHECK (jsonb_typeof(rates) = 'object'),
    created_at     timestamptz NOT NULL DEFAULT tk_now(),
    PRIMARY KEY (model, effective_from)
);
COMMENT ON TABLE model_prices IS 'The operator''s own prices; they come before the public list.';

CREATE OR REPLACE VIEW users AS
SELECT a.id, i.shown_as AS email, a.name, a.image, g.value AS github_id, a.last_login_at, a.created_at, a.updated_at,
       CASE WHEN p.expired THEN 'free' ELSE u.plan_name END AS plan,
       CASE WHEN p.expired THEN NULL ELSE u.plan_expires_at END AS plan_expires_at,
       CASE WHEN u.month_ends_at <= p.now THEN 0 ELSE u.month_requests END AS requests_used,
       CASE WHEN p.expired THEN f.monthly_requests ELSE u.monthly_requests END AS requests_limit,
       u.is_active, a.role,
       coalesce(u.next_zone, u.day_zone) AS time_zone
  FROM accounts AS a
  JOIN usage AS u ON u.user_id = a.id
  CROSS JOIN LATERAL (SELECT n.now, coalesce(u.plan_expires_at <= n.now, false) AS expired
                        FROM (SELECT tk_now() AS now) AS n) AS p
  LEFT JOIN plans AS f ON f.name = 'free'
  LEFT JOIN user_identities AS i ON i.user_id = a.id AND i.kind = 'email'
  LEFT JOIN user_identities AS g ON g.user_id = a.id AND g.kind = 'github';
COMMENT ON VIEW users IS 'The seed''s users. Plan and usage are computed on reading: right after midnight and after expiry too.';

CREATE VIEW user_dashboard_data AS
SELECT u.user_id AS id, u.user_id, u.total_requests, u.total_tokens_used,
       tk_whole_cents(u.total_cost_nanos) AS total_cost,
       (u.total_duration_ms * 2 + u.total_timed) / nullif(u.total_timed * 2, 0) AS average_response_time,
       (SELECT coalesce(jsonb_object_agg(c.category, c.requests), '{}')
          FROM (SELECT s.category, sum(s.requests) AS requests
                  FROM (SELECT coalesce(nullif(r.category, ''), 'uncategorized') AS category, r.completed + r.failed AS requests
                          FROM usage_rollups AS r
                         WHERE r.user_id = u.user_id AND r.period = 'all'
                         UNION ALL
                        SELECT coalesce(q.category, 'uncategorized'), 1
                          FROM chat_requests AS q
                         WHERE q.user_id = u.user_id AND q.status = 'pending') AS s
                 GROUP BY s.category
                HAVING sum(s.requests) <> 0) AS c) AS requests_by_category,
       CASE WHEN u.month_ends_at <= tk_now() THEN 0 ELSE u.month_requests END AS requests_this_month,
       CASE WHEN u.day_ends_at <= tk_now() THEN 0 ELSE u.day_requests END AS requests_today,
       u.last_calculated_at, u.created_at, u.updated_at, u.total_cost_nanos
  FROM usage AS u;
COMMENT ON VIEW user_dashboard_data IS 'The seed''s dashboard data: the totals kept on the usage row, the rest computed on reading.';

CREATE TYPE tk_change AS (
    user_id            uuid,
    ops                integer,      -- how many times usage.version rises
    unit               integer,      -- of the request windows: -1 gives a unit back
    released_tokens    bigint,       -- of the reservation
    released_nanos     bigint,
    started_at         timestamptz,
    started_on         date,
    plan_name          text,
    session_id         text,
    model              text,
    category           text,
    request_type       text,
    complexity         text,
    completed          integer,
    failed             integer,
    tokens_used        bigint,
    tokens_input       bigint,
    tokens_output      bigint,
    tokens_cached      bigint,
    tokens_cache_write bigint,
    tokens_reasoning   bigint,
    cost_nanos         bigint,
    unpriced           integer,
    timed              integer,
    duration_ms        bigint,
    rated              integer,
    rating             integer
);
COMMENT ON TYPE tk_change IS 'What one event adds to (or takes from) every number derived from a chat request.';

CREATE TYPE tk_verdict AS (
    ord         bigint,
    verdict     text,
    id          uuid,
    client_id   text,
    status      text,
    error_code  text,
    late        boolean,
    cost_nanos  bigint,
    cost_source text,
    tokens_used bigint,
    duration    bigint,
    limits      jsonb
);
COMMENT ON TYPE tk_verdict IS 'What became of one item of a finishing set.';
