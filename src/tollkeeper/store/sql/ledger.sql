-- name: start
-- Admit and record a set of requests, or say why not; routines/40_start.sql tells how.
SELECT *
  FROM tk_start(:user_ids::uuid[], :client_ids::text[], :idempotency_keys::text[], :import_keys::text[], :hashes::bytea[],
                :started_at::timestamptz[], :prompts::text[], :session_ids::text[], :models::text[], :request_types::text[],
                :categories::text[], :complexities::text[], :input_tokens::bigint[], :max_tokens::bigint[], :rates::jsonb[],
                :metadata::jsonb[], :ip_addresses::text[], :user_agents::text[], :pending_for::interval,
                :kept::text[], :deadlines::timestamptz[], :brief::boolean);

-- name: finish
-- Settle, rate or patch a set of requests; routines/50_finish.sql tells how.
SELECT *
  FROM tk_finish(:user_ids::uuid[], :ids::uuid[], :client_ids::text[], :hashes::bytea[], :statuses::text[], :responses::text[],
                 :errors::text[], :models::text[], :rates::jsonb[], :tokens_used::bigint[], :tokens_input::bigint[],
                 :tokens_output::bigint[], :tokens_cached::bigint[], :tokens_cache_write::bigint[],
                 :tokens_reasoning::bigint[], :reported_nanos::bigint[], :durations::bigint[], :rated::boolean[],
                 :ratings::smallint[], :trusted::boolean[], :completed_at::timestamptz[], :measure::boolean,
                 :kept::text[], :response_hashes::bytea[], :refunded::boolean[], :brief::boolean);

-- name: bring_current$
-- Roll over the windows, plans and deadlines of some users that have passed; answers the database's instant.
SELECT tk_lock(:user_ids::uuid[]);

-- name: locked_users
-- Of some users those whose rows somebody holds right now. The others' are held until it is told, which is at once.
WITH free AS MATERIALIZED (
    SELECT u.user_id FROM usage AS u
     WHERE u.user_id = ANY (:user_ids::uuid[])
     ORDER BY u.user_id
       FOR UPDATE SKIP LOCKED
)
SELECT u.user_id
  FROM usage AS u
 WHERE u.user_id = ANY (:user_ids) AND NOT EXISTS (SELECT FROM free AS f WHERE f.user_id = u.user_id);

-- name: bring_free_current
-- The same of those whose rows nobody holds right now; answers whose.
WITH free AS MATERIALIZED (
    SELECT u.user_id FROM usage AS u
     WHERE u.user_id = ANY (:user_ids::uuid[])
     ORDER BY u.user_id
       FOR UPDATE SKIP LOCKED
)
SELECT unnest(f.ids) AS user_id
  FROM (SELECT ARRAY(SELECT free.user_id FROM free) AS ids) AS f
 WHERE tk_lock(f.ids) IS NOT NULL;

-- name: users_with_expired
-- Who has pending requests past their deadline, or a plan that ends or is about to. Of all users: the sweep.
SELECT DISTINCT d.user_id
  FROM (SELECT r.user_id FROM chat_requests AS r WHERE r.status = 'pending' AND r.expires_at <= tk_now()
         UNION ALL
        -- In the order of its index, which whoever has no such end is not in.
        (SELECT u.user_id FROM usage AS u
          WHERE least(u.expiring_at, u.plan_expires_at) <= (SELECT tk_now())
          ORDER BY least(u.expiring_at, u.plan_expires_at)
          LIMIT :most)) AS d
 LIMIT :most;
