-- Every derived number again, from the rows: what verify compares and a rebuild mends.

CREATE OR REPLACE VIEW request_facts AS
SELECT r.is_closing, r.user_id, r.id, r.session_id, r.started_at, r.started_on, r.expires_at, r.plan_name, r.status, r.refunded,
       r.reserved_tokens, r.reserved_nanos,
       coalesce(r.model, '') AS model, coalesce(r.category, '') AS category, r.request_type,
       coalesce(r.complexity, '') AS complexity,
       (r.status = 'completed')::integer AS completed, (r.status = 'failed')::integer AS failed,
       coalesce(r.tokens_used, 0) AS tokens_used,
       coalesce(r.tokens_input, 0) AS tokens_input, coalesce(r.tokens_output, 0) AS tokens_output,
       coalesce(r.tokens_cached, 0) AS tokens_cached, coalesce(r.tokens_cache_write, 0) AS tokens_cache_write,
       coalesce(r.tokens_reasoning, 0) AS tokens_reasoning,
       coalesce(r.cost_nanos, 0) AS cost_nanos,
       (r.cost_source IS NOT NULL AND tk_is_unpriced(r.status, r.cost_nanos, r.tokens_used))::integer AS unpriced,
       (r.status = 'completed' AND r.duration IS NOT NULL)::integer AS timed,
       CASE WHEN r.status = 'completed' THEN coalesce(r.duration, 0) ELSE 0 END AS duration_ms,
       (r.user_rating IS NOT NULL)::integer AS rated, coalesce(r.user_rating, 0)::integer AS rating
  FROM (SELECT false AS is_closing, q.user_id, q.id, q.session_id, q.started_at, q.started_on, q.expires_at, q.plan_name,
               q.status, q.refunded, q.reserved_tokens, q.reserved_nanos, q.model, q.category, q.request_type, q.complexity,
               q.tokens_used, a.tokens_input, a.tokens_output, a.tokens_cached, a.tokens_cache_write, a.tokens_reasoning,
               q.cost_nanos, q.cost_source, q.duration, a.user_rating
          FROM chat_requests AS q
          LEFT JOIN request_analytics AS a ON a.user_id = q.user_id AND a.id = q.id
         UNION ALL
        SELECT true, q.user_id, q.id, q.session_id, q.started_at, q.started_on, q.expires_at, q.plan_name,
               q.status, q.refunded, q.reserved_tokens, q.reserved_nanos, q.model, q.category, q.request_type, q.complexity,
               q.tokens_used, a.tokens_input, a.tokens_output, a.tokens_cached, a.tokens_cache_write, a.tokens_reasoning,
               q.cost_nanos, q.cost_source, q.duration, a.user_rating
          FROM closing_requests AS q
          LEFT JOIN closing_analytics AS a ON a.user_id = q.user_id AND a.id = q.id) AS r;
COMMENT ON VIEW request_facts IS 'What each request adds to every derived number; closing ones are taken out and not yet sealed.';

CREATE OR REPLACE VIEW provable AS
SELECT r.rows_from,
       -- No request since rows_from counts on an earlier day than this, in whatever zone.
       date_trunc('day', r.rows_from AT TIME ZONE 'UTC') - interval '1 day' AS day_from,
       greatest(r.rows_from AT TIME ZONE 'UTC', (tk_now() AT TIME ZONE 'UTC') - interval '60 days') AS hour_from
  FROM (SELECT coalesce(max(k.rows_from), '-infinity') AS rows_from FROM retention AS k) AS r;
COMMENT ON VIEW provable IS 'Since when sums of days and hours can be proved. What is older stands as the record.';

CREATE OR REPLACE FUNCTION tk_ends(u usage) RETURNS timestamptz[]
    LANGUAGE sql STABLE
    AS $$
    -- When a user's day and month must end, by where they began. A month under way keeps the end that it had when its user
    -- came to a plan or left one whose months are its own: of those who ever had one only what is a boundary is known.
    SELECT ARRAY[(u.day_on + 1)::timestamp AT TIME ZONE u.day_zone,
                 CASE WHEN u.month_anchor IS NOT NULL
                      THEN (SELECT CASE WHEN p.ends_at > u.month_ends_at AND p.starts_at > u.month_starts_at THEN p.starts_at
                                        ELSE p.ends_at END
                              FROM tk_period_of(u.month_anchor, 1, u.month_zone, u.month_ends_at - interval '1 microsecond') AS p)
                      WHEN EXISTS (SELECT FROM plan_terms AS t
                                     JOIN plan_versions AS v ON v.plan_name = t.plan_name AND v.version = t.plan_version
                                    WHERE t.user_id = u.user_id AND v.period = 'anniversary') THEN u.month_ends_at
                      ELSE (date_trunc('month', tk_midnight(u.month_starts_at, u.month_zone)) + interval '1 month')
                           AT TIME ZONE u.month_zone END]
    $$;

CREATE OR REPLACE FUNCTION tk_overall_differences(
    p_from  timestamptz,   -- the start of an hour; null: since the beginning
    p_until timestamptz    -- the start of an hour; null: without end
) RETURNS TABLE (
    key     jsonb,    -- the row of overall_rollups
    field   text,
    stored  numeric,
    actual  numeric
)
    LANGUAGE sql STABLE
    AS $$
    WITH fact AS (
        -- Ids are in the order of time, and tell in which partitions there is nothing to look for.
        SELECT f.* FROM request_facts AS f
         WHERE (p_from IS NULL OR f.id >= tk_first_uuid7(p_from)) AND (p_until IS NULL OR f.id < tk_first_uuid7(p_until))
    ), kept AS MATERIALIZED (
        SELECT greatest(k.rows_from, p_from) AS since, coalesce(p_until, 'infinity') AS until FROM provable AS k
    ), overall_pairs AS (
        SELECT s, o, jsonb_build_object('hour_at', hour_at, 'plan_name', plan_name, 'model', model, 'category', category,
                                        'request_type', request_type) AS key
          FROM (SELECT t.hour_at, t.plan_name, t.model, t.category, t.request_type,
                       sum(t.completed) AS completed, sum(t.failed) AS failed, sum(t.tokens_used) AS tokens_used, sum(t.tokens_input) AS tokens_input,
                       sum(t.tokens_output) AS tokens_output, sum(t.tokens_cached) AS tokens_cached, sum(t.tokens_cache_write) AS tokens_cache_write, sum(t.tokens_reasoning) AS tokens_reasoning,
                       sum(t.cost_nanos) AS cost_nanos, sum(t.unpriced) AS unpriced, sum(t.timed) AS timed, sum(t.duration_ms) AS duration_ms,
                       sum(t.rated) AS rated, sum(t.rating) AS rating,
                       tk_latencies_total(t.latencies) AS latencies
                  FROM (SELECT date_trunc('hour', f.started_at, 'UTC') AS hour_at, f.plan_name::text AS plan_name, f.model::text AS model, f.category::text AS category, f.request_type::text AS request_type,
                               sum(f.completed) AS completed, sum(f.failed) AS failed, sum(f.tokens_used) AS tokens_used, sum(f.tokens_input) AS tokens_input,
                               sum(f.tokens_output) AS tokens_output, sum(f.tokens_cached) AS tokens_cached, sum(f.tokens_cache_write) AS tokens_cache_write, sum(f.tokens_reasoning) AS tokens_reasoning,
                               sum(f.cost_nanos) AS cost_nanos, sum(f.unpriced) AS unpriced, sum(f.timed) AS timed, sum(f.duration_ms) AS duration_ms,
                               sum(f.rated) AS rated, sum(f.rating) AS rating,
                               tk_latencies(array_agg(tk_latency_bucket(f.duration_ms)) FILTER (WHERE f.timed = 1)) AS latencies
                          FROM fact AS f WHERE f.status <> 'pending' GROUP BY 1, 2, 3, 4, 5
                         UNION ALL
                        SELECT * FROM left_rollups) AS t
                 WHERE t.hour_at >= (SELECT k.since FROM kept AS k) AND t.hour_at < (SELECT k.until FROM kept AS k)
                 GROUP BY 1, 2, 3, 4, 5) AS s
          FULL JOIN (SELECT o.hour_at, o.plan_name, o.model, o.category, o.request_type,
                       sum(o.completed) AS completed, sum(o.failed) AS failed, sum(o.tokens_used) AS tokens_used, sum(o.tokens_input) AS tokens_input,
                       sum(o.tokens_output) AS tokens_output, sum(o.tokens_cached) AS tokens_cached, sum(o.tokens_cache_write) AS tokens_cache_write, sum(o.tokens_reasoning) AS tokens_reasoning,
                       sum(o.cost_nanos) AS cost_nanos, sum(o.unpriced) AS unpriced, sum(o.timed) AS timed, sum(o.duration_ms) AS duration_ms,
                       sum(o.rated) AS rated, sum(o.rating) AS rating,
                       tk_latencies_total(o.latencies) AS latencies
                  FROM overall_rollups AS o
                 WHERE o.hour_at >= (SELECT k.since FROM kept AS k) AND o.hour_at < (SELECT k.until FROM kept AS k)
                 GROUP BY 1, 2, 3, 4, 5) AS o
         USING (hour_at, plan_name, model, category, request_type)
         -- Most are right: those are not taken apart.
         WHERE (s.completed, s.failed, s.tokens_used, s.tokens_input, s.tokens_output, s.tokens_cached, s.tokens_cache_write, s.tokens_reasoning, s.cost_nanos,
                s.unpriced, s.timed, s.duration_ms, s.rated, s.rating, s.latencies)
               IS DISTINCT FROM
               (o.completed, o.failed, o.tokens_used, o.tokens_input, o.tokens_output, o.tokens_cached, o.tokens_cache_write, o.tokens_reasoning, o.cost_nanos,
                o.unpriced, o.timed, o.duration_ms, o.rated, o.rating, o.latencies)
    ), overall_fields AS (
        SELECT p.key, v.*
          FROM overall_pairs AS p
          CROSS JOIN LATERAL (VALUES
              ('completed', (p.o).completed, (p.s).completed), ('failed', (p.o).failed, (p.s).failed),
              ('tokens_used', (p.o).tokens_used, (p.s).tokens_used), ('tokens_input', (p.o).tokens_input, (p.s).tokens_input),
              ('tokens_output', (p.o).tokens_output, (p.s).tokens_output), ('tokens_cached', (p.o).tokens_cached, (p.s).tokens_cached),
              ('tokens_cache_write', (p.o).tokens_cache_write, (p.s).tokens_cache_write), ('tokens_reasoning', (p.o).tokens_reasoning, (p.s).tokens_reasoning),
              ('cost_nanos', (p.o).cost_nanos, (p.s).cost_nanos), ('unpriced', (p.o).unpriced, (p.s).unpriced),
              ('timed', (p.o).timed, (p.s).timed), ('duration_ms', (p.o).duration_ms, (p.s).duration_ms),
              ('rated', (p.o).rated, (p.s).rated), ('rating', (p.o).rating, (p.s).rating)) AS v (field, stored, actual)
         UNION ALL
        SELECT p.key, 'latency:' || b.bucket, (p.o).latencies[b.bucket], (p.s).latencies[b.bucket]
          FROM overall_pairs AS p
          CROSS JOIN LATERAL (SELECT generate_subscripts((p.o).latencies, 1) UNION
                              SELECT generate_subscripts((p.s).latencies, 1)) AS b (bucket)
    )
    SELECT o.key, o.field, coalesce(o.stored, 0), coalesce(o.actual, 0)
      FROM overall_fields AS o
     WHERE coalesce(o.stored, 0) <> coalesce(o.actual, 0)
    $$;

DROP FUNCTION IF EXISTS tk_differences(uuid);

CREATE OR REPLACE FUNCTION tk_differences(
    p_users uuid[]    -- null: of all users, and over all of them
) RETURNS TABLE (
    user_id uuid,     -- null: a number over all users
    place   text,     -- the table that holds the derived number
    key     jsonb,    -- its row
    field   text,
    stored  numeric,
    actual  numeric
)
    LANGUAGE sql STABLE
    AS $$
    WITH fact AS MATERIALIZED (
        SELECT f.* FROM request_facts AS f WHERE p_users IS NULL OR f.user_id = ANY (p_users)
    ), kept AS MATERIALIZED (
        SELECT * FROM provable
    ), sealed AS MATERIALIZED (
        SELECT z.* FROM sealed_rollups AS z WHERE p_users IS NULL OR z.user_id = ANY (p_users)
    ),

    -- the usage row
    usage_fields AS (
        SELECT u.user_id, v.*
          FROM usage AS u
          LEFT JOIN LATERAL tk_terms_in_force(u.user_id, u.plan_terms_id, u.terms_at) AS t ON true
          -- Summed in one pass over the rows, not in one for each user.
          LEFT JOIN (
              SELECT f.user_id, count(*) AS requests,
                     count(*) FILTER (WHERE f.started_at >= w.day_starts_at AND NOT f.refunded) AS today,
                     count(*) FILTER (WHERE f.started_at >= w.month_starts_at AND NOT f.refunded) AS this_month,
                     sum(f.tokens_used) FILTER (WHERE f.started_at >= w.month_starts_at) AS month_tokens,
                     sum(f.cost_nanos) FILTER (WHERE f.started_at >= w.month_starts_at) AS month_cost,
                     sum(f.reserved_tokens) FILTER (WHERE f.status = 'pending' AND f.started_at >= w.month_starts_at) AS held,
                     sum(f.reserved_nanos) FILTER (WHERE f.status = 'pending' AND f.started_at >= w.month_starts_at) AS spent,
                     sum(f.completed) AS completed, sum(f.failed) AS failed, sum(f.tokens_used) AS tokens_used,
                     sum(f.cost_nanos) AS cost_nanos, sum(f.unpriced) AS unpriced, sum(f.timed) AS timed,
                     sum(f.duration_ms) AS duration_ms, sum(f.rated) AS rated, sum(f.rating) AS rating,
                     count(*) FILTER (WHERE f.started_at >= w.minute_starts_at
                                        AND f.started_at < w.minute_starts_at + interval '1 minute') AS this_minute,
                     count(*) FILTER (WHERE f.status = 'pending') AS pending,
                     min(f.expires_at) FILTER (WHERE f.status = 'pending') AS first_deadline
                FROM fact AS f JOIN usage AS w ON w.user_id = f.user_id GROUP BY f.user_id) AS n ON n.user_id = u.user_id
          LEFT JOIN (
              SELECT z.user_id, sum(z.completed + z.failed) AS requests, sum(z.completed) AS completed,
                     sum(z.failed) AS failed, sum(z.tokens_used) AS tokens_used,
                     sum(z.cost_nanos) AS cost_nanos, sum(z.unpriced) AS unpriced,
                     sum(z.timed) AS timed, sum(z.duration_ms) AS duration_ms,
                     sum(z.rated) AS rated, sum(z.rating) AS rating
                FROM sealed AS z WHERE z.period = 'all' GROUP BY z.user_id) AS z ON z.user_id = u.user_id
          -- A window that began before the rows do ended long ago: nobody came since, and nothing is counted in it.
          CROSS JOIN LATERAL (SELECT u.day_starts_at >= k.rows_from AS day, u.month_starts_at >= k.rows_from AS month,
                                     u.minute_starts_at >= k.rows_from AS minute FROM kept AS k) AS p
          CROSS JOIN LATERAL (SELECT tk_ends(u) AS ends) AS e
          CROSS JOIN LATERAL (VALUES
              ('total_requests', u.total_requests, coalesce(z.requests, 0) + coalesce(n.requests, 0)),
              ('total_completed', u.total_completed, coalesce(z.completed, 0) + coalesce(n.completed, 0)),
              ('total_failed', u.total_failed, coalesce(z.failed, 0) + coalesce(n.failed, 0)),
              ('total_tokens_used', u.total_tokens_used, coalesce(z.tokens_used, 0) + coalesce(n.tokens_used, 0)),
              ('total_cost_nanos', u.total_cost_nanos, coalesce(z.cost_nanos, 0) + coalesce(n.cost_nanos, 0)),
              ('total_unpriced', u.total_unpriced, coalesce(z.unpriced, 0) + coalesce(n.unpriced, 0)),
              ('total_timed', u.total_timed, coalesce(z.timed, 0) + coalesce(n.timed, 0)),
              ('total_duration_ms', u.total_duration_ms, coalesce(z.duration_ms, 0) + coalesce(n.duration_ms, 0)),
              ('total_rated', u.total_rated, coalesce(z.rated, 0) + coalesce(n.rated, 0)),
              ('total_rating', u.total_rating, coalesce(z.rating, 0) + coalesce(n.rating, 0)),
              ('day_requests', u.day_requests, CASE WHEN p.day THEN n.today ELSE u.day_requests END),
              ('month_requests', u.month_requests, CASE WHEN p.month THEN n.this_month ELSE u.month_requests END),
              ('month_tokens', u.month_tokens, CASE WHEN p.month THEN n.month_tokens ELSE u.month_tokens END),
              ('month_cost_nanos', u.month_cost_nanos, CASE WHEN p.month THEN n.month_cost ELSE u.month_cost_nanos END),
              ('minute_requests', u.minute_requests, CASE WHEN p.minute THEN n.this_minute ELSE u.minute_requests END),
              ('pending_requests', u.pending_requests, n.pending),
              ('reserved_tokens', u.reserved_tokens, n.held),
              ('reserved_nanos', u.reserved_nanos, n.spent),
              -- the limits in force, a copy of the terms; -1 stands for unlimited
              ('daily_requests', coalesce(u.daily_requests, -1), coalesce(t.daily_requests, -1)),
              ('monthly_requests', coalesce(u.monthly_requests, -1), coalesce(t.monthly_requests, -1)),
              ('max_tokens_per_request', coalesce(u.max_tokens_per_request, -1), coalesce(t.max_tokens_per_request, -1)),
              ('monthly_tokens', coalesce(u.monthly_tokens, -1), coalesce(t.monthly_tokens, -1)),
              ('monthly_cost_nanos', coalesce(u.monthly_cost_nanos, -1), coalesce(t.monthly_cost_nanos, -1)),
              ('requests_per_minute', coalesce(u.requests_per_minute, -1), coalesce(t.requests_per_minute, -1)),
              ('concurrent_requests', coalesce(u.concurrent_requests, -1), coalesce(t.concurrent_requests, -1)),
              ('extra_requests', u.extra_requests, u.burned_requests + t.left_requests),
              ('extra_tokens', u.extra_tokens, u.burned_tokens + t.left_tokens),
              ('extra_nanos', u.extra_nanos, u.burned_nanos + t.left_nanos),
              ('plan', ((u.plan_name, u.plan_expires_at, u.next_plan, u.features, u.refunds, u.rollover_percent, u.month_anchor,
                         u.terms_due_at, u.warn_at)
                        IS NOT DISTINCT FROM (t.plan_name, t.expires_at, t.next_plan, t.features, t.refunds, t.rollover_percent,
                         t.month_anchor, t.due_at, coalesce(u.own_warn_at, t.warn_at)))::integer, 1),
              ('due_at', (u.due_at <= least(u.day_ends_at, u.month_ends_at, u.plan_expires_at, u.expiring_at,
                                            u.terms_due_at, n.first_deadline))::integer, 1),
              -- in microseconds
              ('day_ends_at', (extract(epoch FROM u.day_ends_at) * 1000000)::bigint, (extract(epoch FROM e.ends[1]) * 1000000)::bigint),
              ('month_ends_at', (extract(epoch FROM u.month_ends_at) * 1000000)::bigint,
               (extract(epoch FROM e.ends[2]) * 1000000)::bigint)
              ) AS v (field, stored, actual)
         WHERE p_users IS NULL OR u.user_id = ANY (p_users)
    ),

    -- the rollups of each user; hours as long as they are kept
    by_rows AS (
        SELECT f.user_id, p.period, p.period_start, f.model, d.category, d.request_type, d.complexity,
               sum(f.completed) AS completed, sum(f.failed) AS failed, sum(f.tokens_used) AS tokens_used,
               sum(f.tokens_input) AS tokens_input, sum(f.tokens_output) AS tokens_output, sum(f.tokens_cached) AS tokens_cached,
               sum(f.tokens_cache_write) AS tokens_cache_write, sum(f.tokens_reasoning) AS tokens_reasoning,
               sum(f.cost_nanos) AS cost_nanos, sum(f.unpriced) AS unpriced, sum(f.timed) AS timed,
               sum(f.duration_ms) AS duration_ms, sum(f.rated) AS rated, sum(f.rating) AS rating,
               tk_latencies(array_agg(tk_latency_bucket(f.duration_ms)) FILTER (WHERE f.timed = 1)) AS latencies
          FROM fact AS f
          CROSS JOIN LATERAL (VALUES ('all', timestamp '-infinity'), ('day', f.started_on::timestamp),
                                     ('hour', date_trunc('hour', f.started_at AT TIME ZONE 'UTC'))) AS p (period, period_start)
          CROSS JOIN LATERAL (SELECT CASE WHEN p.period = 'hour' THEN '' ELSE f.category END,
                                     CASE WHEN p.period = 'hour' THEN '' ELSE f.request_type END,
                                     CASE WHEN p.period = 'hour' THEN '' ELSE f.complexity END) AS d (category, request_type, complexity)
         WHERE f.status <> 'pending' AND (p.period <> 'hour' OR p.period_start >= (SELECT k.hour_from FROM kept AS k))
         GROUP BY 1, 2, 3, 4, 5, 6, 7
    ), summed AS (
        SELECT t.user_id, t.period, t.period_start, t.model, t.category, t.request_type, t.complexity,
               sum(t.completed) AS completed, sum(t.failed) AS failed, sum(t.tokens_used) AS tokens_used,
               sum(t.tokens_input) AS tokens_input, sum(t.tokens_output) AS tokens_output, sum(t.tokens_cached) AS tokens_cached,
               sum(t.tokens_cache_write) AS tokens_cache_write, sum(t.tokens_reasoning) AS tokens_reasoning,
               sum(t.cost_nanos) AS cost_nanos, sum(t.unpriced) AS unpriced, sum(t.timed) AS timed,
               sum(t.duration_ms) AS duration_ms, sum(t.rated) AS rated, sum(t.rating) AS rating,
               tk_latencies_total(t.latencies) AS latencies
          FROM (SELECT * FROM by_rows UNION ALL SELECT * FROM sealed) AS t
         GROUP BY 1, 2, 3, 4, 5, 6, 7
    ), rollup_pairs AS (
        SELECT coalesce(s.user_id, r.user_id) AS user_id, s, r,
               jsonb_build_object('period', coalesce(s.period, r.period), 'period_start', coalesce(s.period_start, r.period_start),
                                  'model', coalesce(s.model, r.model), 'category', coalesce(s.category, r.category),
                                  'request_type', coalesce(s.request_type, r.request_type),
                                  'complexity', coalesce(s.complexity, r.complexity)) AS key
          FROM summed AS s
          FULL JOIN (SELECT * FROM usage_rollups AS r WHERE p_users IS NULL OR r.user_id = ANY (p_users)) AS r
            ON r.user_id = s.user_id AND r.period = s.period AND r.period_start = s.period_start AND r.model = s.model
           AND r.category = s.category AND r.request_type = s.request_type AND r.complexity = s.complexity
          CROSS JOIN kept AS k
         WHERE CASE coalesce(s.period, r.period)
               WHEN 'day' THEN coalesce(s.period_start, r.period_start) >= k.day_from
               WHEN 'hour' THEN coalesce(s.period_start, r.period_start) >= k.hour_from
               ELSE true END
           -- Most are right: those are not taken apart.
           AND (s.completed, s.failed, s.tokens_used, s.tokens_input, s.tokens_output, s.tokens_cached, s.tokens_cache_write, s.tokens_reasoning, s.cost_nanos,
                s.unpriced, s.timed, s.duration_ms, s.rated, s.rating, s.latencies)
               IS DISTINCT FROM
               (r.completed, r.failed, r.tokens_used, r.tokens_input, r.tokens_output, r.tokens_cached, r.tokens_cache_write, r.tokens_reasoning, r.cost_nanos,
                r.unpriced, r.timed, r.duration_ms, r.rated, r.rating, r.latencies)
    ), rollup_fields AS (
        SELECT p.user_id, p.key, v.*
          FROM rollup_pairs AS p
          CROSS JOIN LATERAL (VALUES
              ('completed', (p.r).completed, (p.s).completed), ('failed', (p.r).failed, (p.s).failed),
              ('tokens_used', (p.r).tokens_used, (p.s).tokens_used), ('tokens_input', (p.r).tokens_input, (p.s).tokens_input),
              ('tokens_output', (p.r).tokens_output, (p.s).tokens_output),
              ('tokens_cached', (p.r).tokens_cached, (p.s).tokens_cached),
              ('tokens_cache_write', (p.r).tokens_cache_write, (p.s).tokens_cache_write),
              ('tokens_reasoning', (p.r).tokens_reasoning, (p.s).tokens_reasoning),
              ('cost_nanos', (p.r).cost_nanos, (p.s).cost_nanos), ('unpriced', (p.r).unpriced, (p.s).unpriced),
              ('timed', (p.r).timed, (p.s).timed), ('duration_ms', (p.r).duration_ms, (p.s).duration_ms),
              ('rated', (p.r).rated, (p.s).rated), ('rating', (p.r).rating, (p.s).rating)) AS v (field, stored, actual)
         UNION ALL
        SELECT p.user_id, p.key, 'latency:' || b.bucket, (p.r).latencies[b.bucket], (p.s).latencies[b.bucket]
          FROM rollup_pairs AS p
          CROSS JOIN LATERAL (SELECT generate_subscripts((p.r).latencies, 1) UNION
                              SELECT generate_subscripts((p.s).latencies, 1)) AS b (bucket)
    ),

    -- the conversations
    session_fields AS (
        SELECT user_id, jsonb_build_object('session_id', session_id) AS key, v.*
          FROM (SELECT * FROM chat_sessions AS s WHERE p_users IS NULL OR s.user_id = ANY (p_users)) AS s
          FULL JOIN (SELECT t.user_id, t.session_id, sum(t.completed) AS completed, sum(t.failed) AS failed,
                            sum(t.tokens_used) AS tokens_used, sum(t.cost_nanos) AS cost_nanos, sum(t.unpriced) AS unpriced
                       FROM (SELECT f.user_id, f.session_id, f.completed, f.failed, f.tokens_used, f.cost_nanos, f.unpriced
                               FROM fact AS f WHERE f.session_id IS NOT NULL
                              UNION ALL
                             SELECT z.user_id, z.session_id, z.completed, z.failed, z.tokens_used, z.cost_nanos, z.unpriced
                               FROM sealed_sessions AS z WHERE p_users IS NULL OR z.user_id = ANY (p_users)) AS t
                      GROUP BY 1, 2) AS n
         USING (user_id, session_id)
          CROSS JOIN LATERAL (VALUES ('is_there', (s.started_at IS NOT NULL)::integer, (n.completed IS NOT NULL)::integer),
                                     ('completed', s.completed, n.completed), ('failed', s.failed, n.failed),
                                     ('tokens_used', s.tokens_used, n.tokens_used),
                                     ('cost_nanos', s.cost_nanos, n.cost_nanos),
                                     ('unpriced', s.unpriced, n.unpriced)) AS v (field, stored, actual)
    ),

    -- each finished request and its analytics say the same, and it costs what its source says
    request_fields AS (
        SELECT r.user_id, jsonb_build_object('id', r.id) AS key, v.*
          FROM chat_requests AS r
          LEFT JOIN request_analytics AS a ON a.user_id = r.user_id AND a.id = r.id
          CROSS JOIN LATERAL (SELECT r.status <> 'pending' AS is_over,
                                     (a.request_type, a.category, a.complexity)
                                     IS NOT DISTINCT FROM (r.request_type, r.category, r.complexity) AS is_same_kind,
                                     CASE WHEN a.tokens_input IS NOT NULL OR a.tokens_output IS NOT NULL
                                          THEN tk_cost(r.unit_prices, coalesce(a.tokens_input, 0), coalesce(a.tokens_output, 0),
                                                       coalesce(a.tokens_cached, 0), coalesce(a.tokens_cache_write, 0),
                                                       coalesce(a.tokens_reasoning, 0)) END AS computed_nanos,
                                     CASE r.cost_source WHEN 'reported' THEN r.reported_nanos
                                                        WHEN 'computed' THEN r.computed_nanos END AS cost_nanos) AS n
          CROSS JOIN LATERAL (VALUES
              ('analytics', (a.id IS NOT NULL)::integer, n.is_over::integer),
              ('was_successful', a.was_successful::integer, CASE WHEN n.is_over THEN (r.status = 'completed')::integer END),
              ('kind', CASE WHEN n.is_over THEN n.is_same_kind::integer END, n.is_over::integer),
              ('response_time', a.response_time, r.duration),
              ('tokens_used', r.tokens_used, coalesce(a.tokens_input + a.tokens_output, r.tokens_used)),
              ('computed_nanos', r.computed_nanos, n.computed_nanos),
              ('cost_nanos', r.cost_nanos, n.cost_nanos)) AS v (field, stored, actual)
         WHERE (p_users IS NULL OR r.user_id = ANY (p_users))
           -- Most are right: those are not taken apart.
           AND NOT (n.is_over = (a.id IS NOT NULL) AND (NOT n.is_over OR n.is_same_kind)
                    AND (a.was_successful, a.response_time, r.tokens_used, r.computed_nanos, r.cost_nanos)
                        IS NOT DISTINCT FROM
                        (CASE WHEN n.is_over THEN r.status = 'completed' END, r.duration,
                         coalesce(a.tokens_input + a.tokens_output, r.tokens_used), n.computed_nanos, n.cost_nanos))
    )
    SELECT d.user_id, d.place, d.key, d.field, coalesce(d.stored, 0), coalesce(d.actual, 0)
      FROM (SELECT u.user_id, 'usage' AS place, '{}'::jsonb AS key, u.field, u.stored::numeric AS stored, u.actual::numeric AS actual
              FROM usage_fields AS u
             UNION ALL
            SELECT r.user_id, 'usage_rollups', r.key, r.field, r.stored, r.actual FROM rollup_fields AS r
             UNION ALL
            SELECT s.user_id, 'chat_sessions', s.key, s.field, s.stored, s.actual FROM session_fields AS s
             UNION ALL
            SELECT q.user_id, 'request_analytics', q.key, q.field, q.stored, q.actual FROM request_fields AS q
             UNION ALL
            SELECT NULL, 'overall_rollups', o.key, o.field, o.stored, o.actual
              FROM tk_overall_differences(NULL, NULL) AS o
             WHERE p_users IS NULL) AS d
     WHERE coalesce(d.stored, 0) <> coalesce(d.actual, 0)
       -- Of who is on the way out nothing is proved but that the sums over all stay right.
       AND NOT EXISTS (SELECT FROM accounts AS a WHERE a.id = d.user_id AND a.leaving_since IS NOT NULL)
     ORDER BY 1, 2, 3, 4
    $$;

CREATE OR REPLACE FUNCTION tk_mend(
    p_user          uuid,
    p_calculated_at timestamptz,   -- what the snapshot of the differences saw: nobody may have mended meanwhile,
    p_day_starts_at timestamptz,   -- and no window may have ended
    p_month_starts_at timestamptz,
    p_places        text[],
    p_keys          jsonb[],
    p_fields        text[],
    p_missing       bigint[]       -- actual less stored
) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    v_now timestamptz := tk_lock(ARRAY[p_user]);
BEGIN
    -- Differences are added, not set: whatever was tracked since the snapshot changed the true numbers and the stored
    -- ones alike, so it need not be stopped while they were computed.
    PERFORM FROM usage AS u
      WHERE u.user_id = p_user AND u.last_calculated_at IS NOT DISTINCT FROM p_calculated_at
        AND u.day_starts_at = p_day_starts_at AND u.month_starts_at = p_month_starts_at;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    UPDATE usage AS u
       SET total_requests    = u.total_requests + coalesce(d.by ->> 'total_requests', '0')::bigint,
           total_completed   = u.total_completed + coalesce(d.by ->> 'total_completed', '0')::bigint,
           total_failed      = u.total_failed + coalesce(d.by ->> 'total_failed', '0')::bigint,
           total_tokens_used = u.total_tokens_used + coalesce(d.by ->> 'total_tokens_used', '0')::bigint,
           total_cost_nanos  = u.total_cost_nanos + coalesce(d.by ->> 'total_cost_nanos', '0')::bigint,
           total_unpriced    = u.total_unpriced + coalesce(d.by ->> 'total_unpriced', '0')::bigint,
           total_timed       = u.total_timed + coalesce(d.by ->> 'total_timed', '0')::bigint,
           total_duration_ms = u.total_duration_ms + coalesce(d.by ->> 'total_duration_ms', '0')::bigint,
           total_rated       = u.total_rated + coalesce(d.by ->> 'total_rated', '0')::bigint,
           total_rating      = u.total_rating + coalesce(d.by ->> 'total_rating', '0')::bigint,
           day_requests      = u.day_requests + coalesce(d.by ->> 'day_requests', '0')::bigint,
           month_requests    = u.month_requests + coalesce(d.by ->> 'month_requests', '0')::bigint,
           month_tokens      = u.month_tokens + coalesce(d.by ->> 'month_tokens', '0')::bigint,
           month_cost_nanos  = u.month_cost_nanos + coalesce(d.by ->> 'month_cost_nanos', '0')::bigint,
           reserved_tokens   = u.reserved_tokens + coalesce(d.by ->> 'reserved_tokens', '0')::bigint,
           reserved_nanos    = u.reserved_nanos + coalesce(d.by ->> 'reserved_nanos', '0')::bigint,
           minute_requests   = u.minute_requests + coalesce(d.by ->> 'minute_requests', '0')::bigint,
           pending_requests  = u.pending_requests + coalesce(d.by ->> 'pending_requests', '0')::bigint,
           day_ends_at       = u.day_ends_at + coalesce(d.by ->> 'day_ends_at', '0')::bigint * interval '1 microsecond',
           month_ends_at     = u.month_ends_at + coalesce(d.by ->> 'month_ends_at', '0')::bigint * interval '1 microsecond',
           version           = u.version + CASE WHEN cardinality(p_places) > 0 THEN 1 ELSE 0 END,
           last_calculated_at = v_now
      FROM (SELECT coalesce(jsonb_object_agg(m.field, m.missing) FILTER (WHERE m.place = 'usage'), '{}') AS by
              FROM unnest(p_places, p_fields, p_missing) AS m (place, field, missing)) AS d
     WHERE u.user_id = p_user;
    -- Limits are copied from the terms, not counted.
    PERFORM tk_put_in_force(p_user, u.plan_terms_id, greatest(u.terms_at, v_now)) FROM usage AS u
      WHERE u.user_id = p_user
        AND p_fields && ARRAY['daily_requests', 'monthly_requests', 'max_tokens_per_request', 'monthly_tokens',
                              'monthly_cost_nanos', 'requests_per_minute', 'concurrent_requests', 'extra_requests',
                              'extra_tokens', 'extra_nanos', 'plan'];
    -- Due now: whoever comes next brings it current and sets it right.
    UPDATE usage AS u SET due_at = v_now WHERE u.user_id = p_user AND p_fields && ARRAY['due_at', 'day_ends_at', 'month_ends_at'];

    INSERT INTO usage_rollups AS r (
               user_id, period, period_start, model, category, request_type, complexity,
               completed, failed, tokens_used, tokens_input, tokens_output, tokens_cached, tokens_cache_write,
               tokens_reasoning, cost_nanos, unpriced, timed, duration_ms, rated, rating, latencies)
    SELECT p_user, d.key ->> 'period', (d.key ->> 'period_start')::timestamp, d.key ->> 'model', d.key ->> 'category',
           d.key ->> 'request_type', d.key ->> 'complexity',
           coalesce(d.by ->> 'completed', '0')::bigint, coalesce(d.by ->> 'failed', '0')::bigint,
           coalesce(d.by ->> 'tokens_used', '0')::bigint, coalesce(d.by ->> 'tokens_input', '0')::bigint,
           coalesce(d.by ->> 'tokens_output', '0')::bigint, coalesce(d.by ->> 'tokens_cached', '0')::bigint,
           coalesce(d.by ->> 'tokens_cache_write', '0')::bigint, coalesce(d.by ->> 'tokens_reasoning', '0')::bigint,
           coalesce(d.by ->> 'cost_nanos', '0')::bigint, coalesce(d.by ->> 'unpriced', '0')::bigint,
           coalesce(d.by ->> 'timed', '0')::bigint, coalesce(d.by ->> 'duration_ms', '0')::bigint,
           coalesce(d.by ->> 'rated', '0')::bigint, coalesce(d.by ->> 'rating', '0')::bigint,
           tk_latencies_from(d.by)
      FROM (SELECT m.key, jsonb_object_agg(m.field, m.missing) AS by
              FROM unnest(p_places, p_keys, p_fields, p_missing) AS m (place, key, field, missing)
             WHERE m.place = 'usage_rollups'
             GROUP BY m.key) AS d
        ON CONFLICT (user_id, period, period_start, model, category, request_type, complexity) DO UPDATE
       SET completed          = r.completed + excluded.completed,
           failed             = r.failed + excluded.failed,
           tokens_used        = r.tokens_used + excluded.tokens_used,
           tokens_input       = r.tokens_input + excluded.tokens_input,
           tokens_output      = r.tokens_output + excluded.tokens_output,
           tokens_cached      = r.tokens_cached + excluded.tokens_cached,
           tokens_cache_write = r.tokens_cache_write + excluded.tokens_cache_write,
           tokens_reasoning   = r.tokens_reasoning + excluded.tokens_reasoning,
           cost_nanos         = r.cost_nanos + excluded.cost_nanos,
           unpriced           = r.unpriced + excluded.unpriced,
           timed              = r.timed + excluded.timed,
           duration_ms        = r.duration_ms + excluded.duration_ms,
           rated              = r.rated + excluded.rated,
           rating             = r.rating + excluded.rating,
           latencies          = tk_latencies_sum(r.latencies, excluded.latencies);

    INSERT INTO chat_sessions AS s (user_id, session_id, started_at, last_at, completed, failed, tokens_used, cost_nanos,
                                    unpriced)
    SELECT p_user, d.session_id, coalesce(r.started_at, v_now), coalesce(r.last_at, v_now),
           coalesce(d.by ->> 'completed', '0')::bigint, coalesce(d.by ->> 'failed', '0')::bigint,
           coalesce(d.by ->> 'tokens_used', '0')::bigint, coalesce(d.by ->> 'cost_nanos', '0')::bigint,
           coalesce(d.by ->> 'unpriced', '0')::bigint
      FROM (SELECT m.key ->> 'session_id' AS session_id, jsonb_object_agg(m.field, m.missing) AS by
              FROM unnest(p_places, p_keys, p_fields, p_missing) AS m (place, key, field, missing)
             WHERE m.place = 'chat_sessions'
             GROUP BY 1) AS d
      LEFT JOIN LATERAL (SELECT min(q.started_at) AS started_at, max(q.started_at) AS last_at
                           FROM chat_requests AS q
                          WHERE q.user_id = p_user AND q.session_id = d.session_id) AS r ON true
        ON CONFLICT (user_id, session_id) DO UPDATE
       SET completed   = s.completed + excluded.completed,
           failed      = s.failed + excluded.failed,
           tokens_used = s.tokens_used + excluded.tokens_used,
           cost_nanos  = s.cost_nanos + excluded.cost_nanos,
           unpriced    = s.unpriced + excluded.unpriced;
    DELETE FROM chat_sessions AS s USING unnest(p_places, p_keys, p_fields, p_missing) AS m (place, key, field, missing)
     WHERE s.user_id = p_user AND s.session_id = m.key ->> 'session_id'
       AND m.place = 'chat_sessions' AND m.field = 'is_there' AND m.missing < 0
       -- Nobody has begun one of its name since.
       AND NOT EXISTS (SELECT FROM chat_requests AS r WHERE r.user_id = p_user AND r.session_id = s.session_id);
    RETURN true;
END
    $$;

CREATE OR REPLACE FUNCTION tk_latencies_from(p_fields jsonb) RETURNS bigint[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    v_counts bigint[] := '{}';
    v_field  record;
BEGIN
    FOR v_field IN SELECT substr(e.key, 9)::integer AS bucket, e.value::bigint AS count
                     FROM jsonb_each_text(p_fields) AS e WHERE e.key LIKE 'latency:%' LOOP
        v_counts[v_field.bucket] := v_field.count;
    END LOOP;
    RETURN v_counts;
END
    $$;
