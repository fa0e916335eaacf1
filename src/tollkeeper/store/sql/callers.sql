-- Who calls, asked for in sets.

-- name: users_of_emails
-- Whose addresses these are, given in lower case. Of all users: service keys name them by address.
SELECT i.value AS email, i.user_id
  FROM user_identities AS i
 WHERE i.kind = 'email' AND i.value = ANY (:emails::text[]);
