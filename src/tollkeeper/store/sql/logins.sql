-- Sign-in links and sign-ins (the table sessions), by the hashes of their tokens.

-- name: add_sign_in_link$
-- Keep a new link of a user; answers when it expires.
INSERT INTO sign_in_links (token_hash, user_id, created_at, expires_at)
SELECT :token_hash::bytea, u.user_id, n.now, n.now + :valid_for::interval
  FROM usage AS u CROSS JOIN (SELECT tk_now() AS now) AS n
 WHERE u.user_id = :user_id
RETURNING expires_at;

-- name: redeem_sign_in_link^
-- Turn a link into a sign-in, once: whoever comes second finds it used. The other links of its user die with it; one that
-- is being redeemed at this instant is left to itself.
WITH link AS (
    UPDATE sign_in_links AS l
       SET used_at = tk_now()
     WHERE l.token_hash = :link_hash AND l.used_at IS NULL AND l.expires_at > tk_now()
    RETURNING l.user_id, l.used_at
), others AS MATERIALIZED (
    SELECT o.token_hash
      FROM sign_in_links AS o JOIN link ON link.user_id = o.user_id
     WHERE o.token_hash <> :link_hash AND o.used_at IS NULL
       FOR NO KEY UPDATE OF o SKIP LOCKED
), died AS (
    UPDATE sign_in_links AS l SET used_at = link.used_at FROM link, others AS o WHERE l.user_id = link.user_id AND l.token_hash = o.token_hash
), account AS (
    UPDATE accounts AS a SET last_login_at = link.used_at FROM link WHERE a.id = link.user_id
), noted AS (
    INSERT INTO activity (user_id, actor, action, ip_address, user_agent)
    SELECT link.user_id, link.user_id::text, 'login.begun', :ip_address::text, :user_agent::text FROM link
)
INSERT INTO sessions (token_hash, user_id, ip_address, user_agent, created_at, last_seen_at, expires_at)
SELECT :session_hash::bytea, link.user_id, :ip_address, :user_agent, link.used_at, link.used_at, link.used_at + :lasts::interval
  FROM link
RETURNING id, user_id, expires_at;

-- name: look_up_logins
-- Which of these hashes are sign-ins that hold now, and whose. Notes every five minutes that one is in use, but waits for
-- nobody to do so.
WITH found AS MATERIALIZED (
    SELECT s.token_hash, s.id, s.user_id, a.role, u.is_active, s.created_at, s.expires_at, s.last_seen_at,
           s.created_at > tk_now() - :recent::interval AS is_recent
      FROM sessions AS s
      JOIN accounts AS a ON a.id = s.user_id
      JOIN usage AS u ON u.user_id = s.user_id
     WHERE s.token_hash = ANY (:hashes::bytea[]) AND s.ended_at IS NULL AND s.expires_at > tk_now()
       AND s.last_seen_at > tk_now() - :idle::interval
), stale AS MATERIALIZED (
    SELECT s.id
      FROM sessions AS s
     WHERE s.id IN (SELECT f.id FROM found AS f WHERE f.last_seen_at < tk_now() - interval '5 minutes')
     ORDER BY s.id
       FOR NO KEY UPDATE SKIP LOCKED
), noted AS (
    UPDATE sessions AS s SET last_seen_at = tk_now() FROM stale WHERE s.id = stale.id
)
SELECT f.token_hash, f.id, f.user_id, f.role, f.is_active, f.created_at, f.expires_at, f.is_recent FROM found AS f;

-- name: logins_of_user
-- The sign-ins of a user that hold now, the newest first.
SELECT s.id, s.ip_address, s.user_agent, s.created_at, s.last_seen_at, s.expires_at
  FROM sessions AS s
 WHERE s.user_id = :user_id AND s.ended_at IS NULL AND s.expires_at > tk_now() AND s.last_seen_at > tk_now() - :idle::interval
 ORDER BY s.id DESC;

-- name: end_login$
-- End one sign-in of a user.
UPDATE sessions AS s
   SET ended_at = tk_now()
 WHERE s.user_id = :user_id AND s.id = :session_id AND s.ended_at IS NULL
RETURNING s.id;

-- name: end_logins
-- End all sign-ins of a user, save one if it is named, and all links that could begin another.
WITH links AS (
    UPDATE sign_in_links AS l SET used_at = tk_now() WHERE l.user_id = :user_id AND l.used_at IS NULL
)
UPDATE sessions AS s
   SET ended_at = tk_now()
 WHERE s.user_id = :user_id AND s.ended_at IS NULL AND s.id IS DISTINCT FROM :but::uuid
RETURNING s.id;

-- name: forget_logins^
-- Delete links and sign-ins that have been over for a while. Of all users: the sweep.
WITH links AS (
    DELETE FROM sign_in_links AS l WHERE l.expires_at < tk_now() - :over_for::interval RETURNING 1
), logins AS (
    DELETE FROM sessions AS s
     WHERE s.expires_at < tk_now() - :over_for OR s.ended_at < tk_now() - :over_for
        OR s.last_seen_at < tk_now() - :idle::interval - :over_for
    RETURNING 1
)
SELECT (SELECT count(*) FROM links) AS links, (SELECT count(*) FROM logins) AS logins;
