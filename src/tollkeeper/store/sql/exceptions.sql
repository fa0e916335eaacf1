-- What is excepted from users' plans: overrides of limits, and grants.

-- name: overrides_of_user
-- The overrides of a user, the newest first. One that is over by itself has ended as well.
SELECT o.id, o.limits, o.reason, o.starts_at, o.ends_at,
       coalesce(o.ended_at, CASE WHEN o.ends_at <= tk_now() THEN o.ends_at END) AS ended_at
  FROM plan_overrides AS o
 WHERE o.user_id = :user_id
 ORDER BY o.id DESC
 LIMIT 1000;

-- name: count_overrides$
-- How many overrides of a user hold or are to come.
SELECT count(*) FROM plan_overrides AS o
 WHERE o.user_id = :user_id AND o.ended_at IS NULL AND (o.ends_at IS NULL OR o.ends_at > tk_now());

-- name: add_override^
-- Add an override for a user, from an instant on. Ids are in the order of making, at one instant too and where the clock went back.
INSERT INTO plan_overrides AS o (user_id, id, limits, reason, starts_at, ends_at, created_at)
SELECT u.user_id,
       greatest(tk_uuid7(:at::timestamptz),
                tk_uuid_behind((SELECT l.id FROM plan_overrides AS l WHERE l.user_id = u.user_id ORDER BY l.id DESC LIMIT 1))),
       :limits::jsonb, :reason, :at::timestamptz, :ends_at::timestamptz, :at::timestamptz
  FROM usage AS u
 WHERE u.user_id = :user_id
RETURNING o.id, o.limits, o.reason, o.starts_at, o.ends_at, o.ended_at;

-- name: end_override^
-- End an override of a user that holds.
UPDATE plan_overrides AS o
   SET ended_at = :at::timestamptz
 WHERE o.user_id = :user_id AND o.id = :override_id AND o.ended_at IS NULL AND (o.ends_at IS NULL OR o.ends_at > :at::timestamptz)
RETURNING o.id, o.limits, o.reason, o.starts_at, o.ends_at, o.ended_at;

-- name: grants_of_user
-- The grants of a user, the newest first, with what of them is burned by now.
SELECT g.id, g.unit, g.amount, g.burned + coalesce(b.units, 0) AS burned, g.priority, g.source, g.reason, g.created_at,
       nullif(g.expires_at, 'infinity') AS expires_at, g.ended_at
  FROM grants AS g
  LEFT JOIN tk_burning(:user_id) AS b ON b.id = g.id
 WHERE g.user_id = :user_id
 ORDER BY g.id DESC
 LIMIT 1000;

-- name: count_grants$
-- How many grants of a user are not used up.
SELECT count(*) FROM grants AS g
 WHERE g.user_id = :user_id AND g.ended_at IS NULL AND g.burned < g.amount AND g.expires_at > tk_now();

-- name: add_grant^
-- Grant a user units beyond the allowance.
INSERT INTO grants AS g (user_id, id, unit, amount, priority, source, reason, expires_at, created_at)
SELECT u.user_id, tk_uuid7(:at::timestamptz), :unit, :amount::bigint, :priority::smallint, 'operator', :reason,
       coalesce(:expires_at::timestamptz, 'infinity'), :at::timestamptz
  FROM usage AS u
 WHERE u.user_id = :user_id
RETURNING g.id, g.unit, g.amount, g.burned, g.priority, g.source, g.reason, g.created_at,
          nullif(g.expires_at, 'infinity') AS expires_at, g.ended_at;

-- name: settle_grants!
-- Note on grants what of them is burned.
SELECT tk_settle_grants(:user_id);

-- name: end_grant^
-- End a grant of a user that is not used up, or to which something of this month may come back.
UPDATE grants AS g
   SET ended_at = :at::timestamptz
 WHERE g.user_id = :user_id AND g.id = :grant_id AND g.ended_at IS NULL AND g.expires_at > :at
   AND (g.burned < g.amount OR g.burned > g.burned_before)
RETURNING g.id, g.unit, g.amount, g.burned, g.priority, g.source, g.reason, g.created_at,
          nullif(g.expires_at, 'infinity') AS expires_at, g.ended_at;

-- name: refresh_terms!
-- Put a user's terms in force as they are at an instant.
SELECT tk_put_in_force(u.user_id, u.plan_terms_id, :at::timestamptz) FROM usage AS u WHERE u.user_id = :user_id;
