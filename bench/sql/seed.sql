-- Real rows again and again: the three biggest groups of a model and a category, their texts cut at 60 characters.
CREATE TABLE bench_seed AS
SELECT (row_number() OVER (ORDER BY b.n) - 1)::integer AS n, b.session_id, left(b.prompt, 60) AS prompt,
       left(b.response, 60) AS response, b.model, b.category, b.tokens_input, b.tokens_output, b.tokens_used, b.took,
       b.rates, b.cost_nanos
  FROM bench_bodies AS b
 WHERE (b.model, b.category) IN (SELECT c.model, c.category FROM bench_bodies AS c WHERE c.rates IS NOT NULL
                                  GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT 3);

-- Which rows a chunk of a user's history has. They lie evenly over a year that ends three hours ago.
CREATE FUNCTION bench_rows(p_user uuid, p_rows bigint, p_ending timestamptz, p_from bigint, p_to bigint) RETURNS TABLE (
    id uuid, n integer, at timestamptz, place bigint
)
    LANGUAGE sql STABLE
    AS $$
    SELECT (lpad(to_hex(t.ms), 12, '0') || '7' || lpad(to_hex(g.place % 4096), 3, '0') || '8' || substr(p_user::text, 25, 3)
            || lpad(to_hex(g.place), 12, '0'))::uuid,
           (g.place % s.seeds)::integer, to_timestamp(t.ms / 1000.0), g.place
      FROM generate_series(p_from, p_to) AS g (place)
     CROSS JOIN (SELECT count(*) AS seeds FROM bench_seed) AS s
     CROSS JOIN LATERAL (SELECT ((extract(epoch FROM p_ending) - 31536000.0 * (p_rows - g.place) / p_rows) * 1000)::bigint AS ms) AS t
    $$;

-- A chunk of a history: finished requests as the ledger would have stored them, and their analytics.
CREATE PROCEDURE bench_fill(p_user uuid, p_rows bigint, p_ending timestamptz, p_from bigint, p_to bigint)
    LANGUAGE sql
    AS $$
    INSERT INTO chat_requests (id, user_id, session_id, prompt, response, model, request_type, category, status, tokens_used,
                               cost_nanos, cost_source, computed_nanos, duration, unit_prices, plan_name, version, started_on,
                               started_at, expires_at, completed_at, created_at)
    SELECT r.id, p_user, s.session_id, s.prompt, s.response, s.model, 'chat', s.category, 'completed', s.tokens_used,
           s.cost_nanos, 'computed', s.cost_nanos, s.took, s.rates, 'enterprise', r.place, (r.at AT TIME ZONE 'UTC')::date,
           r.at, r.at + interval '15 minutes', r.at + s.took * interval '1 millisecond', r.at
      FROM bench_rows(p_user, p_rows, p_ending, p_from, p_to) AS r JOIN bench_seed AS s ON s.n = r.n;
    INSERT INTO request_analytics (id, user_id, request_id, request_type, category, response_time, tokens_input, tokens_output,
                                   was_successful, created_at)
    SELECT r.id, p_user, r.id, 'chat', s.category, s.took, s.tokens_input, s.tokens_output, true,
           r.at + s.took * interval '1 millisecond'
      FROM bench_rows(p_user, p_rows, p_ending, p_from, p_to) AS r JOIN bench_seed AS s ON s.n = r.n;
    $$;

-- A history's part of the numbers over all users. Each user's own are built by the rebuild that users have.
CREATE PROCEDURE bench_sum(p_user uuid, p_rows bigint, p_ending timestamptz)
    LANGUAGE sql
    AS $$
    INSERT INTO overall_rollups AS o (
               hour_at, plan_name, model, category, request_type, slot, completed, failed, tokens_used, tokens_input,
               tokens_output, tokens_cached, tokens_cache_write, tokens_reasoning, cost_nanos, unpriced, timed, duration_ms,
               rated, rating, latencies)
    SELECT date_trunc('hour', r.at, 'UTC'), 'enterprise', s.model, s.category, 'chat',
           (SELECT coalesce(max(t.slot) + 1, 0) FROM overall_rollups AS t), count(*), 0,
           sum(s.tokens_used), sum(s.tokens_input), sum(s.tokens_output), 0, 0, 0, sum(s.cost_nanos), 0, count(*),
           sum(s.took), 0, 0, tk_latencies(array_agg(tk_latency_bucket(s.took)))
      FROM bench_rows(p_user, p_rows, p_ending, 1, p_rows) AS r JOIN bench_seed AS s ON s.n = r.n
     GROUP BY 1, 2, 3, 4, 5;
    INSERT INTO chat_sessions (user_id, session_id, started_at, last_at)
    SELECT p_user, s.session_id, min(r.at), max(r.at)
      FROM bench_rows(p_user, p_rows, p_ending, 1, p_rows) AS r JOIN bench_seed AS s ON s.n = r.n
     WHERE s.session_id IS NOT NULL
     GROUP BY s.session_id;
    $$;
