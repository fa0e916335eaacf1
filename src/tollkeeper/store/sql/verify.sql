-- name: hold_partitions!
-- Before the snapshot of this transaction is taken: let no partition leave the ledger from here on. What left it before,
-- the snapshot then shows as sealed. (Whoever reads only waits for a pruning that takes milliseconds.)
LOCK TABLE chat_requests, request_analytics, closing_requests, closing_analytics IN ACCESS SHARE MODE;

-- name: plan_for_these_values^
-- Within this transaction plan each statement for its values (for some users, for all, or for a month, and not for
-- whichever), and let the requests of each month meet the analytics of that month alone.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_partitionwise_join', 'on', true);

-- name: differences
-- Every derived number that disagrees with the rows: of some users, or (null) of all users and over all.
SELECT d.user_id, i.shown_as AS email, d.place, d.key, d.field, d.stored, d.actual
  FROM tk_differences(:user_ids::uuid[]) AS d
  LEFT JOIN user_identities AS i ON i.user_id = d.user_id AND i.kind = 'email';

-- name: overall_differences
-- Every sum over all users that disagrees with the rows, of a range of hours.
SELECT d.key, d.field, d.stored, d.actual
  FROM tk_overall_differences(:since::timestamptz, :until::timestamptz) AS d;

-- name: hold_proof$
-- Whether nobody proves now; then nobody else will as long as this session lasts. The lock is "provings" in ASCII.
SELECT pg_try_advisory_lock(x'70726f76696e6773'::bigint);

-- name: proof_is_due$
-- Whether everything was proved longer ago than that, or never.
SELECT NOT EXISTS (SELECT FROM verifications AS v WHERE v.at > tk_now() - :every::interval);

-- name: users_to_prove
-- Every user in turn, in the order of their ids, and about how much there is to prove.
SELECT u.user_id, u.total_requests FROM usage AS u WHERE u.user_id > :after::uuid ORDER BY u.user_id LIMIT :most;

-- name: edges_of_months
-- The instants at which partitions of requests begin and end.
SELECT DISTINCT e.at
  FROM request_months AS m
 CROSS JOIN LATERAL (VALUES (m.starts_at), (m.ends_at)) AS e (at)
 ORDER BY e.at;

-- name: last_verification^
-- What was found when everything was proved last.
SELECT v.at, v.seconds, v.differences, v.unreadable FROM verifications AS v ORDER BY v.at DESC LIMIT 1;

-- name: calculated^
-- When a user's numbers were last rebuilt, and the windows they count in.
SELECT u.last_calculated_at, u.day_starts_at, u.month_starts_at,
       coalesce(tk_now() < u.last_calculated_at + :pause::interval, false) AS is_too_soon
  FROM usage AS u
 WHERE u.user_id = :user_id;

-- name: mend$
-- Add what is missing to a user's derived numbers, if nobody did meanwhile; routines/70_verify.sql tells how.
SELECT tk_mend(:user_id::uuid, :calculated_at::timestamptz, :day_starts_at::timestamptz, :month_starts_at::timestamptz,
               :places::text[], :keys::jsonb[], :fields::text[], :missing::bigint[]);

-- name: verified^
-- What a verification covers.
SELECT (SELECT count(*) FROM accounts) AS users, (SELECT count(*) FROM chat_requests) AS requests,
       (SELECT min(r.started_at) FROM chat_requests AS r) AS since, k.rows_from, k.texts_from, tk_now() AS at
  FROM retention AS k;
