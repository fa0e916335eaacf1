-- Which versions of the master key there are, under which secrets are sealed, and sealing them anew under another.

-- name: master_keys
-- All versions that any process ever came with.
SELECT k.version, k.fingerprint, k.added_at FROM master_keys AS k ORDER BY k.version;

-- name: note_master_keys!
-- Note versions that nobody knows yet.
INSERT INTO master_keys (version, fingerprint)
SELECT g.version, g.fingerprint
  FROM unnest(:versions::integer[], :fingerprints::bytea[]) AS g (version, fingerprint)
    ON CONFLICT (version) DO NOTHING;

-- name: seal_at_first_under_the_newest!
-- Where nothing was ever said of it, the newest version seals.
INSERT INTO sealing (version, fingerprint)
SELECT k.version, k.fingerprint FROM master_keys AS k ORDER BY k.version DESC LIMIT 1
    ON CONFLICT DO NOTHING;

-- name: sealing_now^
-- Under which version secrets are sealed, and that until the commit nobody changes it.
SELECT s.version, s.fingerprint FROM sealing AS s FOR SHARE;

-- name: hold_sealing$
-- Let nobody seal or rotate until the commit; says which version seals.
SELECT s.version FROM sealing AS s FOR UPDATE;

-- name: seal_under$
-- From now on secrets are sealed under a version that every node has. Answers nothing if one that lives has not said so,
-- or if that version or a later one seals already.
UPDATE sealing AS s
   SET version = k.version, fingerprint = k.fingerprint
  FROM master_keys AS k
 WHERE k.version = :version AND s.version < k.version
   AND NOT EXISTS (SELECT FROM nodes AS n
                    WHERE n.seen_at > tk_now() - :lives::interval AND NOT k.fingerprint = ANY (n.master_keys))
RETURNING s.version;

-- name: nodes_without_master_key
-- Which nodes that live have not said that they have a version.
SELECT n.host, n.pid
  FROM nodes AS n
 WHERE n.seen_at > tk_now() - :lives::interval
   AND NOT (SELECT k.fingerprint FROM master_keys AS k WHERE k.version = :version) = ANY (n.master_keys)
 ORDER BY n.host, n.pid;

-- name: master_keys_needed
-- Which versions must be here: those under which secrets are sealed, or will be. Of all users: asked at the start.
SELECT s.version FROM sealing AS s
 UNION
SELECT v.sealed_with FROM variables AS v WHERE v.sealed_with IS NOT NULL;

-- name: secrets_by_master_key
-- How many secrets are sealed under each version. Of all users.
SELECT v.sealed_with AS version, count(*) AS secrets
  FROM variables AS v
 WHERE v.sealed_with IS NOT NULL
 GROUP BY v.sealed_with;

-- name: secrets_under_others$
-- How many secrets are not sealed under a version yet. Of all users.
SELECT count(*) FROM variables AS v WHERE v.sealed_with <> :version;

-- name: secrets_to_seal_anew
-- The next secrets that are not sealed under a version yet, of all users in order. Whoever holds one is not waited for.
SELECT v.user_id, v.key, v.sealed, v.sealed_with
  FROM variables AS v
 WHERE v.sealed_with <> :version AND (v.user_id, v.key) > (:after_user::uuid, :after_key::text)
 ORDER BY v.user_id, v.key
 LIMIT :most::int
   FOR NO KEY UPDATE SKIP LOCKED;

-- name: seal_anew!
-- Replace seals of the same secrets. Nothing that a user sees changes.
UPDATE variables AS v
   SET sealed = g.sealed, sealed_with = :version
  FROM unnest(:user_ids::uuid[], :keys::text[], :sealed::bytea[]) AS g (user_id, key, sealed)
 WHERE v.user_id = g.user_id AND v.key = g.key AND v.user_id = ANY (:user_ids);
