-- Who the users are. The view users shows account, plan and usage together, computed on reading.

-- name: user_of_email$
-- Whose e-mail address it is, whatever the case of its letters.
SELECT tk_user_of(:email);

-- name: find_or_add_user$
-- The user of an e-mail address, made if there is none.
SELECT tk_add_user(:email, :plan, :time_zone);

-- name: find_or_add_users
-- The same for many addresses, made in one order so that two of these at once wait for each other and do not lock up.
SELECT g.email, tk_add_user(g.email, :plan, :time_zone) AS user_id
  FROM (SELECT e.email FROM unnest(:emails::text[]) AS e (email) ORDER BY lower(e.email)) AS g;

-- name: user_is_new$
-- Whether this very transaction made the user.
SELECT a.xmin = pg_current_xact_id()::xid
  FROM accounts AS a
 WHERE a.id = :user_id;

-- name: user^
-- One user with plan and usage as they are at this instant. Who is on the way out is nobody: they have no address.
SELECT u.id, u.email, u.name, u.image, u.plan, u.plan_expires_at, u.requests_used, u.requests_limit, u.is_active, u.role,
       u.time_zone, u.github_id IS NOT NULL AS has_github, u.last_login_at, u.created_at, u.updated_at
  FROM users AS u
 WHERE u.id = :user_id AND u.email IS NOT NULL;

-- name: users_page
-- All users, the newest first, from below an id on. For the operator.
SELECT u.id, u.email, u.name, u.image, u.plan, u.plan_expires_at, u.requests_used, u.requests_limit, u.is_active, u.role,
       u.time_zone, u.github_id IS NOT NULL AS has_github, u.last_login_at, u.created_at, u.updated_at
  FROM (SELECT a.id FROM accounts AS a
         WHERE a.id < coalesce(:below::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
         ORDER BY a.id DESC
         LIMIT :most) AS page
  -- Each by its key: with a limit no plan walks all identities instead.
 CROSS JOIN LATERAL (SELECT v.* FROM users AS v WHERE v.id = page.id LIMIT 1) AS u
 ORDER BY u.id DESC;

-- name: describe_user$
-- Set name, picture and role where they are given; an empty name or picture takes it away. Of nobody who is on the way out.
UPDATE accounts AS a
   SET name       = CASE WHEN :given_name::text IS NULL THEN a.name ELSE nullif(:given_name, '') END,
       image      = CASE WHEN :image::text IS NULL THEN a.image ELSE nullif(:image, '') END,
       role       = coalesce(:role::text, a.role),
       updated_at = tk_now()
 WHERE a.id = :user_id AND a.leaving_since IS NULL
RETURNING a.id;

-- name: plan_zone_of_user!
-- The zone that the next window is to have; the running ones keep theirs, and so does the version.
UPDATE usage AS u
   SET next_zone = nullif(:time_zone, u.day_zone)
 WHERE u.user_id = :user_id;

-- name: switch_user!
-- Switch a user on or off, but nobody on who is on the way out. A change of what may be used: the version rises.
UPDATE usage AS u
   SET is_active = :is_active, version = u.version + 1
 WHERE u.user_id = :user_id AND u.is_active <> :is_active
   AND EXISTS (SELECT FROM accounts AS a WHERE a.id = :user_id AND a.leaving_since IS NULL);

-- name: time_zone_named$
-- The name of a time zone in the spelling of the database. Those that count leap seconds are none of ours.
SELECT z.name
  FROM pg_timezone_names AS z
 WHERE lower(z.name) = lower(:time_zone) AND z.name !~ '^(posix|right)/|^(Factory|localtime|posixrules)$';
