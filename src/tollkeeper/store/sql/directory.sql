-- Users as operators look for them, and what operators change of them. routines/65_operators.sql has the view.

-- name: directory_by_email
-- Those who are wanted by their addresses, from above one on: read in that order until the page is full.
SELECT d.entry
  FROM (SELECT k.user_id, k.value FROM user_identities AS k
         WHERE k.kind = 'email' AND k.value > coalesce(:after::text, '')) AS page
  -- Each by its key, as in users_page.
 CROSS JOIN LATERAL (SELECT v AS entry FROM directory AS v WHERE v.id = page.user_id LIMIT 1) AS d
 WHERE tk_finds(:text::text, (d.entry).id, (d.entry).address, (d.entry).name)
   AND (:plan::text IS NULL OR (d.entry).plan = :plan) AND (:is_active::boolean IS NULL OR (d.entry).is_active = :is_active)
 ORDER BY page.value
 LIMIT :most;

-- name: directory_by_email_backwards
-- The same from below an address down.
SELECT d.entry
  FROM (SELECT k.user_id, k.value FROM user_identities AS k
         WHERE k.kind = 'email' AND k.value < coalesce(:after::text, U&'\+10FFFF')) AS page
 CROSS JOIN LATERAL (SELECT v AS entry FROM directory AS v WHERE v.id = page.user_id LIMIT 1) AS d
 WHERE tk_finds(:text::text, (d.entry).id, (d.entry).address, (d.entry).name)
   AND (:plan::text IS NULL OR (d.entry).plan = :plan) AND (:is_active::boolean IS NULL OR (d.entry).is_active = :is_active)
 ORDER BY page.value DESC
 LIMIT :most;

-- name: directory_by_age
-- Those who are wanted, the oldest first (an id is the instant of its making), from above an id on.
SELECT d.entry
  FROM (SELECT a.id FROM accounts AS a
         WHERE a.id > coalesce(:after::uuid, '00000000-0000-0000-0000-000000000000')) AS page
 CROSS JOIN LATERAL (SELECT v AS entry FROM directory AS v WHERE v.id = page.id LIMIT 1) AS d
 WHERE tk_finds(:text::text, (d.entry).id, (d.entry).address, (d.entry).name)
   AND (:plan::text IS NULL OR (d.entry).plan = :plan) AND (:is_active::boolean IS NULL OR (d.entry).is_active = :is_active)
 ORDER BY page.id
 LIMIT :most;

-- name: directory_by_age_backwards
-- The same, the newest first, from below an id down.
SELECT d.entry
  FROM (SELECT a.id FROM accounts AS a
         WHERE a.id < coalesce(:after::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')) AS page
 CROSS JOIN LATERAL (SELECT v AS entry FROM directory AS v WHERE v.id = page.id LIMIT 1) AS d
 WHERE tk_finds(:text::text, (d.entry).id, (d.entry).address, (d.entry).name)
   AND (:plan::text IS NULL OR (d.entry).plan = :plan) AND (:is_active::boolean IS NULL OR (d.entry).is_active = :is_active)
 ORDER BY page.id DESC
 LIMIT :most;

-- name: directory_by_usage
-- Those who are wanted by what they use, behind (key, id). Reads the usage rows of all of them and keeps the first ones:
-- an index on what tracking changes would make every start and finish write it, and no operator turns pages that often.
SELECT d AS entry, k.key
  FROM directory AS d
 CROSS JOIN LATERAL (SELECT CASE WHEN :backwards::boolean THEN -1 ELSE 1 END
                            * CASE :sort::text WHEN 'requests' THEN d.total_requests
                                               WHEN 'tokensUsed' THEN d.total_tokens_used
                                               WHEN 'cost' THEN d.total_cost_nanos
                                               WHEN 'createdAt' THEN (extract(epoch FROM d.created_at) * 1000000)::bigint
                                               ELSE coalesce((extract(epoch FROM d.last_active_at) * 1000000)::bigint, -1)
                                               END AS key) AS k
 WHERE tk_finds(:text::text, d.id, d.address, d.name)
   AND (:plan::text IS NULL OR d.plan = :plan) AND (:is_active::boolean IS NULL OR d.is_active = :is_active)
   AND (:after_id::uuid IS NULL OR (k.key, d.id) > (:after_key::bigint, :after_id))
 ORDER BY k.key, d.id
 LIMIT :most;

-- name: directory_entry^
-- One user as operators see them. Who is on the way out is nobody: they have no address.
SELECT d AS entry FROM directory AS d WHERE d.id = :user_id AND d.address IS NOT NULL;

-- name: is_last_operator$
-- Whether nobody could run the service without this user, until the commit.
SELECT tk_is_last_operator(:user_id::uuid);

-- name: note_on_user$
-- Keep the operator's words about a user; none takes them away.
UPDATE accounts AS a SET note = :note::text, updated_at = tk_now() WHERE a.id = :user_id
RETURNING a.id;

-- name: users_by_plan
-- How many users each plan has now, how many of them are not switched off, and how many have used anything today (a day of
-- UTC), in seven days and in thirty. Reads all usage rows.
SELECT p.plan, count(*) AS users, count(*) FILTER (WHERE p.is_active) AS active,
       count(*) FILTER (WHERE p.used_at >= p.today) AS today,
       count(*) FILTER (WHERE p.used_at >= p.today - interval '6 days') AS week,
       count(*) FILTER (WHERE p.used_at >= p.today - interval '29 days') AS month
  -- By the rule of the view directory, whose rows operators see.
  FROM (SELECT CASE WHEN u.plan_expires_at <= n.now THEN coalesce(u.next_plan, 'free') ELSE u.plan_name END AS plan, u.is_active,
               CASE WHEN u.total_requests > 0 THEN u.updated_at END AS used_at, n.today
          FROM usage AS u
         CROSS JOIN (SELECT t.now, date_trunc('day', t.now, 'UTC') AS today FROM (SELECT tk_now() AS now) AS t) AS n) AS p
 GROUP BY p.plan
 ORDER BY p.plan;
