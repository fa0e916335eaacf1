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
       (SELECT min(r.started_at) FROM chat_requests AS r) AS since, tk_now() AS at;
