-- What people write without sets: one transaction for the start (count, insert), into tollkeeper's own tables. No keys,
-- no limits but the daily one, no checks.
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
