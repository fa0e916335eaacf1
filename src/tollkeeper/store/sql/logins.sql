-- Sign-in links and sign-ins (the table sessions), by the hashes of their tokens.

-- name: add_sign_in_link$
-- Keep a new link of a user; answers when it expires.
INSERT INTO sign_in_links (token_hash, user_id, created_at, expires_at)
SELECT :token_hash::bytea, u.user_id, n.now, n.now + :valid_for::interval
  FROM usage AS u CROSS JOIN (SELECT tk_now() AS now) AS n
 WHERE u.user_id = :user_id
RETURNING expires_at;

-- name: use_sign_in_link$
-- Whose link it is, once: whoever comes second finds it used.
UPDATE sign_in_links AS l
   SET used_at = tk_now()
 WHERE l.token_hash = :link_hash AND l.used_at IS NULL AND l.expires_at > tk_now()
RETURNING l.user_id;

-- name: begin_login^
-- Sign a user in, unless they are switched off. The session that the browser had ends; open links and codes of the user
-- are void, save one that is being used at this instant, which is left to itself.
WITH account AS (
    UPDATE accounts AS a
       SET last_login_at = tk_now()
      FROM usage AS u
     WHERE a.id = :user_id AND u.user_id = a.id AND u.is_active
    RETURNING a.id AS user_id, a.last_login_at AS now
), links AS MATERIALIZED (
    SELECT l.token_hash
      FROM sign_in_links AS l JOIN account ON account.user_id = l.user_id
     WHERE l.used_at IS NULL
       FOR NO KEY UPDATE OF l SKIP LOCKED
), void_links AS (
    UPDATE sign_in_links AS l SET used_at = account.now
      FROM account, links AS o WHERE l.user_id = account.user_id AND l.token_hash = o.token_hash
), asks AS MATERIALIZED (
    SELECT k.browser_hash
      FROM account
      JOIN user_identities AS i ON i.user_id = account.user_id AND i.kind = 'email'
      JOIN sign_in_asks AS k ON lower(k.address) = i.value
       FOR UPDATE OF k SKIP LOCKED
), void_asks AS (
    DELETE FROM sign_in_asks AS k USING asks AS o WHERE k.browser_hash = o.browser_hash
), replaced AS (
    UPDATE sessions AS s SET ended_at = account.now FROM account WHERE s.token_hash = :replaces::bytea AND s.ended_at IS NULL
), place AS MATERIALIZED (
    -- As knows_place: neither browser nor network is known. At the very first sign-in none can be.
    SELECT (SELECT a.last_login_at IS NOT NULL FROM accounts AS a WHERE a.id = :user_id)
           AND NOT EXISTS (SELECT FROM sessions AS s
                            WHERE s.user_id = :user_id AND (s.browser_hash = :browser_hash::bytea OR s.network = :network::text)) AS is_new
), noted AS (
    INSERT INTO activity (user_id, actor, action, detail, ip_address, user_agent)
    SELECT account.user_id, account.user_id::text, 'login.begun',
           jsonb_build_object('by', :signed_in_by::text) || CASE WHEN place.is_new THEN '{"place": "new"}'::jsonb ELSE '{}' END,
           :ip_address::text, :user_agent::text
      FROM account CROSS JOIN place
)
INSERT INTO sessions (token_hash, user_id, signed_in_by, network, browser_hash, ip_address, user_agent, created_at, last_seen_at, expires_at)
SELECT :session_hash::bytea, account.user_id, :signed_in_by, :network::text, :browser_hash::bytea, :ip_address, :user_agent,
       account.now, account.now, account.now + :lasts::interval
  FROM account
RETURNING id, user_id, expires_at;

-- name: look_up_logins
-- Which of these hashes are sign-ins that hold now, and whose. One in which an operator acts as a user holds as long as the
-- operator's own, and not while that user is an operator too. Notes every five minutes that one is in use, but waits for
-- nobody to do so.
WITH found AS MATERIALIZED (
    SELECT s.token_hash, s.id, s.user_id, a.role, u.is_active, s.created_at, s.expires_at, s.last_seen_at,
           s.created_at > tk_now() - :recent::interval AS is_recent, o.user_id AS acted_by
      FROM sessions AS s
      JOIN accounts AS a ON a.id = s.user_id
      JOIN usage AS u ON u.user_id = s.user_id
      -- By its key, once for each sign-in: with a limit no plan can look at all of them instead.
      LEFT JOIN LATERAL (SELECT own.user_id
                           FROM sessions AS own
                           JOIN accounts AS b ON b.id = own.user_id AND b.role = 'admin'
                           JOIN usage AS w ON w.user_id = own.user_id AND w.is_active
                          WHERE own.id = s.acted_from AND own.ended_at IS NULL AND own.expires_at > tk_now()
                          LIMIT 1) AS o ON true
     WHERE s.token_hash = ANY (:hashes::bytea[]) AND s.ended_at IS NULL AND s.expires_at > tk_now()
       AND s.last_seen_at > tk_now() - :idle::interval AND (s.acted_from IS NULL OR (o.user_id IS NOT NULL AND a.role = 'user'))
), stale AS MATERIALIZED (
    SELECT s.id
      FROM sessions AS s
     WHERE s.id IN (SELECT f.id FROM found AS f WHERE f.last_seen_at < tk_now() - interval '5 minutes')
     ORDER BY s.id
       FOR NO KEY UPDATE SKIP LOCKED
), noted AS (
    UPDATE sessions AS s SET last_seen_at = tk_now() FROM stale WHERE s.id = stale.id
)
SELECT f.token_hash, f.id, f.user_id, f.role, f.is_active, f.created_at, f.expires_at, f.is_recent, f.acted_by
  FROM found AS f;

-- name: logins_of_user
-- Some of the sign-ins of a user that hold now, the newest first.
SELECT s.id, s.signed_in_by, s.ip_address, s.user_agent, s.created_at, s.last_seen_at, s.expires_at
  FROM sessions AS s
 WHERE s.user_id = :user_id AND s.id < coalesce(:before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
   AND s.ended_at IS NULL AND s.expires_at > tk_now() AND s.last_seen_at > tk_now() - :idle::interval AND s.acted_from IS NULL
 ORDER BY s.id DESC
 LIMIT :most;

-- name: end_login$
-- End one sign-in of a user.
UPDATE sessions AS s
   SET ended_at = tk_now()
 WHERE s.user_id = :user_id AND s.id = :session_id AND s.ended_at IS NULL
RETURNING s.id;

-- name: end_logins$
-- End all sign-ins of a user, save one if it is named, and all links and codes that could begin another. Says how many of
-- them held. They are taken in one order, sign-ins last as by tk_begin_leaving, so that two who do it at once wait for each
-- other and do not lock up.
WITH links AS (
    UPDATE sign_in_links AS l SET used_at = tk_now() WHERE l.user_id = :user_id AND l.used_at IS NULL
    RETURNING 1
), asks AS (
    DELETE FROM sign_in_asks AS k
     USING user_identities AS i
     WHERE i.user_id = :user_id AND i.kind = 'email' AND lower(k.address) = i.value AND (SELECT count(*) FROM links) >= 0
    RETURNING 1
), open AS MATERIALIZED (
    SELECT s.id, s.expires_at > tk_now() AND s.last_seen_at > tk_now() - :idle::interval AS holds
      FROM sessions AS s
     WHERE s.user_id = :user_id AND s.ended_at IS NULL AND s.id IS DISTINCT FROM :but::uuid
       AND (SELECT count(*) FROM asks) >= 0
     ORDER BY s.id
       FOR NO KEY UPDATE
), ended AS (
    UPDATE sessions AS s SET ended_at = tk_now() FROM open WHERE s.user_id = :user_id AND s.id = open.id
    RETURNING open.holds
)
SELECT count(*) FILTER (WHERE e.holds) FROM ended AS e;

-- name: count_ended_by_restore$
-- How many sign-ins of all users held until they were restored: they ended after the backup was taken.
SELECT count(*) FROM sessions AS s
 WHERE s.ended_at > :taken_at::timestamptz AND s.expires_at > s.ended_at AND s.last_seen_at > s.ended_at - :idle::interval;

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
