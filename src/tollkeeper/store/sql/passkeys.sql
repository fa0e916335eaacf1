-- Passkeys, and the ceremonies in which they are made and used, by the hashes of what browsers bring.

-- name: open_ceremony!
-- Begin a ceremony. The one that this browser began before is over.
INSERT INTO passkey_ceremonies AS c (browser_hash, challenge_hash, user_id, expires_at)
VALUES (:browser_hash, :challenge_hash, :user_id::uuid, tk_now() + :valid_for::interval)
    ON CONFLICT (browser_hash) DO UPDATE
   SET challenge_hash = excluded.challenge_hash, user_id = excluded.user_id, expires_at = excluded.expires_at;

-- name: close_ceremony$
-- End a ceremony: of all who come with its challenge the first, from the same browser and for the same end.
DELETE FROM passkey_ceremonies AS c
 WHERE c.browser_hash = :browser_hash AND c.challenge_hash = :challenge_hash
   AND c.user_id IS NOT DISTINCT FROM :user_id::uuid AND c.expires_at > tk_now()
RETURNING true;

-- name: forget_ceremonies!
-- Delete some ceremonies that nobody ended, whosever they are. Whoever begins one takes a few away.
DELETE FROM passkey_ceremonies AS c
 WHERE c.browser_hash IN (SELECT o.browser_hash FROM passkey_ceremonies AS o
                           WHERE o.expires_at <= tk_now() LIMIT :most FOR UPDATE SKIP LOCKED);

-- name: add_passkey^
-- Keep a new passkey. Answers nothing if its device has made the same before.
INSERT INTO passkeys (credential_id, user_id, public_key, sign_count, name, transports, is_synced)
VALUES (:credential_id, :user_id, :public_key, :sign_count, :label, :transports::text[], :is_synced)
    ON CONFLICT (credential_id) DO NOTHING
RETURNING id, name, transports, is_synced, created_at, last_used_at;

-- name: passkeys_of_user
-- The passkeys of a user, the newest first. There are only so many.
SELECT p.id, p.name, p.transports, p.is_synced, p.created_at, p.last_used_at
  FROM passkeys AS p
 WHERE p.user_id = :user_id
 ORDER BY p.id DESC;

-- name: credentials_of_user
-- By which ids devices know the passkeys of a user.
SELECT p.credential_id, p.transports
  FROM passkeys AS p
 WHERE p.user_id = :user_id
 ORDER BY p.id;

-- name: count_passkeys$
-- How many passkeys a user has.
SELECT count(*) FROM passkeys AS p WHERE p.user_id = :user_id;

-- name: rename_passkey^
-- Call a passkey of a user something else.
UPDATE passkeys AS p
   SET name = :label
 WHERE p.user_id = :user_id AND p.id = :passkey_id
RETURNING p.id, p.name, p.transports, p.is_synced, p.created_at, p.last_used_at;

-- name: remove_passkey$
-- Take a passkey of a user away.
DELETE FROM passkeys AS p WHERE p.user_id = :user_id AND p.id = :passkey_id RETURNING p.id;

-- name: passkey_of_credential^
-- Whose passkey it is that a device used, and what its signature is held against.
SELECT p.id, p.user_id, p.public_key FROM passkeys AS p WHERE p.credential_id = :credential_id;

-- name: use_passkey$
-- Note that a passkey signed. Answers nothing if its count did not rise: then a copy of it has signed before. Devices that
-- do not count say 0 each time.
UPDATE passkeys AS p
   SET sign_count = :sign_count, is_synced = :is_synced, last_used_at = tk_now()
 WHERE p.user_id = :user_id AND p.id = :passkey_id
   AND (:sign_count::bigint > p.sign_count OR (:sign_count = 0 AND p.sign_count = 0))
RETURNING p.id;
