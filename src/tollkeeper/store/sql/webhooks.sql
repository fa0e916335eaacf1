-- Webhooks: endpoints, which are the operators', and what is delivered to them.

-- name: hold_webhook_endpoints!
-- Let nobody else add an endpoint until this transaction ends.
SELECT pg_advisory_xact_lock(x'776562686f6f6b73'::bigint);

-- name: count_webhook_endpoints$
-- How many endpoints there are.
SELECT count(*) FROM webhook_endpoints;

-- name: add_webhook_endpoint$
-- Add an endpoint. It is told of what happens from now on.
INSERT INTO webhook_endpoints (id, url, description, kinds, created_at, updated_at)
SELECT tk_uuid7(n.now), :url, :description, :kinds::text[], n.now, n.now
  FROM (SELECT tk_now() AS now) AS n
RETURNING id;

-- name: webhook_endpoints
-- One endpoint, or all of them, the oldest first. At most ten thousand of its waiting and failed deliveries are counted.
SELECT w.id, w.url, w.description, w.kinds, w.is_active, w.disabled_at, w.disabled_for, w.generation, w.rotated_at,
       CASE WHEN w.rotated_at + :overlap::interval > n.now THEN w.rotated_at + :overlap::interval END AS old_secret_until,
       w.failures, w.failing_since, CASE WHEN w.resting_until > n.now THEN w.resting_until END AS resting_until,
       w.created_at, w.updated_at, n.now AS as_of,
       (SELECT count(*) FROM (SELECT FROM webhook_deliveries AS d
                               WHERE d.endpoint_id = w.id AND d.due_at IS NOT NULL LIMIT 10000) AS c) AS waiting,
       (SELECT count(*) FROM (SELECT FROM webhook_deliveries AS d
                               WHERE d.endpoint_id = w.id AND d.state = 'failed' LIMIT 10000) AS c) AS failed
  FROM (SELECT tk_now() AS now) AS n, webhook_endpoints AS w
 WHERE :endpoint_id::uuid IS NULL OR w.id = :endpoint_id
 ORDER BY w.id;

-- name: change_webhook_endpoint$
-- Change an endpoint; null leaves as it is. Switched on again, or sent elsewhere, it begins anew: nothing has failed yet.
UPDATE webhook_endpoints AS w
   SET url           = coalesce(:url, w.url),
       description   = coalesce(:description, w.description),
       kinds         = coalesce(:kinds::text[], w.kinds),
       is_active     = coalesce(:is_active::boolean, w.is_active),
       disabled_at   = CASE WHEN coalesce(:is_active, w.is_active) THEN NULL ELSE coalesce(w.disabled_at, tk_now()) END,
       disabled_for  = CASE WHEN coalesce(:is_active, w.is_active) THEN NULL ELSE coalesce(w.disabled_for, 'operator') END,
       failures      = CASE WHEN :is_active OR :url IS NOT NULL THEN 0 ELSE w.failures END,
       failing_since = CASE WHEN :is_active OR :url IS NOT NULL THEN NULL ELSE w.failing_since END,
       resting_until = CASE WHEN :is_active OR :url IS NOT NULL THEN NULL ELSE w.resting_until END,
       updated_at    = tk_now()
 WHERE w.id = :endpoint_id
RETURNING w.id;

-- name: rotate_webhook_secret$
-- Give an endpoint another secret; the one before signs along for a while.
UPDATE webhook_endpoints AS w
   SET generation = w.generation + 1, rotated_at = tk_now(), updated_at = tk_now()
 WHERE w.id = :endpoint_id
RETURNING w.generation;

-- name: remove_webhook_endpoint$
-- Remove an endpoint.
DELETE FROM webhook_endpoints AS w WHERE w.id = :endpoint_id RETURNING w.url;

-- name: forget_webhook_deliveries$
-- Delete what was and would be delivered to an endpoint that is gone, some at a time. Of all users: for operators.
WITH gone AS (
    DELETE FROM webhook_deliveries AS d
     WHERE d.endpoint_id = :endpoint_id
       AND d.ctid = ANY (ARRAY(SELECT g.ctid FROM webhook_deliveries AS g WHERE g.endpoint_id = :endpoint_id LIMIT :most))
    RETURNING d.event_id
)
SELECT count(*) FROM gone;

-- name: webhooks_due
-- Which endpoints something may be sent to now. Of all users: the job.
SELECT w.id
  FROM (SELECT tk_now() AS now) AS n, webhook_endpoints AS w,
       -- The first of each, by its index, and not all that wait.
       LATERAL (SELECT d.due_at FROM webhook_deliveries AS d WHERE d.endpoint_id = w.id AND d.due_at IS NOT NULL
                 ORDER BY d.due_at LIMIT 1) AS f
 WHERE w.is_active AND (w.resting_until IS NULL OR w.resting_until <= n.now) AND f.due_at <= n.now;

-- name: take_webhooks
-- Take deliveries for an endpoint that are due and that no other node is taking, the longest due first. One alone where it
-- fails all the time: that tells whether more are of use. Nothing more is told of users who leave. Of all users: the job.
WITH ready AS MATERIALIZED (
    SELECT w.id, w.url, w.generation, n.now, coalesce(w.rotated_at + :overlap::interval > n.now, false) AS is_rotating,
           CASE WHEN w.failures >= :enough::integer THEN 1 ELSE :most::integer END AS most
      FROM (SELECT tk_now() AS now) AS n, webhook_endpoints AS w
     WHERE w.id = :endpoint_id AND w.is_active AND (w.resting_until IS NULL OR w.resting_until <= n.now)
), due AS MATERIALIZED (
    SELECT d.user_id, d.event_id
      FROM webhook_deliveries AS d
     WHERE d.endpoint_id = :endpoint_id AND d.due_at <= (SELECT r.now FROM ready AS r)
       AND EXISTS (SELECT FROM accounts AS a WHERE a.id = d.user_id AND a.leaving_since IS NULL LIMIT 1)
     ORDER BY d.due_at
     LIMIT (SELECT r.most FROM ready AS r)
       FOR UPDATE OF d SKIP LOCKED
), taken AS (
    UPDATE webhook_deliveries AS d
       SET due_at = r.now + :lease::interval, taken = d.taken + 1
      FROM due AS f, ready AS r
     WHERE d.user_id = f.user_id AND d.event_id = f.event_id AND d.endpoint_id = :endpoint_id
    RETURNING d.user_id, d.event_id, least(d.tries + 1, 1000) AS tries, d.taken
)
SELECT t.user_id, t.event_id, t.tries, t.taken, r.now, r.id AS endpoint_id, r.url, r.generation, r.is_rotating, e.kind,
       e.created_at,
       (e.data || jsonb_build_object('user', jsonb_build_object('id', e.user_id, 'email', i.shown_as)))::text AS content
  FROM taken AS t
 CROSS JOIN ready AS r
  JOIN events AS e ON e.user_id = t.user_id AND e.id = t.event_id
  LEFT JOIN user_identities AS i ON i.user_id = t.user_id AND i.kind = 'email'
 ORDER BY t.user_id, t.event_id;

-- name: note_webhooks
-- Note what became of deliveries, but for those that another has taken meanwhile. Answers which it noted.
UPDATE webhook_deliveries AS d
   SET state        = g.state,
       tries        = least(d.tries + 1, 1000),
       due_at       = CASE WHEN g.state = 'waiting' THEN n.now + g.pause END,
       delivered_at = CASE WHEN g.state = 'delivered' THEN n.now END,
       attempts     = CASE WHEN jsonb_array_length(d.attempts) >= 10 THEN d.attempts - 0 ELSE d.attempts END
                      || (jsonb_build_object('at', n.now) || g.attempt)
  FROM (SELECT tk_now() AS now) AS n,
       unnest(:user_ids::uuid[], :event_ids::uuid[], :taken::integer[], :states::text[], :pauses::interval[], :attempts::jsonb[])
           AS g (user_id, event_id, taken, state, pause, attempt)
 WHERE d.user_id = g.user_id AND d.event_id = g.event_id AND d.endpoint_id = :endpoint_id
   AND d.taken = g.taken AND d.state = 'waiting'
RETURNING d.user_id, d.event_id;

-- name: note_webhook_health$
-- Note how an endpoint does, after some of its deliveries were tried: whether it is to rest, and whether it is switched off,
-- as gone or as failing for so long. Answers why it was switched off just now, if it was.
WITH judged AS MATERIALIZED (
    SELECT b.*,
           CASE WHEN NOT b.is_active THEN NULL
                WHEN :is_gone::boolean THEN 'gone'
                WHEN b.failing_since <= b.now - :patience::interval THEN 'failing' END AS disabled_for
      FROM (SELECT w.id, w.is_active, n.now,
                   CASE WHEN :succeeded::integer = 0 THEN least(w.failures + :failed::integer, 1000000) ELSE 0 END AS failures,
                   -- After a while in which nothing was tried, all that is known is the failure now.
                   CASE WHEN :succeeded::integer > 0 THEN NULL
                        WHEN w.failed_at >= n.now - :longest_gap::interval THEN coalesce(w.failing_since, n.now)
                        ELSE n.now END AS failing_since
              FROM (SELECT tk_now() AS now) AS n, webhook_endpoints AS w
             WHERE w.id = :endpoint_id
               -- Where all is well there is nothing to note, and nodes do not wait for each other.
               AND (:succeeded::integer = 0 OR w.failures > 0 OR :is_gone::boolean OR :asked_pause::interval IS NOT NULL)
               FOR NO KEY UPDATE OF w) AS b
), noted AS (
    UPDATE webhook_endpoints AS w
       SET failures      = j.failures,
           failing_since = j.failing_since,
           failed_at     = CASE WHEN :failed::integer > 0 THEN j.now ELSE w.failed_at END,
           -- What it asked for is heeded to the end, whatever else comes of other tries.
           resting_until = greatest(
               w.resting_until,
               j.now + greatest(:asked_pause::interval, CASE WHEN j.failures >= :enough::integer
                   THEN least(:rest::interval * power(2, least(j.failures - :enough::integer, 10)), :longest_rest::interval) END)),
           is_active     = w.is_active AND j.disabled_for IS NULL,
           disabled_at   = CASE WHEN j.disabled_for IS NULL THEN w.disabled_at ELSE j.now END,
           disabled_for  = coalesce(j.disabled_for, w.disabled_for)
      FROM judged AS j
     WHERE w.id = j.id
)
SELECT j.disabled_for FROM judged AS j;

-- name: webhook_deliveries_page
-- Deliveries to an endpoint, the newest first. Of all users: for operators.
SELECT d.user_id, d.event_id, e.kind, i.shown_as AS email, d.state, d.tries, d.due_at, d.created_at, d.delivered_at, d.attempts
  FROM webhook_deliveries AS d
  JOIN events AS e ON e.user_id = d.user_id AND e.id = d.event_id
  LEFT JOIN user_identities AS i ON i.user_id = d.user_id AND i.kind = 'email'
 WHERE d.endpoint_id = :endpoint_id
   AND (d.created_at, d.event_id) < (coalesce(:before_at::timestamptz, 'infinity'), coalesce(:before_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
   AND (:state::text IS NULL OR d.state = :state)
 ORDER BY d.created_at DESC, d.event_id DESC
 LIMIT :most;

-- name: replay_webhook$
-- Let one delivery be tried now, as if for the first time. What is said of tries before is no longer listened to.
UPDATE webhook_deliveries AS d
   SET state = 'waiting', due_at = tk_now(), delivered_at = NULL, tries = 0, taken = d.taken + 1
 WHERE d.user_id = :user_id AND d.event_id = :event_id AND d.endpoint_id = :endpoint_id
RETURNING d.state;

-- name: replay_failed_webhooks$
-- Let deliveries to an endpoint that failed be tried now, some at a time: those of events since then. Of all users: for operators.
WITH failed AS MATERIALIZED (
    SELECT d.user_id, d.event_id
      FROM webhook_deliveries AS d
     WHERE d.endpoint_id = :endpoint_id AND d.state = 'failed' AND d.created_at >= :since
     ORDER BY d.created_at
     LIMIT :most
       FOR UPDATE
), replayed AS (
    UPDATE webhook_deliveries AS d
       SET state = 'waiting', due_at = tk_now(), tries = 0, taken = d.taken + 1
      FROM failed AS f
     WHERE d.user_id = f.user_id AND d.event_id = f.event_id AND d.endpoint_id = :endpoint_id AND d.state = 'failed'
    RETURNING d.event_id
)
SELECT count(*) FROM replayed;

-- name: replay_waiting_webhooks$
-- Let deliveries to an endpoint that wait for their next try be tried now, as if for the first time, some at a time: those of events
-- since then. What is due within a minute may be under way, and comes by itself. Of all users: for operators.
WITH waiting AS MATERIALIZED (
    SELECT d.user_id, d.event_id, n.now
      FROM (SELECT tk_now() AS now) AS n, webhook_deliveries AS d
     WHERE d.endpoint_id = :endpoint_id AND d.due_at > n.now + interval '1 minute' AND d.created_at >= :since
     ORDER BY d.due_at
     LIMIT :most
       FOR UPDATE OF d
), replayed AS (
    UPDATE webhook_deliveries AS d
       SET due_at = w.now, tries = 0
      FROM waiting AS w
     WHERE d.user_id = w.user_id AND d.event_id = w.event_id AND d.endpoint_id = :endpoint_id AND d.state = 'waiting'
    RETURNING d.event_id
)
SELECT count(*) FROM replayed;

-- name: rest_no_more!
-- Let an endpoint be tried now, though it rests.
UPDATE webhook_endpoints AS w SET resting_until = NULL WHERE w.id = :endpoint_id AND w.resting_until IS NOT NULL;
