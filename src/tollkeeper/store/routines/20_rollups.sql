-- How every derived number follows a change, in the transaction of the change and under its users' locks.

CREATE OR REPLACE FUNCTION tk_latency_bucket(p_ms bigint) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Logarithmic buckets as in DDSketch (Masson, Rim, Lee: VLDB 2019): bucket b holds (g^(b-1), g^b] for
    -- g = 1.0195 / 0.9805, so that its middle is within 1.95 % of all that it holds. Bucket -1 holds 0 ms.
    SELECT CASE WHEN p_ms <= 0 THEN -1 ELSE ceil(ln(p_ms::float8) / ln(1.0195 / 0.9805::float8) - 1e-9)::integer END
    $$;

CREATE OR REPLACE FUNCTION tk_latency_ms(p_bucket integer) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN p_bucket < 0 THEN 0
                ELSE round((power(1.0195 / 0.9805::float8, p_bucket) * 0.9805)::numeric, 3) END
    $$;

CREATE OR REPLACE FUNCTION tk_latencies_of_many(p_buckets integer[]) RETURNS bigint[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    v_bucket integer;
    v_counts bigint[] := '{}';
BEGIN
    FOREACH v_bucket IN ARRAY p_buckets LOOP
        v_counts[v_bucket] := coalesce(v_counts[v_bucket], 0) + 1;
    END LOOP;
    RETURN v_counts;
END
    $$;

CREATE OR REPLACE FUNCTION tk_latencies(p_buckets integer[]) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    -- Most often there is one: then one expression makes the array, and no function is called.
    SELECT CASE WHEN p_buckets IS NULL THEN '{}'
                WHEN cardinality(p_buckets) = 1 THEN array_fill(1::bigint, '{1}', p_buckets)
                ELSE tk_latencies_of_many(p_buckets) END
    $$;

CREATE OR REPLACE FUNCTION tk_latencies_sum(p_one bigint[], p_other bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
    -- An empty array has no bounds: then there is nothing to walk.
    FOR b IN coalesce(array_lower(p_other, 1), 0) .. coalesce(array_upper(p_other, 1), -1) LOOP
        IF p_other[b] IS NOT NULL THEN
            p_one[b] := coalesce(p_one[b], 0) + p_other[b];
        END IF;
    END LOOP;
    RETURN p_one;
END
    $$;

-- sum() of bigint computes in numeric. This one stays within 63 bits, beyond which no number of a user's may go.
CREATE OR REPLACE AGGREGATE tk_sum(bigint) (SFUNC = int8pl, STYPE = bigint, PARALLEL = SAFE);

-- As it was called before.
DROP FUNCTION IF EXISTS tk_apply(tk_change[], timestamptz);

CREATE OR REPLACE FUNCTION tk_apply(
    p_changes tk_change[],
    p_now     timestamptz,           -- when users acted; null: nobody did
    p_users   uuid[] DEFAULT NULL   -- those of the changes, and maybe others; null: only of the changes
) RETURNS void
    LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_nestloop = off SET enable_mergejoin = off
    AS $$
DECLARE
    v_warned   uuid[];   -- of whom there is something to tell
    v_unpriced uuid[];
    v_given    uuid[];   -- who gave something back, and have burned some of their grants
    v_user     uuid;
BEGIN
    IF p_users IS NULL THEN
        p_users := ARRAY(SELECT DISTINCT c.user_id FROM unnest(p_changes) AS c);
    END IF;
    WITH moved AS (
        UPDATE usage AS u
           SET version           = u.version + c.ops,
               day_requests      = u.day_requests + c.day_unit,
               month_requests    = u.month_requests + c.month_unit,
               month_tokens      = u.month_tokens + c.month_tokens,
               month_cost_nanos  = u.month_cost_nanos + c.month_cost_nanos,
               reserved_tokens   = u.reserved_tokens - c.released_tokens,
               reserved_nanos    = u.reserved_nanos - c.released_nanos,
               pending_requests  = u.pending_requests - c.ended,
               -- What is given back is no longer covered by anything.
               covered_requests  = least(u.covered_requests, u.month_requests + c.month_unit),
               covered_tokens    = least(u.covered_tokens,
                                         u.month_tokens + u.reserved_tokens + c.month_tokens - c.released_tokens),
               covered_nanos     = least(u.covered_nanos,
                                         u.month_cost_nanos + u.reserved_nanos + c.month_cost_nanos - c.released_nanos),
               total_completed   = u.total_completed + c.completed,
               total_failed      = u.total_failed + c.failed,
               total_tokens_used = u.total_tokens_used + c.tokens_used,
               total_cost_nanos  = u.total_cost_nanos + c.cost_nanos,
               total_unpriced    = u.total_unpriced + c.unpriced,
               total_timed       = u.total_timed + c.timed,
               total_duration_ms = u.total_duration_ms + c.duration_ms,
               total_rated       = u.total_rated + c.rated,
               total_rating      = u.total_rating + c.rating,
               updated_at        = coalesce(p_now, u.updated_at)
          FROM (SELECT c.user_id,
                       sum(c.ops) AS ops,
                       sum(CASE WHEN c.started_at >= w.day_starts_at THEN c.unit ELSE 0 END) AS day_unit,
                       sum(CASE WHEN c.started_at >= w.month_starts_at THEN c.unit ELSE 0 END) AS month_unit,
                       tk_sum(CASE WHEN c.started_at >= w.month_starts_at THEN c.tokens_used ELSE 0 END) AS month_tokens,
                       tk_sum(CASE WHEN c.started_at >= w.month_starts_at THEN c.cost_nanos ELSE 0 END) AS month_cost_nanos,
                       tk_sum(CASE WHEN c.started_at >= w.month_starts_at THEN c.released_tokens ELSE 0 END) AS released_tokens,
                       tk_sum(CASE WHEN c.started_at >= w.month_starts_at THEN c.released_nanos ELSE 0 END) AS released_nanos,
                       sum(c.ended) AS ended,
                       sum(c.completed) AS completed, sum(c.failed) AS failed,
                       tk_sum(c.tokens_used) AS tokens_used, tk_sum(c.cost_nanos) AS cost_nanos, sum(c.unpriced) AS unpriced,
                       sum(c.timed) AS timed, tk_sum(c.duration_ms) AS duration_ms,
                       sum(c.rated) AS rated, sum(c.rating) AS rating
                  FROM unnest(p_changes) AS c
                  JOIN usage AS w ON w.user_id = c.user_id
                 WHERE w.user_id = ANY (p_users)
                 GROUP BY c.user_id) AS c
         WHERE u.user_id = c.user_id AND u.user_id = ANY (p_users)
        RETURNING u.user_id, c.unpriced,
                  u.month_tokens >= u.warn_month_tokens OR u.month_cost_nanos >= u.warn_month_nanos
                  OR u.month_cost_nanos >= u.unusual_at_nanos AS is_due,
                  u.burned_requests + u.burned_tokens + u.burned_nanos > 0
                  AND (c.month_unit < 0 OR c.released_tokens > 0 OR c.released_nanos > 0) AS has_given
    )
    SELECT array_agg(m.user_id ORDER BY m.user_id) FILTER (WHERE m.is_due),
           array_agg(m.user_id) FILTER (WHERE m.unpriced > 0),
           array_agg(m.user_id) FILTER (WHERE m.has_given)
      INTO v_warned, v_unpriced, v_given
      FROM moved AS m;
    IF v_given IS NOT NULL THEN
        FOREACH v_user IN ARRAY v_given LOOP
            PERFORM tk_take_with_ended(v_user);
        END LOOP;
    END IF;

    -- Nobody else writes these users' rows: their usage rows are locked.
    INSERT INTO usage_rollups AS r (
               user_id, period, period_start, model, category, request_type, complexity,
               completed, failed, tokens_used, tokens_input, tokens_output, tokens_cached, tokens_cache_write,
               tokens_reasoning, cost_nanos, unpriced, timed, duration_ms, rated, rating, latencies)
    SELECT c.user_id, p.period, p.period_start, coalesce(c.model, '') AS model,
           CASE WHEN p.period = 'hour' THEN '' ELSE coalesce(c.category, '') END AS category,
           CASE WHEN p.period = 'hour' THEN '' ELSE c.request_type END AS request_type,
           CASE WHEN p.period = 'hour' THEN '' ELSE coalesce(c.complexity, '') END AS complexity,
           sum(c.completed), sum(c.failed), tk_sum(c.tokens_used), tk_sum(c.tokens_input), tk_sum(c.tokens_output),
           tk_sum(c.tokens_cached), tk_sum(c.tokens_cache_write), tk_sum(c.tokens_reasoning), tk_sum(c.cost_nanos), sum(c.unpriced),
           sum(c.timed), tk_sum(c.duration_ms), sum(c.rated), sum(c.rating),
           tk_latencies(array_agg(tk_latency_bucket(c.duration_ms)) FILTER (WHERE c.timed = 1))
      FROM unnest(p_changes) AS c
      CROSS JOIN LATERAL (VALUES ('all', timestamp '-infinity'),
                                 ('day', c.started_on::timestamp),
                                 ('hour', date_trunc('hour', c.started_at AT TIME ZONE 'UTC'))) AS p (period, period_start)
     GROUP BY 1, 2, 3, 4, 5, 6, 7
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
           latencies          = CASE WHEN excluded.timed = 0 THEN r.latencies
                                     ELSE tk_latencies_sum(r.latencies, excluded.latencies) END;

    -- By its key and not by a join, so that no plan made on an empty table can take the other index.
    INSERT INTO chat_sessions AS s (user_id, session_id, started_at, last_at, completed, failed, tokens_used, cost_nanos,
                                    unpriced)
    SELECT c.user_id, c.session_id, min(c.started_at), max(c.started_at),
           sum(c.completed), sum(c.failed), tk_sum(c.tokens_used), tk_sum(c.cost_nanos), sum(c.unpriced)
      FROM unnest(p_changes) AS c
     WHERE c.session_id IS NOT NULL
     GROUP BY c.user_id, c.session_id
        ON CONFLICT (user_id, session_id) DO UPDATE
       SET completed   = s.completed + excluded.completed,
           failed      = s.failed + excluded.failed,
           tokens_used = s.tokens_used + excluded.tokens_used,
           cost_nanos  = s.cost_nanos + excluded.cost_nanos,
           unpriced    = s.unpriced + excluded.unpriced,
           started_at  = least(s.started_at, excluded.started_at),
           last_at     = greatest(s.last_at, excluded.last_at);

    IF v_unpriced IS NOT NULL THEN
        PERFORM tk_tell_unpriced(p_changes, v_unpriced);
    END IF;
    FOREACH v_user IN ARRAY coalesce(v_warned, '{}') LOOP
        PERFORM tk_warn(v_user);
    END LOOP;

    -- Shared by all users, so last, in a fixed order, and in this backend's own slot.
    INSERT INTO overall_rollups AS r (
               hour_at, plan_name, model, category, request_type, slot,
               completed, failed, tokens_used, tokens_input, tokens_output, tokens_cached, tokens_cache_write,
               tokens_reasoning, cost_nanos, unpriced, timed, duration_ms, rated, rating, latencies)
    SELECT date_trunc('hour', c.started_at, 'UTC') AS hour_at, c.plan_name, coalesce(c.model, '') AS model,
           coalesce(c.category, '') AS category, c.request_type, (pg_backend_pid() % 64)::smallint AS slot,
           sum(c.completed), sum(c.failed), tk_sum(c.tokens_used), tk_sum(c.tokens_input), tk_sum(c.tokens_output),
           tk_sum(c.tokens_cached), tk_sum(c.tokens_cache_write), tk_sum(c.tokens_reasoning), sum(c.cost_nanos), sum(c.unpriced),
           sum(c.timed), sum(c.duration_ms), sum(c.rated), sum(c.rating),
           tk_latencies(array_agg(tk_latency_bucket(c.duration_ms)) FILTER (WHERE c.timed = 1))
      FROM unnest(p_changes) AS c
     GROUP BY 1, 2, 3, 4, 5, 6
     ORDER BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (hour_at, plan_name, model, category, request_type, slot) DO UPDATE
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
           latencies          = CASE WHEN excluded.timed = 0 THEN r.latencies
                                     ELSE tk_latencies_sum(r.latencies, excluded.latencies) END;
END
    $$;
