-- Mails about what was done with an account.

-- name: hold_alerts$
-- Let one node at a time take acts; nothing while another does. Answers since when acts are told.
SELECT b.since FROM alerts_begin AS b FOR UPDATE SKIP LOCKED;

-- name: claim_alerts
-- Take acts of the last day that their users are to be told of, the oldest first, and that nobody has taken or whose taker
-- seems to be gone. Those whose user wants no mail are done with at once, but for the one that says so and what was done before it: else
-- whoever holds a session could silence what they have done already. Of revealed secrets one an hour is told.
WITH acts AS MATERIALIZED (
    SELECT a.user_id, a.id, a.action, a.actor, a.ip_address, a.user_agent, a.created_at, n.now,
           a.action IN ('variable.revealed', 'variables.revealed') AS is_reveal
      FROM (SELECT tk_now() AS now) AS n
      JOIN activity AS a ON a.created_at >= greatest(n.now - interval '24 hours', :since::timestamptz)
     WHERE a.action IN ('login.begun', 'passkey.added', 'passkey.removed', 'passkey.refused', 'key.created', 'key.rotated',
                        'github.connected', 'github.disconnected', 'variable.revealed', 'variables.revealed', 'acting.begun',
                        'user.changed', 'account.exported', 'alerts.off')
       AND (a.action <> 'login.begun' OR a.detail ->> 'place' = 'new') AND (a.action <> 'user.changed' OR a.detail ->> 'role' IS NOT NULL)
       -- By its key, for each by itself.
       AND coalesce((SELECT l.done_at IS NULL AND l.held_until <= n.now
                       FROM alerts AS l WHERE l.user_id = a.user_id AND l.act_id = a.id LIMIT 1), true)
       AND EXISTS (SELECT FROM accounts AS b WHERE b.id = a.user_id LIMIT 1)
), due AS MATERIALIZED (
    SELECT c.*
      FROM (SELECT a.*, row_number() OVER (PARTITION BY a.user_id, a.is_reveal ORDER BY a.id) AS place
              FROM acts AS a
             WHERE NOT a.is_reveal
                OR NOT coalesce((SELECT true FROM alerts AS l
                                  WHERE l.user_id = a.user_id AND l.act_id <> a.id AND l.is_reveal
                                    AND (l.done_at IS NULL OR l.sent_at > a.now - interval '1 hour'
                                         OR (l.sent_at IS NOT NULL AND l.act_at > a.created_at - interval '1 hour'))
                                  LIMIT 1), false)) AS c
     WHERE NOT c.is_reveal OR c.place = 1
     ORDER BY c.id
     LIMIT :most
), told AS MATERIALIZED (
    SELECT d.*, i.shown_as AS email, coalesce(u.next_zone, u.day_zone) AS time_zone,
           i.shown_as IS NOT NULL AND u.is_active AND a.leaving_since IS NULL
           AND (d.action = 'alerts.off'
                OR coalesce((SELECT (p.settings ->> 'mails_security')::boolean FROM preferences AS p WHERE p.user_id = d.user_id), true)
                -- Switched off since. By its key, which is in order of time.
                OR EXISTS (SELECT FROM activity AS o
                            WHERE o.user_id = d.user_id AND o.id > d.id AND o.created_at > d.created_at AND o.action = 'alerts.off' LIMIT 1))
               AS is_wanted
      FROM due AS d
      JOIN accounts AS a ON a.id = d.user_id
      JOIN usage AS u ON u.user_id = d.user_id
      LEFT JOIN user_identities AS i ON i.user_id = d.user_id AND i.kind = 'email'
), taken AS (
    INSERT INTO alerts AS l (user_id, act_id, is_reveal, act_at, held_until, done_at)
    SELECT t.user_id, t.id, t.is_reveal, t.created_at, t.now + :lease::interval, CASE WHEN NOT t.is_wanted THEN t.now END
      FROM told AS t
        ON CONFLICT (user_id, act_id) DO UPDATE
       SET tries = l.tries + 1, held_until = excluded.held_until, done_at = excluded.done_at
     WHERE l.done_at IS NULL
    RETURNING l.user_id, l.act_id
)
SELECT t.user_id, t.id, t.action, t.actor, t.ip_address, t.user_agent, t.created_at AS at, t.email, t.time_zone,
       t.created_at AT TIME ZONE t.time_zone AS local_at, t.now AS written_at, t.is_wanted
  FROM taken AS k
  JOIN told AS t ON t.user_id = k.user_id AND t.id = k.act_id
 ORDER BY t.id;

-- name: alert_done!
-- Note that one was sent, or refused for good.
UPDATE alerts AS l
   SET done_at = tk_now(), sent_at = CASE WHEN :is_sent THEN tk_now() END
 WHERE l.user_id = :user_id AND l.act_id = :act_id AND l.done_at IS NULL;

-- name: alert_failed!
-- Let one rest before it is tried again: a minute at first, four times as long after each failure, six hours at most.
UPDATE alerts AS l
   SET held_until = tk_now() + least(interval '1 minute' * power(4, least(l.tries, 10) - 1), interval '6 hours')
 WHERE l.user_id = :user_id AND l.act_id = :act_id AND l.done_at IS NULL;

-- name: forget_alerts!
-- Delete what was told or given up more than a day ago. Of all users: the job.
DELETE FROM alerts AS l WHERE l.act_at < tk_now() - interval '2 days';

-- name: operators_addresses
-- Where operators get mail, and what time it is.
SELECT i.shown_as AS email, tk_now() AS written_at
  FROM accounts AS a
  JOIN usage AS u ON u.user_id = a.id
  JOIN user_identities AS i ON i.user_id = a.id AND i.kind = 'email'
 WHERE a.role = 'admin' AND u.is_active AND a.leaving_since IS NULL
 ORDER BY a.id;
