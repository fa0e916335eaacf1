-- Operators who act as users, in login sessions that hang on their own.

-- name: begin_acting^
-- A login session of a user for an operator: it ends with the operator's own, and after so long in any case. None of another
-- operator, and of nobody who is switched off.
INSERT INTO sessions (token_hash, user_id, acted_from, ip_address, user_agent, created_at, last_seen_at, expires_at)
SELECT :session_hash::bytea, u.user_id, o.id, :ip_address::text, :user_agent::text, n.now, n.now, least(o.expires_at, n.now + :lasts::interval)
  FROM sessions AS o
 CROSS JOIN (SELECT tk_now() AS now) AS n
  JOIN usage AS u ON u.user_id = :user_id
  JOIN accounts AS a ON a.id = u.user_id
 WHERE o.user_id = :operator_id AND o.id = :session_id AND o.ended_at IS NULL AND o.expires_at > n.now
   AND u.is_active AND a.role = 'user'
RETURNING id, user_id, expires_at;

-- name: stop_acting^
-- End such a session, and give the operator's own a new token: the old one was in the browser that has the new one.
WITH over AS (
    UPDATE sessions AS s
       SET ended_at = tk_now()
     WHERE s.user_id = :user_id AND s.id = :session_id AND s.ended_at IS NULL AND s.acted_from IS NOT NULL
    RETURNING s.acted_from
)
UPDATE sessions AS o
   SET token_hash = :session_hash::bytea, last_seen_at = tk_now()
  FROM over
 WHERE o.user_id = :operator_id AND o.id = over.acted_from AND o.ended_at IS NULL AND o.expires_at > tk_now()
RETURNING o.id, o.user_id, o.expires_at;
