-- What the service asks of the server itself, before it serves.

-- name: server_version$
-- The version of the server, as a number.
SELECT current_setting('server_version_num')::integer;
