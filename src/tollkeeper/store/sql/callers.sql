-- Who calls, asked for in sets.

-- name: users_of_emails
-- Whose e-mail addresses these are, whatever the case of their letters. Service keys name users by address.
SELECT g.email, i.user_id
  FROM unnest(:emails::text[]) AS g (email)
  JOIN user_identities AS i ON i.kind = 'email' AND i.value = lower(g.email);
