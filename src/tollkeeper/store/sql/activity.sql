-- Who did what. Rows are only ever added; what was noted of somebody who is deleted is stripped by tk_forget_activity.

-- name: note_activity!
-- Note one act; without a user it is one on no single user. Nothing is noted of somebody who is gone: it would stay.
WITH someone AS MATERIALIZED (
    SELECT a.id FROM accounts AS a WHERE a.id = :user_id::uuid FOR KEY SHARE
)
INSERT INTO activity (user_id, actor, action, detail, ip_address, user_agent)
SELECT coalesce(:user_id, '00000000-0000-0000-0000-000000000000'), :actor, :action, :detail::jsonb, :ip_address, :user_agent
 WHERE :user_id IS NULL OR EXISTS (SELECT FROM someone);

-- name: activity_of_user
-- What was noted of one user, the newest first, below an id.
SELECT s.*
  FROM activity_shown AS s
 WHERE s.user_id = :user_id AND s.id < coalesce(:below::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
   AND (:actor::text IS NULL OR (s.actor COLLATE "C" >= :actor AND s.actor COLLATE "C" < :actor || '~'))
   AND (:action::text IS NULL OR s.action = :action)
   AND (:since::timestamptz IS NULL OR s.created_at >= :since) AND (:until::timestamptz IS NULL OR s.created_at < :until)
 ORDER BY s.id DESC
 LIMIT :most;

-- name: activity_by_actor
-- What somebody did, whoever it was about: themselves, or as somebody else. For operators.
SELECT s.*
  FROM activity_shown AS s
 WHERE s.actor COLLATE "C" >= :actor::text AND s.actor COLLATE "C" < :actor || '~'
   AND s.id < coalesce(:below::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
   AND (:action::text IS NULL OR s.action = :action)
   AND (:since::timestamptz IS NULL OR s.created_at >= :since) AND (:until::timestamptz IS NULL OR s.created_at < :until)
 ORDER BY s.id DESC
 LIMIT :most;

-- name: activity_of_all
-- All that was noted, the newest first, below an id. For operators.
SELECT s.*
  FROM activity_shown AS s
 WHERE s.id < coalesce(:below::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
   AND (:action::text IS NULL OR s.action = :action)
   AND (:since::timestamptz IS NULL OR s.created_at >= :since) AND (:until::timestamptz IS NULL OR s.created_at < :until)
 ORDER BY s.id DESC
 LIMIT :most;
