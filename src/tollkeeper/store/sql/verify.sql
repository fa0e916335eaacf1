-- name: hold_partitions!
-- Before the snapshot of this transaction is taken: let no partition leave the ledger from here on. What left it before,
-- the snapshot then shows as sealed. (Whoever reads only waits for a pruning that takes milliseconds.)
LOCK TABLE chat_requests, request_analytics, closing_requests, closing_analytics IN ACCESS SHARE MODE;

-- name: plan_for_these_values$
-- Within this transaction plan each statement for its values: for one user, or for all, and not for either.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: differences
-- Every derived number that disagrees with the rows: of one user, or (null) of all users and over all.
SELECT d.user_id, i.shown_as AS email, d.place, d.key, d.field, d.stored, d.actual
  FROM tk_differences(:user_id::uuid) AS d
  LEFT JOIN user_identities AS i ON i.user_id = d.user_id AND i.kind = 'email';

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
