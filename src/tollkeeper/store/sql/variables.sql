-- What users keep with us by name. Secrets are sealed before they come here.

-- name: variables_of_user
-- All variables of a user, by name.
SELECT v.key, v.type, v.value, v.hint, v.description, v.created_at, v.updated_at
  FROM variables AS v
 WHERE v.user_id = :user_id
 ORDER BY v.key;

-- name: variable^
-- One variable of a user, a secret with what is sealed.
SELECT v.key, v.type, v.value, v.hint, v.sealed, v.sealed_with, v.description, v.created_at, v.updated_at
  FROM variables AS v
 WHERE v.user_id = :user_id AND v.key = :key;

-- name: variables_with_seals
-- All variables of a user, by name, secrets with what is sealed.
SELECT v.key, v.type, v.value, v.hint, v.sealed, v.sealed_with, v.description, v.created_at, v.updated_at
  FROM variables AS v
 WHERE v.user_id = :user_id
 ORDER BY v.key;

-- name: variable_types
-- What a user keeps, without the values. Asked under the lock, so that it still holds when the set is written.
SELECT v.key, v.type, v.hint
  FROM variables AS v
 WHERE v.user_id = :user_id;

-- name: put_variables
-- Create or update a set of variables of one user; a description stays where none is given. Answers nothing for a user
-- that does not exist.
INSERT INTO variables AS v (user_id, key, type, value, sealed, sealed_with, hint, description)
SELECT u.user_id, g.key, g.type, g.value, g.sealed, g.sealed_with, g.hint, g.description
  FROM usage AS u
 CROSS JOIN unnest(:keys::text[], :types::text[], :values::text[], :sealed::bytea[], :sealed_with::integer[], :hints::text[],
                   :descriptions::text[]) AS g (key, type, value, sealed, sealed_with, hint, description)
 WHERE u.user_id = :user_id
    ON CONFLICT (user_id, key) DO UPDATE
   SET type        = excluded.type,
       value       = excluded.value,
       sealed      = excluded.sealed,
       sealed_with = excluded.sealed_with,
       hint        = excluded.hint,
       description = CASE WHEN v.key = ANY (:described::text[]) THEN excluded.description ELSE v.description END,
       updated_at  = tk_now()
RETURNING v.key, v.type, v.value, v.hint, v.description, v.created_at, v.updated_at;

-- name: describe_variables
-- Set the descriptions of variables of one user whose values stay as they are.
UPDATE variables AS v
   SET description = CASE WHEN v.key = ANY (:described::text[]) THEN g.description ELSE v.description END,
       updated_at  = CASE WHEN v.key = ANY (:described) AND g.description IS DISTINCT FROM v.description THEN tk_now()
                          ELSE v.updated_at END
  FROM unnest(:keys::text[], :descriptions::text[]) AS g (key, description)
 WHERE v.user_id = :user_id AND v.key = g.key
RETURNING v.key, v.type, v.value, v.hint, v.description, v.created_at, v.updated_at;

-- name: delete_variable$
-- Delete one variable of a user.
DELETE FROM variables AS v
 WHERE v.user_id = :user_id AND v.key = :key
RETURNING v.key;
