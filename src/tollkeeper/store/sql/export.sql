-- Everything that was recorded, on its way out; and room for what comes in from elsewhere.

-- name: let_readers_pause$
-- Within this transaction wait as long as it takes for whoever reads what is exported.
SELECT set_config('idle_in_transaction_session_timeout', '0', true);

-- name: exported_users
-- All users with their addresses, from above an id on. Of all users: the export.
SELECT a.id AS user_id,
       (SELECT i.shown_as FROM user_identities AS i WHERE i.user_id = a.id AND i.kind = 'email') AS email
  FROM accounts AS a
 WHERE a.id > coalesce(:after::uuid, '00000000-0000-0000-0000-000000000000')
 ORDER BY a.id
 LIMIT :most;

-- name: address_of_user$
-- The e-mail address of a user as its owner wrote it.
SELECT i.shown_as
  FROM user_identities AS i
 WHERE i.user_id = :user_id AND i.kind = 'email';

-- name: exported_requests
-- A user's requests, the oldest first, from above an id on; as many as newest_requests gives.
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

-- name: rows_known
-- Of rows from elsewhere, by their places from 0, those that are known: as requests of this very server or imported before
-- (booked), or only by a name that a client gave to a request, if to one that was pruned since.
SELECT o.ord - 1 AS place, num_nonnulls(r.id, m.request_id) > 0 AS is_booked
  FROM unnest(:user_ids::uuid[], :ids::uuid[], :client_ids::text[], :import_keys::text[])
       WITH ORDINALITY AS o (user_id, id, client_id, import_key, ord)
  LEFT JOIN LATERAL (SELECT c.id FROM chat_requests AS c WHERE c.user_id = o.user_id AND c.id = o.id LIMIT 1) AS r ON true
  LEFT JOIN LATERAL tk_key(o.user_id, 'request', o.client_id) AS k ON true
  LEFT JOIN LATERAL tk_key(o.user_id, 'import', o.import_key) AS m ON true
 WHERE num_nonnulls(r.id, k.request_id, m.request_id) > 0;

-- name: ensure_partitions$
-- Make the monthly partitions of a range in time, as the owner; answers how many were missing. Of many who come at once
-- one makes them, as in store.partitions.
WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock(x'706172746974696F'::bigint))
SELECT tk_ensure_partitions(:since::timestamptz, :until::timestamptz)
  FROM alone;
