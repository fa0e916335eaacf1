-- What people write without sets: one transaction for the start (count, insert), one for the finish (update, analytics,
-- rollups, counters), into tollkeeper's own tables. No keys, no limits but the daily one, no checks, no percentiles.
-- What a request says stands in bench_bodies, so that a client of pgbench need not even send it.
\set n random(1, :users)
\set r random(0, 1000000)
BEGIN;
UPDATE usage AS u SET day_requests = day_requests + 1, month_requests = month_requests + 1, total_requests = total_requests + 1,
       reserved_tokens = reserved_tokens + 50, version = version + 1, updated_at = clock_timestamp()
  FROM bench_users AS b
 WHERE b.n = :n AND u.user_id = b.user_id AND (daily_requests IS NULL OR day_requests < daily_requests)
RETURNING u.user_id, tk_uuid7(clock_timestamp()) AS id, b.first_body + :r % b.bodies AS body \gset
INSERT INTO chat_requests (id, user_id, session_id, prompt, model, request_type, category, reserved_tokens,
                           unit_prices, plan_name, version, started_on, ip_address, user_agent, started_at, expires_at, created_at)
SELECT :id::uuid, :user_id::uuid, b.session_id, b.prompt, b.model, 'chat', b.category, 50,
       b.rates, 'enterprise', 1, current_date, '127.0.0.1', 'bench', clock_timestamp(), clock_timestamp() + interval '15 minutes', clock_timestamp()
  FROM bench_bodies AS b WHERE b.n = :body;
INSERT INTO chat_sessions (user_id, session_id, started_at, last_at)
SELECT :user_id::uuid, b.session_id, clock_timestamp(), clock_timestamp()
  FROM bench_bodies AS b WHERE b.n = :body AND b.session_id IS NOT NULL
    ON CONFLICT DO NOTHING;
COMMIT;
BEGIN;
UPDATE usage AS u SET total_completed = total_completed + 1, total_tokens_used = total_tokens_used + b.tokens_used,
       total_cost_nanos = total_cost_nanos + b.cost_nanos, total_timed = total_timed + 1, total_duration_ms = total_duration_ms + b.took,
       month_tokens = month_tokens + b.tokens_used, month_cost_nanos = month_cost_nanos + b.cost_nanos,
       reserved_tokens = u.reserved_tokens - 50, version = version + 1, updated_at = clock_timestamp()
  FROM bench_bodies AS b
 WHERE b.n = :body AND u.user_id = :user_id;
UPDATE chat_requests AS r SET status = 'completed', response = b.response, tokens_used = b.tokens_used, cost_nanos = b.cost_nanos,
       cost_source = 'computed', computed_nanos = b.cost_nanos, duration = b.took, finish_hash = decode(md5(:id::text), 'hex'),
       finish_limits = '[1, "enterprise", 1, null, 1, null, 700, null, 6200000, null, 1795392000000000, 1796083200000000, true]',
       completed_at = clock_timestamp()
  FROM bench_bodies AS b
 WHERE b.n = :body AND r.user_id = :user_id AND r.id = :id;
INSERT INTO request_analytics (id, user_id, request_id, request_type, category, response_time, tokens_input,
                               tokens_output, was_successful, created_at)
SELECT :id::uuid, :user_id::uuid, :id::uuid, 'chat', b.category, b.took, b.tokens_input, b.tokens_output, true, clock_timestamp()
  FROM bench_bodies AS b WHERE b.n = :body;
INSERT INTO usage_rollups AS r (user_id, period, period_start, model, category, request_type, complexity, completed, failed,
                                tokens_used, tokens_input, tokens_output, tokens_cached, tokens_cache_write, tokens_reasoning,
                                cost_nanos, unpriced, timed, duration_ms, rated, rating, latencies)
SELECT :user_id::uuid, p.period, p.period_start, b.model, p.category, p.request_type, '', 1, 0,
       b.tokens_used, b.tokens_input, b.tokens_output, 0, 0, 0, b.cost_nanos, 0, 1, b.took, 0, 0, '{}'
  FROM bench_bodies AS b
  CROSS JOIN LATERAL (VALUES ('all', timestamp '-infinity', b.category, 'chat'), ('day', current_date::timestamp, b.category, 'chat'),
                             ('hour', date_trunc('hour', localtimestamp), '', '')) AS p (period, period_start, category, request_type)
 WHERE b.n = :body
    ON CONFLICT (user_id, period, period_start, model, category, request_type, complexity) DO UPDATE
   SET completed = r.completed + 1, tokens_used = r.tokens_used + excluded.tokens_used, tokens_input = r.tokens_input + excluded.tokens_input,
       tokens_output = r.tokens_output + excluded.tokens_output, cost_nanos = r.cost_nanos + excluded.cost_nanos,
       timed = r.timed + 1, duration_ms = r.duration_ms + excluded.duration_ms;
UPDATE chat_sessions AS s SET completed = completed + 1, tokens_used = s.tokens_used + b.tokens_used, cost_nanos = s.cost_nanos + b.cost_nanos,
       last_at = clock_timestamp()
  FROM bench_bodies AS b
 WHERE b.n = :body AND s.user_id = :user_id AND s.session_id = b.session_id;
INSERT INTO overall_rollups AS r (hour_at, plan_name, model, category, request_type, slot, completed, failed,
                                  tokens_used, tokens_input, tokens_output, tokens_cached, tokens_cache_write, tokens_reasoning,
                                  cost_nanos, unpriced, timed, duration_ms, rated, rating, latencies)
SELECT date_trunc('hour', clock_timestamp()), 'enterprise', b.model, b.category, 'chat', (pg_backend_pid() % 64)::smallint, 1, 0,
       b.tokens_used, b.tokens_input, b.tokens_output, 0, 0, 0, b.cost_nanos, 0, 1, b.took, 0, 0, '{}'
  FROM bench_bodies AS b WHERE b.n = :body
    ON CONFLICT (hour_at, plan_name, model, category, request_type, slot) DO UPDATE
   SET completed = r.completed + 1, tokens_used = r.tokens_used + excluded.tokens_used, tokens_input = r.tokens_input + excluded.tokens_input,
       tokens_output = r.tokens_output + excluded.tokens_output, cost_nanos = r.cost_nanos + excluded.cost_nanos,
       timed = r.timed + 1, duration_ms = r.duration_ms + excluded.duration_ms;
COMMIT;
