-- API keys, by their hashes: nobody can read a key from here.

-- name: add_key^
-- Keep a new key. Answers nothing if it would have expired already.
INSERT INTO api_keys (key_hash, kind, user_id, name, shown_as, scopes, expires_at)
SELECT :key_hash::bytea, :kind::text, :user_id::uuid, :label::text, :shown_as::text, :scopes::text[], :expires_at::timestamptz
 WHERE :expires_at IS NULL OR :expires_at > tk_now()
RETURNING id, created_at;

-- name: live_keys_of_user$
-- How many keys of a user work now.
SELECT count(*)
  FROM api_keys AS k
 WHERE k.user_id = :user_id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > tk_now());

-- name: look_up_keys
-- Which of these hashes are keys that work now, and whose. Notes every five minutes that a key is in use, but waits for
-- nobody to do so.
WITH found AS MATERIALIZED (
    SELECT k.key_hash, k.id, k.kind, k.user_id, k.scopes, k.last_used_at, coalesce(u.is_active, true) AS is_active
      FROM api_keys AS k
      LEFT JOIN usage AS u ON u.user_id = k.user_id
     WHERE k.key_hash = ANY (:hashes::bytea[]) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > tk_now())
), stale AS MATERIALIZED (
    SELECT k.id
      FROM api_keys AS k
     WHERE k.id IN (SELECT f.id FROM found AS f WHERE f.last_used_at IS NULL OR f.last_used_at < tk_now() - interval '5 minutes')
     ORDER BY k.id
       FOR NO KEY UPDATE SKIP LOCKED
), noted AS (
    UPDATE api_keys AS k SET last_used_at = tk_now() FROM stale AS s WHERE k.id = s.id
)
SELECT f.key_hash, f.id, f.kind, f.user_id, f.scopes, f.is_active FROM found AS f;

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
-- All keys that a user ever had, the newest first.
SELECT k.id, k.kind, k.user_id, k.name, k.shown_as, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
  FROM api_keys AS k
 WHERE k.user_id = :user_id
 ORDER BY k.id DESC;

-- name: service_keys
-- All service keys there ever were, the newest first. For the operator.
SELECT k.id, k.kind, k.user_id, k.name, k.shown_as, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
  FROM api_keys AS k
 WHERE k.kind = 'service'
 ORDER BY k.id DESC;
