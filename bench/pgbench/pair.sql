-- What people write without sets: one transaction for the start (count, insert), one for the finish (update, analytics,
-- rollups, counters), into tollkeeper's own tables. No keys, no limits but the daily one, no checks, no percentiles.
\set n random(1, :users)
\set took random(200, 20000)
BEGIN;
UPDATE usage SET day_requests = day_requests + 1, month_requests = month_requests + 1, total_requests = total_requests + 1,
       reserved_tokens = reserved_tokens + 50, version = version + 1, updated_at = clock_timestamp()
 WHERE user_id = (SELECT b.user_id FROM bench_users AS b WHERE b.n = :n)
   AND (daily_requests IS NULL OR day_requests < daily_requests)
RETURNING user_id, tk_uuid7(clock_timestamp()) AS id \gset
INSERT INTO chat_requests (id, user_id, session_id, prompt, model, request_type, category, complexity, reserved_tokens,
                           unit_prices, plan_name, version, started_on, ip_address, user_agent, started_at, expires_at, created_at)
VALUES (:id, :user_id, 'session-1', repeat('How do I mint a token? ', 9), 'gpt-4o', 'chat', 'nft', 'low', 50,
        '{"source": "genai-prices", "provider": "openai", "model": "gpt-4o", "input": 2500000000, "output": 10000000000, "cache_read": 1250000000}',
        'enterprise', 1, current_date, '127.0.0.1', 'bench', clock_timestamp(), clock_timestamp() + interval '15 minutes', clock_timestamp());
INSERT INTO chat_sessions (user_id, session_id, started_at, last_at) VALUES (:user_id, 'session-1', clock_timestamp(), clock_timestamp())
    ON CONFLICT DO NOTHING;
COMMIT;
BEGIN;
UPDATE usage SET total_completed = total_completed + 1, total_tokens_used = total_tokens_used + 700,
       total_cost_nanos = total_cost_nanos + 6200000, total_timed = total_timed + 1, total_duration_ms = total_duration_ms + :took,
       month_tokens = month_tokens + 700, month_cost_nanos = month_cost_nanos + 6200000, reserved_tokens = reserved_tokens - 50,
       version = version + 1, updated_at = clock_timestamp()
 WHERE user_id = :user_id;
UPDATE chat_requests SET status = 'completed', response = repeat('You call the mint function of the contract. ', 14),
       tokens_used = 700, cost_nanos = 6200000, cost_source = 'computed', computed_nanos = 6200000, duration = :took,
       finish_hash = decode(md5(:id::text), 'hex'), finish_limits = '[1, "enterprise", 1, null, 1, null, 700, null, 6200000, null, 1795392000000000, 1796083200000000, true]',
       completed_at = clock_timestamp()
 WHERE user_id = :user_id AND id = :id;
INSERT INTO request_analytics (id, user_id, request_id, request_type, category, complexity, response_time, tokens_input,
                               tokens_output, was_successful, created_at)
VALUES (:id, :user_id, :id, 'chat', 'nft', 'low', :took, 100, 600, true, clock_timestamp());
INSERT INTO usage_rollups AS r (user_id, period, period_start, model, category, request_type, complexity, completed, failed,
                                tokens_used, tokens_input, tokens_output, tokens_cached, tokens_cache_write, tokens_reasoning,
                                cost_nanos, unpriced, timed, duration_ms, rated, rating, latencies)
VALUES (:user_id, 'all', '-infinity', 'gpt-4o', 'nft', 'chat', 'low', 1, 0, 700, 100, 600, 0, 0, 0, 6200000, 0, 1, :took, 0, 0, '{}'),
       (:user_id, 'day', current_date, 'gpt-4o', 'nft', 'chat', 'low', 1, 0, 700, 100, 600, 0, 0, 0, 6200000, 0, 1, :took, 0, 0, '{}'),
       (:user_id, 'hour', date_trunc('hour', localtimestamp), 'gpt-4o', '', '', '', 1, 0, 700, 100, 600, 0, 0, 0, 6200000, 0, 1, :took, 0, 0, '{}')
    ON CONFLICT (user_id, period, period_start, model, category, request_type, complexity) DO UPDATE
   SET completed = r.completed + 1, tokens_used = r.tokens_used + excluded.tokens_used, tokens_input = r.tokens_input + excluded.tokens_input,
       tokens_output = r.tokens_output + excluded.tokens_output, cost_nanos = r.cost_nanos + excluded.cost_nanos,
       timed = r.timed + 1, duration_ms = r.duration_ms + excluded.duration_ms;
UPDATE chat_sessions SET completed = completed + 1, tokens_used = tokens_used + 700, cost_nanos = cost_nanos + 6200000, last_at = clock_timestamp()
 WHERE user_id = :user_id AND session_id = 'session-1';
INSERT INTO overall_rollups AS r (hour_at, plan_name, model, category, request_type, slot, completed, failed,
                                  tokens_used, tokens_input, tokens_output, tokens_cached, tokens_cache_write, tokens_reasoning,
                                  cost_nanos, unpriced, timed, duration_ms, rated, rating, latencies)
VALUES (date_trunc('hour', clock_timestamp()), 'pgbench', 'gpt-4o', 'nft', 'chat', (pg_backend_pid() % 64)::smallint, 1, 0,
        700, 100, 600, 0, 0, 0, 6200000, 0, 1, :took, 0, 0, '{}')
    ON CONFLICT (hour_at, plan_name, model, category, request_type, slot) DO UPDATE
   SET completed = r.completed + 1, tokens_used = r.tokens_used + excluded.tokens_used, tokens_input = r.tokens_input + excluded.tokens_input,
       tokens_output = r.tokens_output + excluded.tokens_output, cost_nanos = r.cost_nanos + excluded.cost_nanos,
       timed = r.timed + 1, duration_ms = r.duration_ms + excluded.duration_ms;
COMMIT;
