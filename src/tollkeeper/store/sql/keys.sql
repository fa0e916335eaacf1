-- API keys, by their hashes: nobody can read a key from here.

-- name: add_key^
-- Keep a new key. Answers nothing if it would have expired already.
INSERT INTO api_keys (key_hash, kind, user_id, name, shown_as, scopes, addresses, expires_at)
SELECT :key_hash::bytea, :kind::text, :user_id::uuid, :label::text, :shown_as::text, :scopes::text[], :addresses::cidr[],
       :expires_at::timestamptz
 WHERE :expires_at IS NULL OR :expires_at > tk_now()
RETURNING id, created_at;

-- name: live_keys_of_user^
-- How many keys of a user work now; those that another one replaces are counted apart.
SELECT count(*) FILTER (WHERE r.id IS NULL) AS lasting, count(*) AS working
  FROM api_keys AS k
  LEFT JOIN api_keys AS r ON r.replaces = k.id
 WHERE k.user_id = :user_id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > tk_now());

-- name: hold_service_keys!
-- Let nobody else make or rotate a key of a service until this transaction ends. Keys in use are noted all the same.
SELECT pg_advisory_xact_lock(x'736572766b657973'::bigint);

-- name: live_keys_of_services^
-- How many keys of services work now; those that another one replaces are counted apart.
SELECT count(*) FILTER (WHERE r.id IS NULL) AS lasting, count(*) AS working
  FROM api_keys AS k
  LEFT JOIN api_keys AS r ON r.replaces = k.id
 WHERE k.kind = 'service' AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > tk_now());

-- name: look_up_keys
-- Which of these hashes are keys that work now, whose, and whether their use was noted within the last minute.
SELECT k.key_hash, k.id, k.kind, k.user_id, k.scopes, k.addresses, coalesce(u.is_active, true) AS is_active,
       coalesce(k.last_used_at > tk_now() - interval '1 minute', false) AS is_noted
  FROM api_keys AS k
  LEFT JOIN usage AS u ON u.user_id = k.user_id
 WHERE k.key_hash = ANY (:hashes::bytea[]) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > tk_now());

-- name: note_keys_used!
-- Note that keys are in use, unless that was done within the last minute. Waits for nobody: a key that somebody changes
-- just now is noted the next time.
UPDATE api_keys AS k
   SET last_used_at = tk_now()
 WHERE k.id IN (SELECT s.id FROM api_keys AS s
                 WHERE s.id = ANY (:key_ids::uuid[])
                   AND (s.last_used_at IS NULL OR s.last_used_at <= tk_now() - interval '1 minute')
                 ORDER BY s.id
                   FOR NO KEY UPDATE SKIP LOCKED);

-- name: hold_key!
-- Keep others from rotating or ending a key of a user or, without one, of a service.
SELECT FROM api_keys AS k WHERE k.id = :key_id AND k.user_id IS NOT DISTINCT FROM :user_id::uuid FOR NO KEY UPDATE;

-- name: replacement_of_key$
-- Which key came in the place of one of a user or, without one, of a service.
SELECT k.id FROM api_keys AS k WHERE k.replaces = :key_id AND k.user_id IS NOT DISTINCT FROM :user_id::uuid;

-- name: rotate_key^
-- Put a new key on the same terms into the place of one that works, which ends after the overlap if not sooner. The new
-- one lasts as long as the old one was meant to, but not beyond the last end. Answers nothing if that one has ended or was
-- replaced before.
WITH ending AS (
    UPDATE api_keys AS k
       SET expires_at = least(k.expires_at, tk_now() + :overlap::interval)
      FROM api_keys AS was
     WHERE was.id = k.id AND k.id = :key_id AND k.user_id IS NOT DISTINCT FROM :user_id::uuid AND k.revoked_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > tk_now()) AND NOT EXISTS (SELECT FROM api_keys AS r WHERE r.replaces = k.id)
    RETURNING k.id, k.kind, k.user_id, k.name, k.scopes, k.addresses, k.expires_at, was.expires_at - was.created_at AS lasts
), made AS (
    INSERT INTO api_keys (key_hash, kind, user_id, name, shown_as, scopes, addresses, expires_at, replaces)
    SELECT :key_hash, e.kind, e.user_id, e.name, :shown_as, e.scopes, e.addresses,
           CASE WHEN e.lasts IS NOT NULL THEN least(tk_now() + e.lasts, :last_end::timestamptz) END, e.id
      FROM ending AS e
    RETURNING id, kind, name, scopes, addresses, created_at, expires_at
)
SELECT m.id, m.kind, m.name, m.scopes, m.addresses, m.created_at, m.expires_at, e.expires_at AS old_ends_at
  FROM made AS m
 CROSS JOIN ending AS e;

-- name: revoke_key$
-- End a key of a user.
UPDATE api_keys AS k
   SET revoked_at = tk_now()
 WHERE k.user_id = :user_id AND k.id = :key_id AND k.revoked_at IS NULL
RETURNING k.id;

-- name: revoke_any_key^
-- End a key, whosever it is. For the operator.
UPDATE api_keys AS k
   SET revoked_at = tk_now()
 WHERE k.id = :key_id AND k.revoked_at IS NULL
RETURNING k.user_id;

-- name: keys_of_user
-- Keys that a user has or had, the newest first.
SELECT k.id, k.kind, k.user_id, k.name, k.shown_as, k.scopes, k.addresses, k.created_at, k.expires_at, k.revoked_at,
       k.last_used_at, k.replaces, r.id AS replaced_by,
       CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= tk_now() THEN 'expired'
            WHEN r.id IS NOT NULL THEN 'replaced' ELSE 'active' END AS status
  FROM api_keys AS k
  LEFT JOIN api_keys AS r ON r.replaces = k.id
 WHERE k.user_id = :user_id AND (:after::uuid IS NULL OR k.id < :after)
 ORDER BY k.id DESC
 LIMIT :most::int;

-- name: service_keys
-- Keys that services have or had, the newest first. For the operator.
SELECT k.id, k.kind, k.user_id, k.name, k.shown_as, k.scopes, k.addresses, k.created_at, k.expires_at, k.revoked_at,
       k.last_used_at, k.replaces, r.id AS replaced_by,
       CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= tk_now() THEN 'expired'
            WHEN r.id IS NOT NULL THEN 'replaced' ELSE 'active' END AS status
  FROM api_keys AS k
  LEFT JOIN api_keys AS r ON r.replaces = k.id
 WHERE k.kind = 'service' AND (:after::uuid IS NULL OR k.id < :after)
 ORDER BY k.id DESC
 LIMIT :most::int;
