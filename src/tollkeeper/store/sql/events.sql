-- What users are told of: in the page, by mail, and as operators look over it.

-- name: events_of_user
-- What a user was told of, the newest first, below an id.
SELECT e.user_id, NULL AS email, e.id, e.kind, e.data, e.created_at, e.seen_at
  FROM events AS e
 WHERE e.user_id = :user_id AND e.id < coalesce(:below::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
   AND (:kind::text IS NULL OR e.kind = :kind)
 ORDER BY e.id DESC
 LIMIT :most;

-- name: events_of_all
-- What all users were told of, the newest first, below an instant and an id. For operators.
SELECT e.user_id, i.shown_as AS email, e.id, e.kind, e.data, e.created_at, e.seen_at
  FROM events AS e
  LEFT JOIN user_identities AS i ON i.user_id = e.user_id AND i.kind = 'email'
 WHERE (e.created_at, e.id) < (coalesce(:below_at::timestamptz, 'infinity'), coalesce(:below::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
   AND (:kind::text IS NULL OR e.kind = :kind)
 ORDER BY e.created_at DESC, e.id DESC
 LIMIT :most;

-- name: unseen_events$
-- How much of it a user has not seen in the page.
SELECT count(*) FROM events AS e WHERE e.user_id = :user_id AND e.seen_at IS NULL;

-- name: see_events!
-- A user has seen all up to one.
UPDATE events AS e SET seen_at = tk_now() WHERE e.user_id = :user_id AND e.id <= :last::uuid AND e.seen_at IS NULL;

-- name: claim_notices
-- Take what is due to be mailed, so that no other node does for a while, the oldest first. What its user does not want, what
-- came a day ago, what is of a window or a plan that has ended since, and what is outdone by more of the same limit is done with.
-- One warning is enough of those that came at once.
WITH due AS MATERIALIZED (
    SELECT e.user_id, e.id, n.now
      FROM (SELECT tk_now() AS now) AS n
      JOIN events AS e ON e.mail_due_at <= n.now
     ORDER BY e.mail_due_at
     LIMIT :most
       FOR UPDATE OF e SKIP LOCKED
), told AS MATERIALIZED (
    SELECT e.user_id, e.id, e.kind, e.data, e.created_at, d.now, i.shown_as AS email, coalesce(u.next_zone, u.day_zone) AS time_zone,
           coalesce(e.data ->> 'resetsAt', e.data ->> 'expiresAt', e.data ->> 'at')::timestamptz AS at,
           i.shown_as IS NOT NULL AND u.is_active AND a.leaving_since IS NULL AND e.created_at > d.now - interval '24 hours'
           AND coalesce((SELECT (p.settings ->> CASE WHEN e.kind LIKE 'plan.%' THEN 'mails_plan' ELSE 'mails_limits' END)::boolean
                           FROM preferences AS p WHERE p.user_id = e.user_id), true)
           AND NOT coalesce(CASE e.kind WHEN 'plan.expiring' THEN e.data ->> 'expiresAt' ELSE e.data ->> 'resetsAt' END::timestamptz
                            <= d.now, false)
           AND NOT (e.kind = 'limit.threshold'
                    AND EXISTS (SELECT FROM events AS m
                                 WHERE m.user_id = e.user_id AND m.kind IN ('limit.threshold', 'limit.reached')
                                   AND m.data ->> 'limit' = e.data ->> 'limit' AND m.data ->> 'windowStart' = e.data ->> 'windowStart'
                                   AND m.created_at >= e.created_at
                                   AND (m.data ->> 'percent')::integer > (e.data ->> 'percent')::integer)) AS is_wanted
      FROM due AS d
      JOIN events AS e ON e.user_id = d.user_id AND e.id = d.id
      JOIN accounts AS a ON a.id = d.user_id
      JOIN usage AS u ON u.user_id = d.user_id
      LEFT JOIN user_identities AS i ON i.user_id = d.user_id AND i.kind = 'email'
)
UPDATE events AS e
   SET mail_tries = e.mail_tries + 1, mail_due_at = CASE WHEN t.is_wanted THEN t.now + :lease::interval END
  FROM told AS t
 WHERE e.user_id = t.user_id AND e.id = t.id
RETURNING e.user_id, e.id, e.mail_tries AS tries, t.kind, t.data, t.email, t.time_zone, t.at,
          t.at AT TIME ZONE t.time_zone AS local_at, t.now AS written_at, t.is_wanted;

-- name: notice_done!
-- Note that one was mailed, or refused for good, unless somebody else has taken it since.
UPDATE events AS e SET mail_due_at = NULL WHERE e.user_id = :user_id AND e.id = :event_id AND e.mail_tries = :tries;

-- name: notice_failed!
-- Let one rest before it is tried again: a minute at first, four times as long after each failure, six hours at most.
UPDATE events AS e
   SET mail_due_at = tk_now() + least(interval '1 minute' * power(4, least(e.mail_tries, 10) - 1), interval '6 hours')
 WHERE e.user_id = :user_id AND e.id = :event_id AND e.mail_tries = :tries;

-- name: forget_events
-- Delete some of what is older than 90 days. Of all users: the job.
DELETE FROM events AS e
 WHERE (e.user_id, e.id) IN (SELECT o.user_id, o.id FROM events AS o
                              WHERE o.created_at < tk_now() - interval '90 days'
                              ORDER BY o.created_at LIMIT :most)
RETURNING e.id;
