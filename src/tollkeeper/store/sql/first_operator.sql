-- The first operator: no account comes along with the service, so somebody has to become it.

-- name: add_first_operator_link$
-- Keep a new link, if nobody is an operator; those that are over go.
WITH over AS (
    DELETE FROM first_operator_links AS l WHERE l.expires_at <= tk_now()
)
INSERT INTO first_operator_links (token_hash, expires_at)
SELECT :token_hash::bytea, tk_now() + :valid_for::interval
 WHERE NOT EXISTS (SELECT FROM accounts AS a WHERE a.role = 'admin')
RETURNING expires_at;

-- name: is_first_operator_link$
-- Whether a link still makes somebody the first operator.
SELECT EXISTS (SELECT FROM first_operator_links AS l WHERE l.token_hash = :token_hash::bytea AND l.expires_at > tk_now())
       AND NOT EXISTS (SELECT FROM accounts AS a WHERE a.role = 'admin');

-- name: hold_first_operator_links
-- Of all who come with whichever link, one at a time: who comes second finds them gone.
SELECT l.token_hash FROM first_operator_links AS l ORDER BY l.token_hash FOR UPDATE;

-- name: void_first_operator_links!
-- There is an operator now.
DELETE FROM first_operator_links;
