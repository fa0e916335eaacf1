-- name: newest_requests
-- A user's requests, newest first, below an id: at most so many, and none behind that whose texts reach so many bytes with
-- those before it. `goes_on`: more follow it.
SELECT p.*
  FROM (SELECT s.*, lead(s.id) OVER w IS NOT NULL AS goes_on,
               sum(tk_bytes_of_texts(s.prompt, s.response, s.error_message))
                   OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
          FROM (SELECT v.*
                  FROM requests_shown AS v
                 WHERE v.user_id = :user_id AND v.id < coalesce(:before::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                 ORDER BY v.id DESC
                 LIMIT :most::bigint + 1) AS s
        WINDOW w AS (ORDER BY s.id DESC)) AS p
 WHERE coalesce(p.bytes_before, 0) < :most_bytes::bigint
 ORDER BY p.id DESC
 LIMIT :most::bigint;

-- name: oldest_requests
-- A user's requests, oldest first, above an id; as many as newest_requests gives.
SELECT p.*
  FROM (SELECT s.*, lead(s.id) OVER w IS NOT NULL AS goes_on,
               sum(tk_bytes_of_texts(s.prompt, s.response, s.error_message))
                   OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
          FROM (SELECT v.*
                  FROM requests_shown AS v
                 WHERE v.user_id = :user_id AND v.id > coalesce(:after::uuid, '00000000-0000-0000-0000-000000000000')
                 ORDER BY v.id
                 LIMIT :most::bigint + 1) AS s
        WINDOW w AS (ORDER BY s.id)) AS p
 WHERE coalesce(p.bytes_before, 0) < :most_bytes::bigint
 ORDER BY p.id
 LIMIT :most::bigint;

-- name: requests_in_order
-- Some requests of a user in the order of the ids that are named; as many as newest_requests gives.
SELECT p.*
  FROM (SELECT s.*, lead(s.id) OVER w IS NOT NULL AS goes_on,
               sum(tk_bytes_of_texts(s.prompt, s.response, s.error_message))
                   OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before, o.place
          FROM unnest(:ids::uuid[]) WITH ORDINALITY AS o (id, place)
         CROSS JOIN LATERAL (SELECT v.* FROM requests_shown AS v WHERE v.user_id = :user_id AND v.id = o.id LIMIT 1) AS s
        WINDOW w AS (ORDER BY o.place)) AS p
 WHERE coalesce(p.bytes_before, 0) < :most_bytes::bigint
 ORDER BY p.place;

-- name: one_request^
-- One request of a user, by our id or by the client's own.
SELECT s.*
  FROM requests_shown AS s
 WHERE s.user_id = :user_id
   AND s.id = coalesce(:id::uuid, (SELECT k.request_id FROM request_keys AS k
                                    WHERE k.user_id = :user_id AND k.namespace = 'request' AND k.key = :client_id));

-- name: session_requests
-- The requests of one conversation, in order, above an id; as many as newest_requests gives.
SELECT p.*
  FROM (SELECT s.*, lead(s.id) OVER w IS NOT NULL AS goes_on,
               sum(tk_bytes_of_texts(s.prompt, s.response, s.error_message))
                   OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
          FROM (SELECT v.*
                  FROM requests_shown AS v
                 WHERE v.user_id = :user_id AND v.session_id BETWEEN :session_id AND :session_id
                   AND v.id > coalesce(:after::uuid, '00000000-0000-0000-0000-000000000000')
                 -- Ordered by both, and so read from the index that has both: by the id alone a planner may hope to meet the
                 -- conversation early while it walks all of the user.
                 ORDER BY v.session_id, v.id
                 LIMIT :most::bigint + 1) AS s
        WINDOW w AS (ORDER BY s.session_id, s.id)) AS p
 WHERE coalesce(p.bytes_before, 0) < :most_bytes::bigint
 ORDER BY p.session_id, p.id
 LIMIT :most::bigint;

-- name: newest_sessions
-- A user's conversations, the one begun last first, below (started_at, session_id).
SELECT s.session_id, s.started_at, greatest(s.last_at, p.last_at) AS last_at,
       s.completed + s.failed + coalesce(p.requests, 0) AS requests,
       s.completed, s.failed + coalesce(p.expired, 0) AS failed, s.tokens_used, s.cost_nanos, s.unpriced
  FROM chat_sessions AS s
  LEFT JOIN (SELECT r.session_id, count(*) AS requests, count(*) FILTER (WHERE r.expires_at <= tk_now()) AS expired,
                    max(r.started_at) AS last_at
               FROM chat_requests AS r
              WHERE r.user_id = :user_id AND r.status = 'pending'
              GROUP BY r.session_id) AS p ON p.session_id = s.session_id
 WHERE s.user_id = :user_id
   AND (s.started_at, s.session_id) < (coalesce(:before_at::timestamptz, 'infinity'), coalesce(:before_id::text, ''))
 ORDER BY s.started_at DESC, s.session_id DESC
 LIMIT :most;

-- name: oldest_sessions
-- A user's conversations, the one begun first first, above (started_at, session_id).
SELECT s.session_id, s.started_at, greatest(s.last_at, p.last_at) AS last_at,
       s.completed + s.failed + coalesce(p.requests, 0) AS requests,
       s.completed, s.failed + coalesce(p.expired, 0) AS failed, s.tokens_used, s.cost_nanos, s.unpriced
  FROM chat_sessions AS s
  LEFT JOIN (SELECT r.session_id, count(*) AS requests, count(*) FILTER (WHERE r.expires_at <= tk_now()) AS expired,
                    max(r.started_at) AS last_at
               FROM chat_requests AS r
              WHERE r.user_id = :user_id AND r.status = 'pending'
              GROUP BY r.session_id) AS p ON p.session_id = s.session_id
 WHERE s.user_id = :user_id
   AND (s.started_at, s.session_id) > (coalesce(:after_at::timestamptz, '-infinity'), coalesce(:after_id::text, ''))
 ORDER BY s.started_at, s.session_id
 LIMIT :most;
