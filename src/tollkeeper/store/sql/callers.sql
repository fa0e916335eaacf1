-- Who calls, asked for in sets.

-- name: users_of_emails
-- Whose e-mail addresses these are, whatever the case of their letters. Service keys name users by address.
SELECT g.email, i.user_id
  FROM unnest(:emails::text[]) AS g (email)
  -- Each by its key: with a limit no plan made on an empty table walks all addresses instead.
 CROSS JOIN LATERAL (SELECT k.user_id FROM user_identities AS k
                      WHERE k.kind = 'email' AND k.value = lower(g.email) LIMIT 1) AS i;
